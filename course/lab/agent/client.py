"""Who sends a flow: one socket, its first packet, and the answer or what came instead."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Container
from typing import Any

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM, "icmp": socket.SOCK_RAW}


FREEBIND = 15  # IP_FREEBIND of linux/in.h: an address that is not yet chosen, or not of this host


class Client:
    """One flow as its sender lives it. Its source port is the first that is free and not `used`;
    with a `source`, address and port are exactly those."""

    def __init__(
        self, protocol: str, source_port: int, used: Container[int], source: str = "", ttl: int = 64
    ) -> None:
        number = socket.IPPROTO_ICMP if protocol == "icmp" else 0
        self.protocol = protocol
        self.socket = socket.socket(socket.AF_INET, KINDS[protocol], number)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_IP, socket.IP_TTL, ttl)
        if source:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.setsockopt(socket.SOL_IP, FREEBIND, 1)
        ports = (
            port
            for port in range(source_port, 65536)
            if (source or port not in used) and self.bound(source, port)
        )
        self.port = next(ports, 0)
        if not self.port:
            raise OSError(errno.EADDRINUSE, f"no source port from {source_port} on is free")
        self.token = b""
        self.asked = False  # over TCP: connected, and GET was sent
        self.answered = self.ended = False
        self.text = self.error = ""

    def bound(self, source: str, port: int) -> bool:
        """Take a source port, unless somebody has it."""
        try:
            self.socket.bind((source, 0 if self.protocol == "icmp" else port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True

    def send(self, destination: str, port: int, token: bytes) -> None:
        """Send the first packet."""
        self.token, self.destination = token, destination
        try:
            if self.protocol == "icmp":
                self.socket.sendto(echo_request(self.port, token), (destination, 0))
                return
            self.socket.connect((destination, port))
            if self.protocol == "udp":
                self.socket.send(token)
        except BlockingIOError:
            pass
        except OSError as error:
            self.fail(error)

    def fail(self, error: OSError) -> None:
        """The kernel says that it is over."""
        self.error, self.ended = errno.errorcode.get(error.errno or 0, str(error)), True

    def look(self) -> None:
        """Has something come?"""
        try:
            if self.protocol == "tcp" and not self.asked:
                self.connected()
            elif data := self.socket.recv(2048):
                self.got(data)
        except BlockingIOError:
            pass
        except OSError as error:
            self.fail(error)

    def connected(self) -> None:
        """Once connected, ask who is there."""
        if code := self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, os.strerror(code))
        with contextlib.suppress(OSError):
            self.socket.getpeername()  # fails until it is connected
            self.answered = self.asked = True
            self.socket.sendall(f"GET / HTTP/1.1\r\nHost: {self.destination}\r\n\r\n".encode())

    def got(self, data: bytes) -> None:
        """An answer, or over ICMP anything that came to this host."""
        if self.protocol == "tcp":
            self.text = data.decode(errors="replace").rpartition("\r\n")[2].strip()
        elif self.protocol == "icmp":
            source, kind = socket.inet_ntoa(data[12:16]), data[20]
            if self.token not in data or kind == 8:
                return
            if kind == 0 and source != self.destination:
                return
            if kind:
                self.error, self.ended = "ICMP", True
                return
        self.answered = self.ended = True

    def told(self) -> dict[str, Any]:
        """What became of it."""
        if not self.answered:
            self.socket.close()  # or it would try again
        return {
            "source_port": self.port, "answered": self.answered, "text": self.text,
            "error": self.error,
        }  # fmt: skip


def echo_request(identifier: int, token: bytes) -> bytes:
    """An ICMP echo request that carries a token of even length (RFC 792)."""
    head = struct.pack("!BBHHH", 8, 0, 0, identifier, 1)
    total = sum(struct.unpack(f"!{(8 + len(token)) // 2}H", head + token))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBHHH", 8, 0, ~total & 0xFFFF, identifier, 1) + token
