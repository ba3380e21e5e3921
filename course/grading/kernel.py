"""Jupyter's own Python kernel without sockets and threads, so that a warm one can be forked.

What a cell shows is what ipykernel would publish: the same shell, the same messages.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import os
import sys
import time
from signal import SIG_IGN, SIGINT, default_int_handler, signal
from types import SimpleNamespace
from typing import Any

from ipykernel.inprocess.ipkernel import InProcessKernel
from ipykernel.inprocess.socket import DummySocket
from ipykernel.iostream import IOPubThread
from ipykernel.jsonutil import json_clean
from ipykernel.zmqshell import ZMQInteractiveShell
from jupyter_client.session import Session
from traitlets.config import Config

from course.grading import frames
from course.grading.pristine import NotPristineError, Pristine

# what a first cell, a first traceback and a first picture import; all of it before the fork
WARMING = (
    "import random, math, json, re, ipaddress, itertools, collections, statistics, inspect",
    "from IPython.display import display, HTML\ndisplay(HTML('<b>warm</b>'))\n1",
    "def f(x):\n    assert x, f'{x!r}'\nf(0)",
    "import warnings\nwarnings.warn('warm')",
)
EARLY = 0.2  # seconds after which output is sent although the cell goes on


class _Sending(Session):
    """A session whose messages go to the grader."""

    link: int | None = None
    cell: str = ""

    def send(self, stream: Any, msg_or_type: Any, *args: Any, **more: Any) -> Any:
        """Send what the kernel publishes; before the fork, to nobody."""
        message = msg_or_type
        if isinstance(message, str):
            content = args[0] if args else more.get("content")
            message = self.msg(message, content=content, metadata=more.get("metadata"))
        if self.link is not None:
            self.tell(message["header"]["msg_type"], message["content"], message["metadata"])
        return message

    def tell(self, kind: str, content: Any, metadata: Any = None) -> None:
        """One message about the cell that runs."""
        message = {"cell": self.cell, "type": kind, "content": content, "metadata": metadata or {}}
        assert self.link is not None
        frames.write(self.link, json.dumps(json_clean(message)).encode())


class _Stream(io.TextIOBase):
    """Standard output or error of a cell, sent in a few large pieces."""

    def __init__(self, session: _Sending, name: str) -> None:
        self._session, self.name = session, name
        self._parts: list[str] = []
        self._size, self._sent = 0, time.monotonic()

    encoding = "UTF-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1 if self.name == "stdout" else 2

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        self._parts.append(text)
        self._size += len(text)
        if self._size > 8192 or time.monotonic() - self._sent > EARLY:
            self.flush()
        return len(text)

    def flush(self) -> None:
        text, self._parts, self._size = "".join(self._parts), [], 0
        self._sent = time.monotonic()
        if text and self._session.link is not None:
            self._session.tell("stream", {"name": self.name, "text": text})


class WarmKernel:
    """A kernel that has run a few cells of its own, which nothing remembers."""

    def __init__(self) -> None:
        settings = Config()
        settings.HistoryManager.enabled = False  # it would start a thread
        settings.Completer.use_jedi = False
        self._session = _Sending(key=b"")
        nowhere = DummySocket()
        self._kernel: Any = InProcessKernel(
            config=settings,
            shell_class=ZMQInteractiveShell,
            session=self._session,
            user_ns=None,
            iopub_thread=IOPubThread(nowhere),  # never started: nothing goes through it
        )
        self._shell: Any = self._kernel.shell
        # ipykernel asks which thread runs a cell that awaits; here it never is the one it means
        self._kernel.shell_channel_thread = SimpleNamespace(parent_thread=None)
        self._new_loop()
        self._stdout, self._stderr = (_Stream(self._session, name) for name in ("stdout", "stderr"))
        self._pristine: Pristine | None = None

    def _new_loop(self) -> None:
        """An event loop, of which a fork needs its own."""
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)

    def warm_up(self, modules: list[str]) -> None:
        """Import modules, run a few cells, forget them, and remember how everything stands."""
        for name in modules:
            importlib.import_module(name)
        sys.stdout, sys.stderr = self._stdout, self._stderr
        for cell in WARMING:
            self._run(cell)
        self._stdout.flush()
        self._stderr.flush()
        self._shell.reset(new_session=False)
        self._shell.execution_count = 1
        self._shell.history_manager.reset(new_session=False)
        self._pristine = Pristine(self._shell, self._kernel)
        self._loop.close()

    def serve(self, link: int) -> None:
        """Run what the grader sends, cell by cell, until it closes the link."""
        session, pristine = self._session, self._pristine
        assert pristine is not None
        session.link = link
        os.register_at_fork(after_in_child=lambda: os.close(link))  # only the kernel talks
        self._new_loop()
        sys.argv, sys.path[0] = [""], ""  # modules are found beside the notebook
        session.tell("ready", {})
        while True:
            try:
                order = json.loads(frames.read(link))
            except frames.ClosedError:
                return
            session.cell = order["cell"]
            try:
                if order["graded"]:
                    changed = pristine.put_back(order["nonce"])
                    with pristine.names():
                        reply = self._run(order["source"], graded=True) | {"changed": changed}
                else:
                    reply = self._run(order["source"])
            except NotPristineError as error:
                reply = {"status": "error", "ename": "NotPristineError", "evalue": str(error)}
                reply |= {"traceback": [], "changed": ["assert"]}
            sys.stdout, sys.stderr = self._stdout, self._stderr
            self._stdout.flush()
            self._stderr.flush()
            session.tell("reply", reply | {"nonce": order["nonce"]})

    def _run(self, source: str, graded: bool = False) -> dict[str, Any]:
        # tests that fail, fail by the hundred: Python's own traceback costs a tenth of IPython's
        self._shell.InteractiveTB.set_mode("Plain" if graded else "Context")
        parent = {"header": {"msg_id": self._session.cell, "msg_type": "execute_request"}}
        self._kernel.set_parent([], parent)
        self._shell.set_parent(parent)
        running = self._kernel.do_execute(source, silent=False, store_history=True)
        try:
            try:
                # as in Jupyter's own kernel, whatever an earlier cell or who began the grader set
                signal(SIGINT, default_int_handler)
                reply = self._loop.run_until_complete(running)
            finally:
                signal(SIGINT, SIG_IGN)  # one that comes late hits no other cell
        except (Exception, KeyboardInterrupt) as error:  # of the kernel itself, not of the cell
            signal(SIGINT, SIG_IGN)  # one that came at the very end has kept it from being said
            name = type(error).__name__
            reply = {"status": "error", "ename": name, "evalue": str(error), "traceback": [name]}
        kept = ("status", "ename", "evalue", "traceback", "execution_count")
        return {name: reply[name] for name in kept if name in reply}
