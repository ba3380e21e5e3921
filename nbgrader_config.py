"""How nbgrader finds its way in this course. Its commands are run in this folder."""

import contextlib
import os
import sys
from pathlib import Path

import nbgrader

import course

root = Path(__file__).resolve().parent
# A class on one server: NBGRADER_EXCHANGE names a folder that everybody may write.
exchange = Path(os.environ.get("NBGRADER_EXCHANGE") or root / "exchange")
with contextlib.suppress(OSError):  # nbgrader itself says what it lacks, when it needs it
    exchange.mkdir(parents=True, exist_ok=True)

# nbgrader starts `alembic`, which is installed beside this Python, to make its database.
beside = str(Path(sys.executable).parent)
os.environ["PATH"] = os.pathsep.join([beside, os.environ.get("PATH", os.defpath)])

c = get_config()  # noqa: F821  nbgrader puts this name here
c.CourseDirectory.course_id = "aks-networking"
c.CourseDirectory.root = str(root)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.Exchange.root = str(exchange)
# students solve exercises in their copy, and hand in what stands there
c.Exchange.assignment_dir = str(root / "my-course" / "exercises")
c.ExecutePreprocessor.timeout = 60  # seconds that one cell may take

# What students wrote runs in a sandbox: see guide/grading.md.
grading = Path(course.__file__).parent / "grading"
kernels = str(grading / "jupyter")
if kernels not in os.environ.get("JUPYTER_PATH", "").split(os.pathsep):
    os.environ["JUPYTER_PATH"] = os.pathsep.join(
        filter(None, [kernels, os.environ.get("JUPYTER_PATH")])
    )
c.ExecutePreprocessor.kernel_name = "aks-sandboxed"
c.Autograde.pre_convert_hook = "course.grading.submission.cut_links"
c.Autograde.sanitize_preprocessors = [
    "course.grading.repair.RepairCells",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "nbgrader.preprocessors.Execute",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "course.grading.repair.FailuresFirst",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "course.grading.feedback.HideTests",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
# What students write and show may be HTML with programs in it, and would be run by who grades.
c.HTMLExporter.sanitize_html = True  # of outputs; nbgrader's pages leave out text cells
harmless = "course.grading.feedback.harmless"
c.TemplateExporter.filters = {"clean_html": harmless, "strip_files_prefix": harmless}
c.HTMLExporter.preprocessors = ["course.grading.feedback.PlainCells"]
# Feedback and the Formgrader are read offline: ours of nbgrader's templates comes before its own.
c.HTMLExporter.extra_template_basedirs = [
    str(grading / "templates"),
    str(Path(nbgrader.__file__).parent / "server_extensions" / "formgrader" / "templates"),
]
