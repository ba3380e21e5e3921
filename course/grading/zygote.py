"""Runs inside a sandbox: has everything imported, and forks a warm kernel for each submission.

Each child is as far from every other as two sandboxes are: user, mount, process, network and IPC
namespaces of its own, folders of its own, no rights, limits of its own; and it can make no further
namespaces. The zygote itself runs no student's code and never holds a submission: a child gets its
own over a socket that only the child has. This needs about 3 ms.

Over that socket go frames (course.grading.frames). The grader sends what to unpack and then cells;
the child answers with Jupyter's own messages and at last with the reply to each cell.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import io
import json
import os
import random
import resource
import signal
import socket
import sys
import tarfile
from typing import Any

from course.grading import frames
from course.grading.kernel import WarmKernel
from course.lab.agent.seccomp import (
    ALLOW,
    AT_LEAST,
    CALL,
    EQUAL,
    ERROR,
    LOAD,
    MACHINE,
    NO_NEW_PRIVS,
    RETURN,
    filtered,
)

LINK = 3  # the descriptor over which a kernel talks to the grader
HOME = "/home/student"

# of linux/sched.h, sys/mount.h and linux/prctl.h
NEW = {"user": 0x10000000, "mount": 0x20000, "pid": 0x20000000, "net": 0x40000000}
NEW |= {"ipc": 0x8000000, "uts": 0x4000000}
PRIVATE, BIND, NOSUID, NODEV, NOEXEC = 0x44000, 0x5000, 2, 4, 8
DROP_BOUNDING, PARENT_DEATH = 24, 1
CAPABILITY_VERSION = 0x20080522
# Calls that make memory which no process need have: nothing would count it. memfd_create, shmget,
# memfd_secret, by machine; of linux/audit.h and asm/unistd.h.
UNCOUNTED = {"x86_64": (0xC000003E, 319, 29, 447), "aarch64": (0xC00000B7, 279, 194, 447)}
OTHER_ABI = 0x40000000  # from here on x86 has the numbers of x32
REFUSE = ERROR + errno.EPERM

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Import, warm up, and fork a child whenever one is ordered, until nobody orders any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for children
    kernel = WarmKernel()
    kernel.warm_up(sys.argv[2:])
    gc.collect()
    gc.freeze()
    control = socket.socket(fileno=int(sys.argv[1]))
    control.send(b"ready")
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, 16, 3)
        if not order:
            return
        if os.fork() == 0:
            control.close()
            _become_two(kernel, *descriptors)
        for each in descriptors:
            os.close(each)


def _become_two(kernel: WarmKernel, talk: int, out: int, err: int) -> None:
    """Make the namespaces, fork the kernel into them as their first process, and wait for it."""
    channel = socket.socket(fileno=talk)
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _libc.prctl(PARENT_DEATH, signal.SIGKILL)
        _own_namespaces()
        child = os.fork()
        if child == 0:
            _libc.prctl(PARENT_DEATH, signal.SIGKILL)
            _be_the_kernel(kernel, channel, out, err)
        # the grader signals the kernel by this, and never by a number that may be reused
        socket.send_fds(channel, [b"k"], [os.pidfd_open(child)])
        channel.close()
        os.close(out)
        os.close(err)
        os.waitpid(child, 0)
    finally:
        os._exit(0)


def _be_the_kernel(kernel: WarmKernel, channel: socket.socket, out: int, err: int) -> None:
    try:
        _own_folders()
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        link = os.dup2(channel.detach(), LINK)
        os.closerange(LINK + 1, 4096)
        os.setsid()
        order = json.loads(frames.read(link))
        _unpack(frames.read(link))
        _limit(order["limits"])
        _no_rights()
        _forget_ourselves()
        random.seed()  # forked: all children would draw the same
        kernel.serve(link)
    except BaseException as error:
        os.write(2, f"The kernel could not start: {error!r}\n".encode())
    finally:
        os._exit(0)


# ---- what sets a child apart ----


def _must(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _own_namespaces() -> None:
    """Namespaces of our own, in which we have the same number as outside."""
    user, group = os.getuid(), os.getgid()
    _must(_libc.unshare(sum(NEW.values())))
    for file, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{file}", "w") as settings:
            settings.write(text)


def _own_folders() -> None:
    """Empty folders in memory where something may be written, and our own /proc."""
    _must(_libc.mount(b"none", b"/", None, PRIVATE, None))
    flags = NOSUID | NODEV
    for folder in ("/dev/shm", "/tmp", HOME):
        _empty(folder, flags)
    options = b"newinstance,ptmxmode=0666,mode=620"
    _must(_libc.mount(b"devpts", b"/dev/pts", b"devpts", NOSUID | NOEXEC, options))
    _must(_libc.mount(b"proc", b"/proc", b"proc", flags | NOEXEC, None))
    os.chdir(HOME)


def _empty(folder: str, flags: int) -> None:
    """An empty folder in memory; a Python that is installed in it, say in /tmp, is shown again."""
    installed = {sys.prefix, sys.base_prefix, *(each for each in sys.path if os.path.isdir(each))}
    shown = {each: os.open(each, os.O_PATH) for each in installed if each.startswith(f"{folder}/")}
    size = b"size=64m,nr_inodes=10000,mode=755"
    _must(_libc.mount(b"tmpfs", folder.encode(), b"tmpfs", flags, size))
    for each, descriptor in shown.items():
        os.makedirs(each, exist_ok=True)
        place = f"/proc/self/fd/{descriptor}".encode()
        _must(_libc.mount(place, each.encode(), None, BIND, None))


def _limit(limits: dict[str, Any]) -> None:
    for what, limit in (
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_FSIZE, limits["disk"]),
        (resource.RLIMIT_NOFILE, limits["files"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(what, (limit, limit))


def _no_rights() -> None:
    """No further namespaces, and none of the rights that one's own namespace gave."""
    for kind in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"):
        with open(f"/proc/sys/user/max_{kind}_namespaces", "w") as most:
            most.write("0")
    _must(_libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0))
    for capability in range(64):
        if _libc.prctl(DROP_BOUNDING, capability, 0, 0, 0) != 0:
            break
    _no_uncounted_memory()
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    _must(_libc.capset(header, (ctypes.c_uint32 * 6)()))


def _no_uncounted_memory() -> None:
    """A filter of system calls. On a machine whose numbers we do not know there is none."""
    if os.uname().machine not in UNCOUNTED:
        return
    machine, *calls = UNCOUNTED[os.uname().machine]
    words = [(LOAD, 0, 0, MACHINE), (EQUAL, 1, 0, machine), (RETURN, 0, 0, REFUSE)]
    words += [(LOAD, 0, 0, CALL), (AT_LEAST, len(calls) + 1, 0, OTHER_ABI)]
    words += [(EQUAL, len(calls) - each, 0, call) for each, call in enumerate(calls)]
    words += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    filtered(words)


def _forget_ourselves() -> None:
    """Who imports our modules gets fresh ones, and not those that serve him."""
    for name in [each for each in sys.modules if each.startswith("course.grading")]:
        del sys.modules[name]
    del sys.modules["course"].grading


def _unpack(files: bytes) -> None:
    """What was handed in beside the notebook, into the folder where the kernel runs."""
    if files:
        with tarfile.open(fileobj=io.BytesIO(files)) as archive:
            archive.extractall(HOME, filter="data")


if __name__ == "__main__":
    main()
