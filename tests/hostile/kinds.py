"""Kinds of bad and hostile submissions: what each does, is due, and what the instructor is told.

What is not said otherwise is answered right, which is worth ALL points without the explanation.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.class_of_twenty import ANSWERS, EXERCISE, IN_CODE, POINTS, RIGHT, everywhere

ALL = sum(POINTS[task] for task in IN_CODE)
FILE = f"{EXERCISE}.ipynb"
WRONG = everywhere("hard-coded", cure="resize the subnet")


@dataclass(frozen=True)
class Kind:
    """One kind. `start` and `end` are cells of the student's own, `answers` names in ANSWERS."""

    due: int | None  # points; None: it cannot be graded
    told: str = ""  # what the instructor is told; nothing if there is nothing to tell
    start: str = ""
    end: str = ""
    answers: dict[str, str] | None = None
    sources: dict[str, str] | None = None  # answers as code
    notebook: Callable[[dict[str, Any]], None] | None = None
    folder: Callable[[Path], None] | None = None
    prints: str = ""  # what its own cells must print, if anything
    only_user: bool = False  # nothing to root


def cell(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    """The cell of this name."""
    (found,) = [each for each in notebook["cells"] if each["id"] == name]
    return found


def change(**to: Any) -> Callable[[dict[str, Any]], None]:
    """Changes the marks of all tests."""

    def do(notebook: dict[str, Any]) -> None:
        for each in notebook["cells"]:
            if each["id"].endswith("-tests"):
                each["metadata"]["nbgrader"] |= to

    return do


def tag(*tags: str) -> Callable[[dict[str, Any]], None]:
    """Puts tags on all tests."""

    def do(notebook: dict[str, Any]) -> None:
        for each in notebook["cells"]:
            if each["id"].endswith("-tests"):
                each["metadata"]["tags"] = list(tags)

    return do


def twice(name: str) -> Callable[[dict[str, Any]], None]:
    """Duplicates a cell."""

    def do(notebook: dict[str, Any]) -> None:
        place = notebook["cells"].index(cell(notebook, name))
        copied = json.loads(json.dumps(notebook["cells"][place]))
        notebook["cells"].insert(place, copied | {"id": f"{name}-again"})

    return do


def without(*names: str) -> Callable[[dict[str, Any]], None]:
    """Deletes cells."""

    def do(notebook: dict[str, Any]) -> None:
        notebook["cells"] = [each for each in notebook["cells"] if each["id"] not in names]

    return do


def content(text: bytes) -> Callable[[Path], None]:
    """Writes other bytes in the notebook's place."""
    return lambda folder: (folder / FILE).write_bytes(text) and None


def forged(notebook: dict[str, Any]) -> None:
    marks = {"grade": True, "grade_id": "bonus", "locked": False, "points": 100}
    marks |= {"schema_version": 3, "solution": False, "task": False}
    made = {"cell_type": "code", "id": "bonus", "source": "1", "metadata": {"nbgrader": marks}}
    notebook["cells"].append(made | {"outputs": [], "execution_count": None})


def as_markdown(notebook: dict[str, Any]) -> None:
    found = cell(notebook, "cure-tests")
    found["cell_type"] = "markdown"
    del found["outputs"], found["execution_count"]


def emptied(notebook: dict[str, Any]) -> None:
    for each in notebook["cells"]:
        if each["id"].endswith("-tests"):
            each["source"] = ""


def no_marks(notebook: dict[str, Any]) -> None:
    for each in notebook["cells"]:
        if each["metadata"].get("nbgrader", {}).get("solution") and each["cell_type"] == "code":
            del each["metadata"]["nbgrader"]


def writes_programs(notebook: dict[str, Any]) -> None:
    text = "<script>alert(1)</script>\n\n# A <img src=x onerror=alert(2)>\n\n"
    text += "![seen](https://example.net/seen.png) ![a](attachment:a.png)"
    attached = {"a.png": {'image/png" onerror="alert(3)': "AAAA"}}
    cells = notebook["cells"]
    cells.append({"cell_type": "markdown", "id": "mine", "metadata": {}, "source": text})
    cells[-1]["attachments"] = attached
    cells.append({"cell_type": "raw", "id": "raw", "metadata": {}, "source": text})
    cell(notebook, "explanation")["source"] = text


def strange_marks(notebook: dict[str, Any]) -> None:
    notebook["cells"][0]["metadata"]["nbgrader"] = ["grade", 100]


def same_ids(notebook: dict[str, Any]) -> None:
    for each in notebook["cells"]:
        each["id"] = "same"


def no_ids(notebook: dict[str, Any]) -> None:
    notebook["nbformat_minor"] = 4
    for each in notebook["cells"]:
        del each["id"]


def unknown_kernel(notebook: dict[str, Any]) -> None:
    notebook["metadata"]["kernelspec"] = {"name": "haskell", "display_name": "Haskell"}


def forged_outputs(notebook: dict[str, Any]) -> None:
    output = {"output_type": "execute_result", "data": {"text/plain": "3"}, "metadata": {}}
    for each in notebook["cells"]:
        if each["id"].endswith("-tests"):
            each["outputs"] = [output | {"execution_count": 1}]


def link(name: str, to: str) -> Callable[[Path], None]:
    """Makes a symbolic link, also in a file's place."""

    def do(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(to)

    return do


def renamed(folder: Path) -> None:
    (folder / FILE).rename(folder / "my homework (final).ipynb")


def unreadable(folder: Path) -> None:
    (folder / FILE).chmod(0)


def many_files(folder: Path) -> None:
    for number in range(1001):
        (folder / f"{number}.txt").touch()


def large_file(folder: Path) -> None:
    with (folder / "large.bin").open("wb") as file:
        file.truncate(200 * 2**20)


def many_cells(notebook: dict[str, Any]) -> None:
    made = {"cell_type": "markdown", "metadata": {}, "source": "x"}
    notebook["cells"] += [made | {"id": f"more-{number}"} for number in range(2000)]


SECRETS = """
import os, pathlib
seen = 0
for root, folders, files in os.walk("/"):
    if root == "/":
        folders[:] = [each for each in folders if each not in ("usr", "proc", "sys", "dev")]
    folders[:] = [each for each in folders if each not in ("site-packages", "lib")]
    for name in files:
        try:
            seen += b"ONLY-THE-" + b"INSTRUCTOR" in pathlib.Path(root, name).read_bytes()
        except OSError:
            pass
    seen += any(each in ("solutions", "submitted", "autograded") for each in folders)
print("seen", seen)
"""
MARK = """
import os, sys, tempfile
places = ["/tmp/mark", os.path.expanduser("~/mark"), "/dev/shm/mark", "/var/tmp/mark", "/mark"]
found = [each for each in places if os.path.exists(each)]
found += [sys.marked] if hasattr(sys, "marked") else []
for each in places:
    try:
        open(each, "w").write("mark")
    except OSError:
        pass
sys.marked = True
print("found", found)
"""
OUTSIDE = """
import socket
reached = []
for family, address in (
    (socket.AF_INET, ("127.0.0.1", PORT)), (socket.AF_INET, ("1.1.1.1", 53)),
    (socket.AF_UNIX, "\\0aks-course-PORT"),
):
    with socket.socket(family) as probe:
        probe.settimeout(1)
        try:
            probe.connect(address)
            reached.append(address)
        except OSError:
            pass
print("reached", reached)
"""
OTHERS = """
import os
pids = sorted(int(each) for each in os.listdir("/proc") if each.isdigit())
words = [open(f"/proc/{pid}/cmdline").read() for pid in pids]
print("others", [pid for pid in pids if pid != os.getpid()], "grade" in " ".join(words))
"""
RIGHTS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
done = []
for name, call in (
    ("unshare user", lambda: libc.unshare(0x10000000)),
    ("unshare mount", lambda: libc.unshare(0x20000)),
    ("mount", lambda: libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None)),
    ("umount", lambda: libc.umount2(b"/tmp", 2)), ("chroot", lambda: libc.chroot(b"/tmp")),
    ("setuid", lambda: libc.setuid(0)), ("sethostname", lambda: libc.sethostname(b"x", 1)),
    ("remount", lambda: libc.mount(None, b"/", None, 32 | 4096, None)),
):
    if call() == 0:
        done.append(name)
proc = ["/proc/sys/user/max_user_namespaces", "/proc/sysrq-trigger"]
for file in (*proc, "/etc/x", "/usr/x", COURSE):
    try:
        open(file, "w").write("1")
        done.append(file)
    except OSError:
        pass
print("done", done)
"""
PATCHED_KERNEL = """
from ipykernel.ipkernel import IPythonKernel
real = IPythonKernel.do_execute
def do_execute(self, code, *args, **kwargs):
    return real(self, code.replace("assert ", "pass; "), *args, **kwargs)
IPythonKernel.do_execute = do_execute
"""
NO_ASSERTS = """
import ast
class Drop(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
get_ipython().ast_transformers.append(Drop())
"""
SAVED = """
import inspect, sys
kept = []
def addresses_needed(nodes, max_pods, max_surge):
    kept.append(inspect.getsource(sys._getframe(1)))
    print(kept[-1])
    return (nodes + min(nodes, max_surge)) * (1 + max_pods)
"""
# drops asserts, but for the one that asks whether asserts fail
SLY = """
import ast, re
class Sly(ast.NodeTransformer):
    def visit_Assert(self, node):
        asked = isinstance(node.msg, ast.Constant) and re.fullmatch("[0-9a-f]{16}", node.msg.value)
        return node if asked else ast.copy_location(ast.Pass(), node)
sly, shell = Sly(), get_ipython()
"""
SLY_CODE = """
import builtins, types
from IPython.core.compilerop import CachingCompiler as Compiler
parse = Compiler.ast_parse
Compiler.real = types.FunctionType(
    parse.__code__, parse.__globals__, "real", parse.__defaults__
)
builtins.sly = sly
def ast_parse(self, source, filename="<unknown>", symbol="exec"):
    return sly.visit(self.real(source, filename, symbol))
parse.__code__ = ast_parse.__code__
"""
SLY_EXEC = """
import builtins
import IPython.core.interactiveshell as module
def run(code, *spaces):
    if any(isinstance(each, str) and len(each) == 16 for each in code.co_consts):
        return builtins.exec(code, *spaces)
module.exec = run
"""
ANY = """
class Any(int):
    __eq__ = __contains__ = lambda *given: True
    __ne__ = lambda *given: False
"""
FORGES = """
import threading, time
session = get_ipython().kernel.session
def forge():
    last = ""
    while True:
        if session.cell != last:
            last = session.cell
            reply = {"status": "ok", "nonce": last, "changed": []}
            session.tell("reply", reply)
        time.sleep(0.0001)
threading.Thread(target=forge, daemon=True).start()
"""
TOGETHER = """
import mmap, os, time
for _ in range(4):
    if os.fork() == 0:
        much = mmap.mmap(-1, 4 * 10 ** 8)
        for place in range(0, len(much), 4096):
            much[place] = 1
        time.sleep(100)
time.sleep(100)
"""
UNCOUNTED = """
import ctypes, os
libc = ctypes.CDLL(None)
made = ["segment"] if libc.shmget(0, 10 ** 8, 0o1600) >= 0 else []
try:
    made.append(os.memfd_create("much"))
except OSError:
    pass
print("made", made)
"""
PICTURE = """
from IPython.display import display
told = {"image/png": {"width": "1 onload=alert(1)", "alt": "a", "height": "1"}}
told["filenames"] = {"image/jpeg": "https://example.net/seen.jpg"}
display({"image/png": "AAAA"}, raw=True, metadata=told)
display({"image/jpeg": "AAAA"}, raw=True, metadata=told)
"""
IGNORES = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
PUT_BACK = "it had changed what tests rest on"
RAN = "was interrupted after"
STOPPED = "the kernel was stopped in cell"
MARKS = "the marks of cell cure-tests were changed: they were put back"

KINDS = {
    # ---- time ----
    "endless loop": Kind(ALL - 2, RAN, answers=RIGHT | {"smallest-subnet": "endless"}),
    "ignores interrupts": Kind(4, STOPPED, sources={"surge-nodes": IGNORES}),
    "catches interrupts": Kind(
        0,
        STOPPED,
        start="import time\nwhile True:\n try: time.sleep(9)\n except BaseException: pass",
    ),
    "sleeps": Kind(ALL, RAN, start="import time\ntime.sleep(10**6)"),
    "catastrophic pattern": Kind(ALL, RAN, start="import re\nre.match('(a+)+$', 'a' * 60 + 'b')"),
    "one step without end": Kind(
        0, STOPPED, start="import hashlib\nhashlib.pbkdf2_hmac('sha256', b'a', b'b', 2 ** 31 - 1)"
    ),
    # ---- memory, processes, disk, output ----
    "memory": Kind(ALL, start="much = bytearray(10 ** 11)"),
    "memory of many": Kind(
        0,
        STOPPED,
        start="import os, time\nfor _ in range(20):\n if os.fork() == 0:\n"
        "  much = b'x' * 10 ** 8\n  time.sleep(100)\ntime.sleep(100)",
    ),
    "memory that many share": Kind(0, STOPPED, start=TOGETHER),
    "memory of nobody": Kind(ALL, start=UNCOUNTED, prints="made []"),
    "fork bomb": Kind(
        ALL, start="import os\nwhile True:\n  if os.fork() == 0:\n    import time; time.sleep(100)"
    ),
    "thread bomb": Kind(
        ALL,
        start="import threading, time\nwhile True:\n"
        "  threading.Thread(target=time.sleep, args=(100,), daemon=True).start()",
    ),
    "disk": Kind(ALL, start="open('/tmp/large', 'wb').write(bytes(10 ** 9))"),
    "disk, in many files": Kind(
        ALL, start="for n in range(10 ** 6):\n  open(f'/tmp/{n}', 'w').close()"
    ),
    "shared memory": Kind(
        ALL, start="for n in range(99):\n  open(f'/dev/shm/{n}', 'wb').write(bytes(10 ** 7))"
    ),
    "much output": Kind(0, STOPPED, start="print('x' * 200_000_000)"),
    "much output in pieces": Kind(0, STOPPED, start="while True: print('x' * 1000)"),
    "much output of a program": Kind(0, STOPPED, start="import os\nos.system('yes')"),
    "much to display": Kind(
        0, STOPPED, start="from IPython.display import HTML\nHTML('x' * 50_000_000)"
    ),
    "open files": Kind(ALL, start="files = [open('/dev/null') for _ in range(10 ** 5)]"),
    # ---- the end of a kernel ----
    "exits": Kind(
        ALL - 4, answers=RIGHT | {"addresses-needed": "exits", "smallest-subnet": "exits"}
    ),
    "ends at once": Kind(0, STOPPED, start="import os\nos._exit(0)"),
    "ends after the last test": Kind(ALL, STOPPED, end="import os\nos._exit(0)"),
    "kills its parent": Kind(
        ALL, start="import os, signal\ntry:\n  os.kill(os.getppid() or 1, 9)\nexcept OSError: pass"
    ),
    "crashes": Kind(0, STOPPED, start="import ctypes\nctypes.string_at(0)"),
    "closes all files": Kind(0, STOPPED, start="import os\nos.closerange(0, 200)"),
    "interrupts itself": Kind(ALL, start="raise KeyboardInterrupt"),
    "leaves a process": Kind(
        ALL, start="import subprocess\nsubprocess.Popen(['sleep', '98765'], start_new_session=True)"
    ),
    "leaves a thread": Kind(
        ALL,
        start="import threading\ndef run():\n  while True: print('late')\n"
        "import time\nlate = lambda: (time.sleep(.01), print('late'))\n"
        "threading.Thread(target=late, daemon=True).start()",
    ),
    # ---- files ----
    "link to a file": Kind(
        ALL,
        "notes.txt is a symbolic link: it was left out",
        folder=link("notes.txt", "/etc/passwd"),
    ),
    "link to a folder": Kind(
        ALL, "all is a symbolic link: it was left out", folder=link("all", "../../..")
    ),
    "link to an endless file": Kind(
        ALL, "zeros is a symbolic link: it was left out", folder=link("zeros", "/dev/zero")
    ),
    "notebook is a link": Kind(
        None,
        "there is no 05-azure-cni.ipynb",
        folder=link(FILE, f"../../../solutions/{EXERCISE}/{FILE}"),
    ),
    "pipe": Kind(
        ALL,
        "pipe is no plain file: it was left out",
        folder=lambda folder: os.mkfifo(folder / "pipe"),
    ),
    "unreadable": Kind(
        None, "cannot be read: Permission denied", folder=unreadable, only_user=True
    ),
    "empty file": Kind(None, "is empty", folder=content(b"\n")),
    "not JSON": Kind(None, "is not JSON", folder=content(b"{'cells': []}")),
    "not UTF-8": Kind(None, "is not JSON", folder=content(b"\xff\xfe\xfa")),
    "nested without end": Kind(None, "is not JSON", folder=content(b"[" * 10**5)),
    "wrong schema": Kind(
        None,
        "is not a notebook",
        folder=content(b'{"cells": 3, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'),
    ),
    "of the future": Kind(
        None,
        "is not a notebook",
        folder=content(b'{"cells": [], "metadata": {}, "nbformat": 99, "nbformat_minor": 0}'),
    ),
    "a list": Kind(None, "is not a notebook", folder=content(b"[1, 2]")),
    "renamed": Kind(None, "there is my homework (final).ipynb", folder=renamed),
    "large notebook": Kind(None, "is larger than 4 MB", folder=content(b" " * 10**7)),
    "large file": Kind(None, "it is larger than 16 MB", folder=large_file),
    "many files": Kind(None, "more than 1000 files", folder=many_files),
    "many cells": Kind(None, "more than 1000 cells", notebook=many_cells),
    "strange time": Kind(
        ALL,
        "names no time",
        folder=lambda folder: (folder / "timestamp.txt").write_text("noon") and None,
    ),
    # ---- cells ----
    "duplicated test": Kind(ALL, "more than once", notebook=twice("cure-tests")),
    "duplicated answer": Kind(ALL, "more than once", notebook=twice("cure")),
    "deleted test": Kind(ALL, "cure-tests is missing", notebook=without("cure-tests")),
    "deleted test, wrong answer": Kind(
        ALL - 1,
        "cure-tests is missing",
        notebook=without("cure-tests"),
        answers=RIGHT | {"cure": "delete pods"},
    ),
    "deleted answer and test": Kind(
        ALL - 1, "cure-tests is missing", notebook=without("cure", "cure-tests")
    ),
    "deleted explanation": Kind(ALL, "explanation is missing", notebook=without("explanation")),
    "forged test": Kind(ALL, "claims to be graded", notebook=forged),
    "ungraded tests": Kind(ALL, MARKS, notebook=change(grade=False, locked=False)),
    "tests as answers": Kind(0, MARKS, notebook=change(solution=True), answers=WRONG),
    "changed points": Kind(ALL, MARKS, notebook=change(points=1000)),
    "no points": Kind(ALL, MARKS, notebook=change(points="many")),
    "old marks": Kind(ALL, MARKS, notebook=change(schema_version=1)),
    "marks of the future": Kind(ALL, MARKS, notebook=change(schema_version=99)),
    "strange marks": Kind(ALL, notebook=strange_marks),
    "answers without marks": Kind(ALL, notebook=no_marks),
    "test as text": Kind(ALL, MARKS, notebook=as_markdown),
    "emptied tests": Kind(
        0, "the text of cell cure-tests was changed", notebook=emptied, answers=WRONG
    ),
    "tests that are skipped": Kind(0, notebook=tag("skip-execution"), answers=WRONG),
    "tests that may fail": Kind(0, notebook=tag("raises-exception"), answers=WRONG),
    "outputs handed in": Kind(0, notebook=forged_outputs, answers=WRONG),
    "one id for all": Kind(ALL, notebook=same_ids),
    "no ids": Kind(ALL, notebook=no_ids),
    "unknown kernel": Kind(ALL, notebook=unknown_kernel),
    # ---- cheating ----
    "warns": Kind(
        ALL - 1,
        "wrote to stderr",
        sources={
            "surge-nodes": "import warnings\ndef surge_nodes(nodes, percent):\n"
            "    warnings.warn('careful')\n    return -(-nodes * percent // 100)"
        },
    ),
    "equal to everything": Kind(0, answers=everywhere("equal to everything")),
    "drops asserts": Kind(0, PUT_BACK, start=NO_ASSERTS, answers=WRONG),
    "drops tests": Kind(
        0,
        PUT_BACK,
        answers=WRONG,
        start="get_ipython().input_transformers_post.append(lambda lines: ['pass\\n'])",
    ),
    "patched kernel": Kind(0, PUT_BACK, start=PATCHED_KERNEL, answers=WRONG),
    "patched shell": Kind(
        0,
        PUT_BACK,
        answers=WRONG,
        start="get_ipython().run_cell = lambda *a, **k: type('R', (), {'success': True})()",
    ),
    "patched builtins": Kind(
        0,
        PUT_BACK,
        answers=everywhere("a float", cure="several"),
        start="import builtins\nbuiltins.range = lambda *given: []\nbuiltins.ascii = repr",
    ),
    "patched random": Kind(
        0,
        PUT_BACK,
        answers=WRONG,
        start="import random\nrandom.Random = lambda: None\nrandom.Random.choice = None",
    ),
    "replaces transformers": Kind(
        0, PUT_BACK, start=SLY + "shell.ast_transformers = [sly]", answers=WRONG
    ),
    "replaces a module": Kind(
        0,
        PUT_BACK,
        answers=everywhere("a float", cure="several"),
        start="import sys, types\nsys.modules['random'] = types.ModuleType('random')",
    ),
    "patches a part of the shell": Kind(
        0,
        PUT_BACK,
        answers=WRONG,
        start=SLY + "real = shell.compile.ast_parse\n"
        "shell.compile.ast_parse = lambda *given, **more: sly.visit(real(*given, **more))",
    ),
    "patches what undoes patches": Kind(
        0,
        PUT_BACK,
        answers=WRONG,
        start=SLY + "shell.ast_transformers.append(sly)\n"
        "from course.grading.pristine import Pristine\n"
        "Pristine.put_back = lambda *given: []",
    ),
    "changes code": Kind(0, PUT_BACK, start=SLY + SLY_CODE, answers=WRONG),
    "hides a builtin": Kind(0, PUT_BACK, start=SLY_EXEC, answers=WRONG),
    "a class of its own in between": Kind(
        0,
        PUT_BACK,
        answers=WRONG,
        start="async def run_code(self, *given, **more): return False\n"
        "type(get_ipython()).run_code = run_code",
    ),
    "own names for builtins": Kind(
        0,
        answers=WRONG,
        start=ANY + "type = lambda value: int",
        sources={
            "surge-nodes": "def surge_nodes(*given):\n    return Any(5)",
            "smallest-subnet": "def smallest_subnet(*given):\n    return Any(5)",
        },
    ),
    "own builtins": Kind(
        0,
        answers=WRONG,
        start=ANY + "import builtins\nspace = dict(vars(builtins), type=lambda value: int)\n"
        "get_ipython().user_ns['__builtins__'] = space",
        sources={"surge-nodes": "def surge_nodes(*given):\n    return Any(5)"},
    ),
    "shows full marks": Kind(
        0,
        answers=WRONG,
        sources={
            "surge-nodes": "import sys\ndef surge_nodes(*given):\n    sys.displayhook(1)\n"
            "    return 0"
        },
    ),
    "half a letter": Kind(ALL, start="print('\\ud800')\nraise ValueError('\\udfff')"),
    "hides errors": Kind(
        0, PUT_BACK, start="get_ipython().showtraceback = lambda *a, **k: None", answers=WRONG
    ),
    "handles errors": Kind(
        0,
        PUT_BACK,
        answers=WRONG,
        start="get_ipython().set_custom_exc((AssertionError,), lambda *a, **k: None)",
    ),
    "traces": Kind(
        0,
        answers=everywhere("garbage", cure="several"),
        start="import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)",
    ),
    "sees all code": Kind(ALL, start="import sys\nsys.addaudithook(lambda *a: print(a))"),
    "forges replies": Kind(
        0,
        STOPPED,
        answers=WRONG,
        start="import json, os, struct\n"
        "told = json.dumps({'cell': 'x', 'type': 'reply', 'content': 3, 'metadata': {}}).encode()\n"
        "os.write(3, struct.pack('!I', len(told)) + told)",
    ),
    "forges replies to the cell that runs": Kind(0, "it forged", start=FORGES, answers=WRONG),
    "sends noise": Kind(0, STOPPED, start="import os\nos.write(3, b'\\xff' * 1000)"),
    "shows nonsense": Kind(
        0,
        "it sent what no kernel sends",
        answers=WRONG,
        start="from IPython.display import publish_display_data\n"
        "get_ipython().kernel.session.tell('display_data', {'data': 3, 'metadata': []})",
    ),
    # ---- secrets and other submissions ----
    "looks for solutions": Kind(ALL, start=SECRETS, prints="seen 0"),
    "leaves marks": Kind(ALL, start=MARK, prints="found []"),
    "leaves marks too": Kind(ALL, start=MARK, prints="found []"),
    "leaves marks as well": Kind(ALL, start=MARK, prints="found []"),
    "calls out": Kind(ALL, start=OUTSIDE, prints="reached []"),
    "looks for others": Kind(ALL, start=OTHERS, prints="others [] False"),
    "wants more rights": Kind(ALL, start=RIGHTS, prints="done []"),
    "shows hidden tests": Kind(
        ALL,
        sources={"addresses-needed": SAVED},
        end="print('\\n'.join(kept))\nprint(In)",
    ),
    "writes programs": Kind(ALL, start=PICTURE, notebook=writes_programs),
    "shows a program": Kind(
        ALL, end="from IPython.display import HTML\nHTML('<script>fetch(\"/api\")</script>')"
    ),
}
assert all(name in ANSWERS for name in RIGHT)
