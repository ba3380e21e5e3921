"""Kernels in sandboxes: nbgrader's own by the provisioner, and warm ones by fork."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from threading import Timer

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course import sandbox
from course.grading import local
from course.grading.execute import Job, execute
from course.grading.limits import Limits
from course.grading.warm import Kernel, StoppedError, Zygote
from tests.class_of_twenty import CLASS, EXERCISE, RIGHT, Student
from tests.hostile.kinds import ALL, KINDS
from tests.rooms import (
    answered,
    autograded,
    environment,
    grade,
    hand_in,
    nbgrader,
    new_room,
    scores,
)

# a machine on which bubblewrap cannot run, for a program that this test starts
WITHOUT = "import course.sandbox as s\ns.why_not = lambda: 'There is no bubblewrap.'\n"


@pytest.fixture(autouse=True, scope="module")
def sandboxes():
    if why := sandbox.why_not():
        pytest.skip(why)


@pytest.fixture(scope="module")
def zygote():
    made = Zygote()
    yield made
    made.close()


def shown(kernel: Kernel, source: str, graded: bool = False) -> str:
    """What a cell writes to standard output."""
    messages = kernel.run(source, graded).messages
    return "".join(each["content"]["text"] for each in messages if each["type"] == "stream")


# ---- warm kernels ----


def test_a_kernel_knows_nothing_of_the_one_before_it(zygote):
    code = KINDS["leaves marks"].start
    for _ in range(3):
        with zygote.kernel(Limits()) as kernel:
            assert shown(kernel, code) == "found []\n"


def test_two_kernels_of_one_zygote_do_not_see_each_other(zygote):
    code = "import os\nprint([each for each in os.listdir('/proc') if each.isdigit()])"
    with zygote.kernel(Limits()) as one, zygote.kernel(Limits()) as other:
        one.run("import subprocess\nsubprocess.Popen(['sleep', '60'])")
        assert shown(other, code) == "['1']\n"
        for kind in ("pid", "net", "mnt", "ipc", "user", "uts"):
            link = f"import os\nprint(os.readlink('/proc/self/ns/{kind}'))"
            assert shown(one, link) != shown(other, link)


def test_each_kernel_draws_its_own_chances(zygote):
    code = "import random\nprint(random.random())"
    drawn = set()
    for _ in range(3):
        with zygote.kernel(Limits()) as kernel:
            drawn.add(shown(kernel, code))
    assert len(drawn) == 3


def test_files_that_were_handed_in_lie_beside_the_notebook_and_nothing_else(zygote):
    from course.grading.submission import packed

    files = packed({"data/pools.csv": b"1,2", "helper.py": b"answer = 42"})
    with zygote.kernel(Limits(), files) as kernel:
        code = "import os, helper\nprint(sorted(os.listdir()), helper.answer)"
        assert shown(kernel, code) == "['data', 'helper.py'] 42\n"


def test_threads_reach_the_limit_of_processes_before_that_of_memory(zygote):
    code = (
        "import threading, time\ntry:\n  while True:\n"
        "    threading.Thread(target=time.sleep, args=(100,), daemon=True).start()\n"
        "except RuntimeError:\n  print(threading.active_count())"
    )
    limits = Limits(memory=10**9, processes=64)
    with zygote.kernel(limits) as kernel:
        assert int(shown(kernel, code)) in range(limits.processes - 2, limits.processes + 1)
        assert shown(kernel, "print(len(bytes(10 ** 8)))") == "100000000\n"


def test_a_kernel_that_is_closed_leaves_no_process(zygote):
    with zygote.kernel(Limits()) as kernel:
        kernel.run(
            "import subprocess\nsubprocess.Popen(['sleep', '54321'], start_new_session=True)"
        )
        assert _runs("54321")
    assert not any(_runs("54321") for _ in [subprocess.run(["sleep", "0.2"], check=True)])


def _runs(word: str) -> bool:
    ran = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return any(line.split() == ["sleep", word] for line in ran.stdout.splitlines())


def test_an_assertion_that_cannot_fail_any_more_ends_all_grading(zygote):
    # what nothing puts back: who knows how grading works makes it forget what it watches
    code = (
        "ours = get_ipython().kernel.session.tell.__func__.__globals__\n"
        "ours['Pristine']._put_back = lambda _: ()\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "async def run_code(self, code_obj, result=None, *, async_=False): return False\n"
        "InteractiveShell.run_code.__code__ = run_code.__code__"
    )
    with zygote.kernel(Limits()) as kernel:
        kernel.run(code)
        assert kernel.run("assert False", graded=True).content["ename"] == "NotPristineError"


def test_honest_code_is_not_told_that_it_changed_anything(zygote):
    code = "import random, json, math\nrandom.seed(1)\nrandom.random()\nsum = 3\nassert True\nsum"
    with zygote.kernel(Limits()) as kernel:
        kernel.run(code)
        kernel.run("def f(x):\n    raise ValueError(x)\nf(1)")
        assert kernel.run("1", graded=True).content["changed"] == []


def test_tests_see_builtins_and_the_students_functions_see_what_the_student_wrote(zygote):
    code = "sum = 3\ncount = 0\ndef f():\n    global count\n    count += 1\n    return sum"
    with zygote.kernel(Limits()) as kernel:
        kernel.run(code)
        tests = "made = f()\nassert made == 3 and sum([1]) == 1 and 'made' in globals()"
        assert kernel.run(tests, graded=True).content["status"] == "ok"
        assert shown(kernel, "print(sum, count, made)") == "3 1 3\n"


def test_a_zygote_that_is_killed_is_no_students_fault():
    notebook = new_notebook(cells=[new_code_cell("import time\ntime.sleep(1)\nprint(2)")])
    killer = Timer(0.5, lambda: os.kill(_zygote_below(local.zygote()._process.pid), 9))
    try:
        with local.zygote().kernel(Limits()):
            killer.start()
        executed = execute(Job("ann", json.dumps(notebook)))
        killer.join()
    finally:
        local.close()
    assert executed.remarks == ()
    assert [each["text"] for each in json.loads(executed.notebook)["cells"][0]["outputs"]] == [
        "2\n"
    ]


def _zygote_below(parent: int) -> int:
    """The first descendant of a process that is Python: bubblewrap starts it."""
    ran = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in ran.stdout.splitlines()]
    while True:
        parent, name = next((int(pid), name) for pid, above, name in rows if int(above) == parent)
        if name.startswith("python"):
            return parent


def test_a_kernel_cannot_outlive_its_limits(zygote):
    limits = Limits(cell_seconds=0.5, grace_seconds=0.5)
    with (
        zygote.kernel(limits) as kernel,
        pytest.raises(StoppedError, match="ignored the interrupt"),
    ):
        kernel.run(KINDS["ignores interrupts"].sources["surge-nodes"])


def test_a_cell_is_interrupted_whatever_was_said_of_interrupts_before(zygote):
    limits = Limits(cell_seconds=0.5, grace_seconds=10)
    with zygote.kernel(limits) as kernel:
        kernel.run("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)")
        assert kernel.run("while True: pass").timed_out
        assert shown(kernel, "print('goes on')") == "goes on\n"


def test_a_grader_in_the_background_of_a_script_interrupts_as_well():
    code = """
from course.grading.limits import Limits
from course.grading.warm import Zygote
zygote = Zygote()
with zygote.kernel(Limits(cell_seconds=0.5, grace_seconds=10)) as kernel:
    print(kernel.run("while True: pass").timed_out)
zygote.close()
"""
    script = f"{sys.executable} -c '{code}' & wait"  # a shell has it ignore SIGINT
    ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.returncode) == ("True\n", 0), ran.stderr


# ---- nbgrader's own commands ----


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A class that nbgrader's own autograde has graded."""
    course = new_room(tmp_path_factory.mktemp("plain"))
    hand_in(course, "right", answered(course, Student(RIGHT)))
    hand_in(course, "wrong", answered(course, CLASS["hard-coded"]))
    for name in (
        "looks for solutions",
        "ends at once",
        "duplicated test",
        "tests that are skipped",
        "shows full marks",
    ):
        kind = KINDS[name]
        notebook = answered(course, Student(kind.answers or RIGHT))
        if kind.start:
            notebook.cells.insert(0, new_code_cell(kind.start, id="own-0"))
        for each in notebook.cells:
            each.source = (kind.sources or {}).get(each.id, each.source)
        data = json.loads(json.dumps(notebook))
        if kind.notebook:
            kind.notebook(data)
        hand_in(course, name.replace(" ", "-"), data)
    folder = hand_in(course, "links", answered(course, Student(RIGHT)))
    (folder / "notes.txt").symlink_to("/etc/passwd")
    (course / "solutions" / "secret.txt").write_text("ONLY-THE-INSTRUCTOR")
    nbgrader(course, "autograde", EXERCISE, fails=True)  # for the kernel that ends at once
    return course


def code_points(room, student):
    return sum(each or 0 for task, each in scores(room)[student].items() if task != "explanation")


@pytest.mark.nbgrader
def test_nbgraders_own_autograde_runs_student_code_in_a_sandbox(room):
    assert code_points(room, "right") == ALL
    assert code_points(room, "wrong") == 0
    cells = {each["id"]: each for each in autograded(room, "looks-for-solutions")["cells"]}
    assert "".join(cells["own-0"]["outputs"][0]["text"]) == "seen 0\n"


@pytest.mark.nbgrader
def test_nbgraders_own_autograde_goes_on_after_a_duplicated_test_and_runs_every_test(room):
    assert code_points(room, "duplicated-test") == ALL
    assert code_points(room, "tests-that-are-skipped") == 0


@pytest.mark.nbgrader
def test_nbgraders_own_autograde_gives_nothing_for_a_result_that_a_failing_test_shows(room):
    assert code_points(room, "shows-full-marks") == 0


@pytest.mark.nbgrader
def test_nbgraders_own_autograde_follows_no_link(room):
    assert code_points(room, "links") == ALL
    copied = room / "autograded" / "links" / EXERCISE / "notes.txt"
    assert "Links are not followed." in copied.read_text()


@pytest.mark.nbgrader
def test_both_commands_give_the_same_scores(room, tmp_path):
    other = new_room(tmp_path)
    for name in ("right", "wrong", "duplicated-test"):
        file = room / "submitted" / name / EXERCISE / f"{EXERCISE}.ipynb"
        hand_in(other, name, json.loads(file.read_bytes()))
    grade(other)
    assert scores(other) == {name: scores(room)[name] for name in scores(other)}


@pytest.mark.nbgrader
def test_without_bubblewrap_nothing_is_graded_unless_the_instructor_says_so(tmp_path):
    room = new_room(tmp_path)
    hand_in(room, "right", answered(room, Student(RIGHT)))
    code = WITHOUT + "from nbgrader.apps.nbgraderapp import main\nmain()"
    words = [sys.executable, "-c", code, "autograde", EXERCISE]
    told = {"cwd": room, "env": environment(room), "capture_output": True, "text": True}
    refused = subprocess.run(words, check=False, **told)
    assert refused.returncode == 1
    assert "Student code is not run without a sandbox. There is no bubblewrap." in refused.stderr
    assert not (room / "autograded" / "right").exists() or not scores(room)["right"]["cure"]
    allowed = [*words, "--SandboxProvisioner.unprotected=True"]
    done = subprocess.run(allowed, check=False, **told)
    assert done.returncode == 0, done.stderr
    assert code_points(room, "right") == ALL


@pytest.mark.nbgrader
def test_without_bubblewrap_a_learner_can_still_validate(tmp_path):
    room = new_room(tmp_path)
    code = WITHOUT + "from nbgrader.apps.nbgraderapp import main\nmain()"
    file = f"solutions/{EXERCISE}/{EXERCISE}.ipynb"
    ran = subprocess.run(
        [sys.executable, "-c", code, "validate", file], cwd=room, env=environment(room),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Success! Your notebook passes all the tests." in ran.stdout, ran.stderr


@pytest.mark.nbgrader
def test_without_bubblewrap_the_courses_command_refuses(tmp_path):
    room = new_room(tmp_path)
    code = WITHOUT + "from course.commands import main\nfrom pathlib import Path\n"
    code += f"raise SystemExit(main(['grade', '05'], Path({os.fspath(room)!r})))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=room, env=environment(room),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert "There is no bubblewrap." in ran.stderr
