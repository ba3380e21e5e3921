"""What the standard library has no function for: mounts and namespaces."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_MOUNTS, NEW_NETWORK = 0x00020000, 0x40000000  # of linux/sched.h
BIND, RECURSIVE, SHARED, DETACH = 4096, 16384, 1 << 20, 2  # of linux/mount.h
CHILD_SUBREAPER = 36  # of linux/prctl.h
OWN_FOLDERS = ("/etc/cni", "/var/lib/cni")  # of each host; whatever the machine has there is hidden


def prepare() -> None:
    """Folders of our own where tools write, without touching the machine's."""
    mount("tmpfs", "/run", "tmpfs")
    for folder in ("/run/machine", "/run/netns", "/run/hosts"):
        os.mkdir(folder)
    # shared: what `ip netns add` mounts there in one command, the next one sees
    mount("tmpfs", "/run/netns", "tmpfs")
    mount("tmpfs", "/run/netns", flags=SHARED)
    for folder in OWN_FOLDERS:
        make_room(Path(folder))


def make_host(name: str) -> None:
    """Make a host: a network namespace under its name, and its own folders."""
    file = f"/run/netns/{name}"
    Path(file).touch(exist_ok=False)
    with open("/proc/self/ns/net", "rb") as home:
        done(LIBC.unshare(NEW_NETWORK), name)
        try:
            mount("/proc/self/ns/net", file, flags=BIND)
        finally:
            done(LIBC.setns(home.fileno(), NEW_NETWORK), "home")
    for folder in OWN_FOLDERS:
        os.makedirs(f"/run/hosts/{name}{folder}")


def keep_orphans() -> None:
    """Become the parent of whatever this process leads to, once nobody else is."""
    done(LIBC.prctl(CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def unmake_host(name: str) -> None:
    """Take a host's name and folders away; the namespace goes with the last socket in it."""
    file = f"/run/netns/{name}"
    done(LIBC.umount2(os.fsencode(file), DETACH), file)
    os.unlink(file)
    shutil.rmtree(f"/run/hosts/{name}")


def mount(source: str, target: str, kind: str = "", flags: int = 0) -> None:
    """mount(2). Raises OSError."""
    words = (os.fsencode(source), os.fsencode(target), os.fsencode(kind))
    done(LIBC.mount(*words, ctypes.c_ulong(flags), None), target)


def done(result: int, what: str) -> None:
    """Raises OSError if a call of the C library has failed."""
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)


def make_room(folder: Path) -> None:
    """Make a folder where perhaps nobody may write, without touching the machine's files.

    Its parent becomes a folder of our own, in which every name leads to the machine's.
    """
    if folder.is_dir():
        return
    parent, kept = folder.parent, Path("/run/machine") / folder.parent.name
    kept.mkdir()
    mount(str(parent), str(kept), flags=BIND | RECURSIVE)
    mount("tmpfs", str(parent), "tmpfs")
    for each in kept.iterdir():
        (parent / each.name).symlink_to(each)
    folder.mkdir()


@contextlib.contextmanager
def inside(host: str) -> Iterator[None]:
    """Work in the network namespace of a host, and come back."""
    with open("/proc/self/ns/net", "rb") as home:
        join(host)
        try:
            yield
        finally:
            done(LIBC.setns(home.fileno(), NEW_NETWORK), "home")


def namespace(host: str) -> Path:
    """The name of a host's network namespace. Raises FileNotFoundError if somebody deleted it."""
    if not (file := Path(f"/run/netns/{host}")).exists():
        way_out = "Open the lab again: run the cell again that opens it."
        raise FileNotFoundError(f"{host}: its network namespace was deleted. {way_out}")
    return file


def join(host: str) -> None:
    """Go into the network namespace of a host."""
    with namespace(host).open("rb") as there:
        done(LIBC.setns(there.fileno(), NEW_NETWORK), host)


def move_in(host: str) -> None:
    """Go into a host with all that is its own: network, /sys, folders. For a new process."""
    if not host:
        return
    join(host)
    done(LIBC.unshare(NEW_MOUNTS), host)
    mount("sysfs", "/sys", "sysfs")
    for folder in OWN_FOLDERS:
        mount(f"/run/hosts/{host}{folder}", folder, flags=BIND)


def write(settings: Mapping[str, object]) -> None:
    """Write settings of the kernel, by path below /proc/sys; those that it has not are left out."""
    for path, value in settings.items():
        file = Path("/proc/sys") / path
        if file.exists():
            file.write_text(str(value))
