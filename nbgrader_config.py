"""How nbgrader finds its way in this course. Its commands are run in this folder."""

import contextlib
import os
import sys
from pathlib import Path

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
