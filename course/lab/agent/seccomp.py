"""A filter of system calls that a process lays on itself: instructions of Linux's packet filter.

Sources: seccomp(2), bpf(4), linux/filter.h, linux/seccomp.h.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence

NO_NEW_PRIVS, SECCOMP, FILTER = 38, 22, 2  # of linux/prctl.h and linux/seccomp.h
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # of linux/bpf_common.h
CALL, MACHINE = 0, 4  # what LOAD finds where: the number of the call, whose numbers these are
ALLOW, ERROR = 0x7FFF0000, 0x00050000  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO, plus the error


def filtered(program: Sequence[tuple[int, int, int, int]]) -> None:
    """Let this process and its children call the system through a filter.

    An instruction is a code, how many to skip where it is true and where not, and a number.
    Raises OSError where the kernel takes none.
    """
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in program))
    head = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(SECCOMP, FILTER, head, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")
