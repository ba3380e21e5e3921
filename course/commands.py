"""What `python -m course` does: open the lessons, keep the learner's copy, tell what works."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from course import personal_copy
from course.curriculum import named
from course.errors import InputError
from course.grading import command as grading
from course.personal_copy import COPY, ROOT, Outcome

# Among them: widgets are worked by the thread that runs the cells. JupyterLab would have some of
# their messages handled by a second one, where they overtake and disturb each other. Whoever names
# another folder goes without.
SETTINGS = Path(__file__).parent / "lab_settings"
TO_JUPYTERLAB = ("lab", "planner", "resume")

# Options of JupyterLab that say the same: it refuses to start if one of them is given twice.
SAME = {
    "--notebook-dir": "--ServerApp.root_dir",
    "--ServerApp.default_url": "--LabApp.default_url",
}


def main(words: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Do what the words of the command line say; returns the exit status."""
    given = list(sys.argv[1:] if words is None else words) or ["--help"]
    try:
        # argparse would take some of JupyterLab's words for its own
        ours = 1 if given and given[0] in TO_JUPYTERLAB else len(given)
        told = parser().parse_args(given[:ours])
        told.for_jupyterlab = given[ours:]
        do: Callable[[argparse.Namespace, Path], int] = told.do
        return do(told, root)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # what reads the output wants no more of it, such as `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def parser() -> argparse.ArgumentParser:
    """The words of the command line, and the help on them."""
    top = argparse.ArgumentParser(
        prog="python -m course", description="A course on networking in Azure Kubernetes Service."
    )
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, do: Callable[..., int], about: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name, help=about, description=f"{about[0].upper()}{about[1:]}."
        )
        command.set_defaults(do=do)
        return command

    add("lab", _lab, "open the start notebook in JupyterLab; further words go to JupyterLab")
    add("planner", _planner, "open the planner in JupyterLab; further words go to JupyterLab")
    add("resume", _resume, "open the lesson where you were last; further words go to JupyterLab")
    add("update", _update, f"bring new lessons to your copy, {COPY}; what you changed stays")
    reset = add("reset", _reset, "put a lesson and its exercise back; yours goes to a backup")
    solution = add("solution", _solution, f"copy the solution of an exercise to {COPY}/solutions")
    for command in (reset, solution):
        command.add_argument("number", metavar="NUMBER", help="the lesson's number, such as 05")
    add("doctor", _doctor, "tell what works on this machine, and how to mend what does not")
    facts = add("facts", _facts, "list the facts of the course by age, or cite one of them")
    facts.add_argument("id", metavar="ID", nargs="?", help="such as azure.reserved_per_subnet")
    exercises = add("exercises", _exercises, "make exercises/ anew from solutions/, with nbgrader")
    exercises.add_argument("--into", metavar="DIR", type=Path, help="another folder to write to")
    grade = add(
        "grade", _grade, "grade what a class handed in, in sandboxes; exits with 1 where not"
    )
    grading.add_words(grade)
    plan = add("plan", _plan, "check the plan of a network; exits with 1 where it does not work")
    plan.add_argument(
        "files", metavar="FILE", nargs="+", help="a plan as JSON; - is standard input"
    )
    plan.add_argument(
        "--running",
        action="store_true",
        help="the files are what az aks show, az aks nodepool list, az network vnet show and "
        "kubectl get nodes print as JSON; exits with 1 also where they do not tell the model, the "
        "pools with their numbers, or the ranges",
    )
    plan.add_argument("--today", metavar="DAY", help="judge what retires as of this day")
    progress = add("progress", _progress_show, "show, export or reset what you have answered")
    _progress_words(progress)
    return top


def _progress_words(progress: argparse.ArgumentParser) -> None:
    ways = progress.add_subparsers(title="ways", metavar="WAY")
    ways.add_parser("show", help="how far you are (this is what no word means)")
    export = ways.add_parser("export", help="write all your answers to a file, as JSON")
    export.add_argument("file", metavar="FILE", type=Path)
    export.set_defaults(do=_progress_export)
    reset = ways.add_parser("reset", help="begin anew; what was kept is renamed, not deleted")
    reset.set_defaults(do=_progress_reset)


# ---- JupyterLab ----


def open_lab(root: Path, words: Sequence[str], number: str = "00") -> int:
    """Bring the copy up to date and become JupyterLab, with a lesson or a tool open."""
    _tell_in_short(personal_copy.update(root))
    command = lab_command(root, words, number)
    sys.stdout.flush()
    os.chdir(root)  # where nbgrader looks for its configuration
    if os.name != "nt":
        os.execve(command[0], command, lab_environment())
    return subprocess.call(command, env=lab_environment())  # on Windows, none can become another


def lab_command(root: Path, words: Sequence[str], number: str = "00") -> list[str]:
    """The command that serves the copy and opens a lesson or a tool. The learner's words win.

    >>> lab_command(Path("/course"), ["--notebook-dir=/other"])[-1]
    '--notebook-dir=/other'
    """
    ours = {
        "--ServerApp.root_dir": str(root / COPY),
        "--LabApp.default_url": f"/lab/tree/{named(number).file}",
        # Nothing leaves the machine, and nobody is asked whether it may.
        "--LabApp.news_url": "None",
        "--LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "--LabApp.app_settings_dir": str(SETTINGS),
        # The kernel that grades runs in a sandbox: it is not one to write a notebook with.
        "--KernelSpecManager.allowed_kernelspecs": "python3",
    }
    theirs = {SAME.get(name, name) for name in (word.partition("=")[0] for word in words)}
    options = [f"{name}={value}" for name, value in ours.items() if name not in theirs]
    if hasattr(os, "getuid") and os.getuid() == 0:
        options.append("--allow-root")
    return [sys.executable, "-m", "jupyterlab", *options, *words]


def lab_environment() -> dict[str, str]:
    """Our environment, in which `python` in JupyterLab's terminals is the course's Python."""
    here = str(Path(sys.executable).parent)
    return os.environ | {"PATH": os.pathsep.join([here, os.environ.get("PATH", os.defpath)])}


def _tell_in_short(outcomes: list[Outcome]) -> None:
    """What an update changed: a count of what went smoothly, and each thing that did not."""
    smooth = [each.what for each in outcomes if each.what in ("new", "updated")]
    if smooth:
        counts = (f"{smooth.count(what)} {what}" for what in ("new", "updated") if what in smooth)
        print(f"{COPY}: {', '.join(counts)}.")
    for each in outcomes:
        if each.what not in ("new", "updated"):
            print(each.says)


# ---- the other commands ----


def _lab(told: argparse.Namespace, root: Path) -> int:
    return open_lab(root, told.for_jupyterlab)


def _planner(told: argparse.Namespace, root: Path) -> int:
    return open_lab(root, told.for_jupyterlab, "planner")


def _resume(told: argparse.Namespace, root: Path) -> int:
    from course.progress import last_lesson

    return open_lab(root, told.for_jupyterlab, last_lesson() or "00")


def _update(told: argparse.Namespace, root: Path) -> int:
    outcomes = personal_copy.update(root)
    return _tell(*outcomes) if outcomes else _say(f"{COPY} is up to date.")


def _reset(told: argparse.Namespace, root: Path) -> int:
    return _tell(personal_copy.reset(told.number, root))


def _solution(told: argparse.Namespace, root: Path) -> int:
    return _tell(personal_copy.solution(told.number, root))


def _doctor(told: argparse.Namespace, root: Path) -> int:
    from course.doctor import examine, report

    checks = examine(root)
    print(report(checks))
    return int(any(each.state == "broken" for each in checks))


def _facts(told: argparse.Namespace, root: Path) -> int:
    from course.facts import age_report, fact

    return _say(fact(told.id).cite() if told.id else age_report(date.today()))


def _exercises(told: argparse.Namespace, root: Path) -> int:
    from course.exercises import NbgraderError, generate

    try:
        return _say("\n".join(generate(root, told.into)))
    except NbgraderError as error:
        print(error, file=sys.stderr)
        return 1


def _grade(told: argparse.Namespace, root: Path) -> int:
    return grading.run(told, root)


def _plan(told: argparse.Namespace, root: Path) -> int:
    from course.planner import check

    report, works = check.check([_content(name) for name in told.files], told.running, told.today)
    print(report)
    return int(not works)


def _content(name: str) -> bytes:
    """What is in a file, or comes from standard input; it may be in any encoding."""
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise InputError(name, "cannot be read.", f"{error.strerror}.") from None


def _progress_show(told: argparse.Namespace, root: Path) -> int:
    from course.progress import report

    return _say(report())


def _progress_export(told: argparse.Namespace, root: Path) -> int:
    from course.progress import export

    try:
        export(told.file)
    except OSError as error:
        raise InputError(str(told.file), "cannot be written.", f"{error.strerror}.") from None
    return _say(f"Written to {told.file}.")


def _progress_reset(told: argparse.Namespace, root: Path) -> int:
    from course.progress import reset

    try:
        kept = reset()
    except OSError as error:
        raise InputError(str(error.filename), "cannot be renamed.", f"{error.strerror}.") from None
    return _say(f"You begin anew. What was kept is now {kept}." if kept else "Nothing is kept yet.")


def _tell(*outcomes: Outcome) -> int:
    for each in outcomes:
        print(each.says)
    return int(any(each.what == "failed" for each in outcomes))


def _say(text: str) -> int:
    print(text)
    return 0
