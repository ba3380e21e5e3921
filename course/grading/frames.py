"""Messages over a socket between a grader and its sandboxed kernels: a length, then the bytes."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

_LENGTH = struct.Struct("!I")


class ClosedError(Exception):
    """The other side is gone."""


def read(descriptor: int) -> bytes:
    """The next message; waits for it. Raises ClosedError."""
    (length,) = _LENGTH.unpack(_exactly(descriptor, _LENGTH.size))
    return _exactly(descriptor, length)


def write(descriptor: int, message: bytes) -> None:
    """Send a message; waits until it is gone. Raises ClosedError.

    >>> ours, theirs = os.pipe()
    >>> write(theirs, b"a cell")
    >>> read(ours)
    b'a cell'
    """
    rest = memoryview(framed(message))
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError as error:
        raise ClosedError(str(error)) from None


def framed(message: bytes) -> bytes:
    """A message as it goes over the socket."""
    return _LENGTH.pack(len(message)) + message


def taken(buffer: bytearray) -> Iterator[bytes]:
    """The messages that are complete, taken from the front of what has come so far.

    >>> came = bytearray(framed(b"one") + framed(b"two")[:5])
    >>> list(taken(came)), len(came)
    ([b'one'], 5)
    """
    while len(buffer) >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(buffer)
        if len(buffer) < _LENGTH.size + length:
            return
        message = bytes(buffer[_LENGTH.size : _LENGTH.size + length])
        del buffer[: _LENGTH.size + length]
        yield message


def announced(buffer: bytearray) -> int:
    """How long the message says it is that is coming; 0 if it has not said yet."""
    return int(_LENGTH.unpack_from(buffer)[0]) if len(buffer) >= _LENGTH.size else 0


def _exactly(descriptor: int, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        try:
            part = os.read(descriptor, length - len(parts))
        except OSError as error:
            raise ClosedError(str(error)) from None
        if not part:
            raise ClosedError("the end")
        parts += part
    return bytes(parts)
