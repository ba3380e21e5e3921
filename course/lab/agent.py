"""Runs inside fresh namespaces as their first process, and does there what the lab asks for.

Started by course.lab.namespaces. It reads requests from standard input, a line of JSON each, and
answers likewise. When the input ends it ends too, and with it, as the kernel ends whatever belongs
to a first process, all namespaces, interfaces and programs in them. It needs nothing but the
standard library, and knows nothing of the course: what it captures, it hands on as it came.

One thread and one loop serve everything: requests, servers, captured packets, commands.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_MOUNTS, NEW_NETWORK = 0x00020000, 0x40000000  # of linux/sched.h
BIND, RECURSIVE = 4096, 16384  # of linux/mount.h
IPV4, EVERYTHING, OUTGOING = 0x0800, 3, 4  # of linux/if_ether.h and linux/if_packet.h
PKTINFO, TIMESTAMP = 8, 35  # IP_PKTINFO of linux/in.h, SO_TIMESTAMPNS
SECONDS_AND_NANOSECONDS, PACKET_INFO = struct.Struct("qq"), struct.Struct("I4s4s")
SNAP = 128  # bytes: headers, a quoted packet's headers, and the token after them
QUIET = 0.25  # seconds without a packet after which nobody waits any longer
LONGEST = 5.0  # seconds for one flow, however busy
OWN_FOLDERS = ("/etc/cni", "/var/lib/cni")  # of each host; whatever the machine has there is hidden


def main() -> None:
    """Prepare the namespaces, and serve until the input ends."""
    mount("tmpfs", "/run", "tmpfs")
    for folder in ("/run/machine", "/run/netns", "/run/hosts"):
        os.mkdir(folder)
    for folder in OWN_FOLDERS:
        make_room(Path(folder))
    Agent().serve()


# --- mounts and namespaces -----------------------------------------------------------------------


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


def join(host: str) -> None:
    """Go into the network namespace of a host."""
    with open(f"/run/netns/{host}", "rb") as there:
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


def write(settings: dict[str, Any]) -> None:
    """Write settings of the kernel, by path below /proc/sys; those that it has not are left out."""
    for path, value in settings.items():
        file = Path("/proc/sys") / path
        if file.exists():
            file.write_text(str(value))


# --- the agent -----------------------------------------------------------------------------------


class Agent:
    """Hosts, their servers, what was captured, and the one loop."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.requests: list[str] = []
        self.rest = b""
        self.wires: dict[str, socket.socket] = {}
        self.captured: list[tuple[int, str, str, bool, int, str]] | None = None
        self.served: list[tuple[str, str, tuple[str, int], tuple[str, int]]] = []
        self.held: list[socket.socket] = []  # open until the lab closes
        self.used: set[tuple[str, str, int]] = set()
        self.last = 0.0  # when a packet was seen
        self.ended: dict[int, int] = {}  # processes and how they ended
        woken, wake = socket.socketpair()
        for one in (woken, wake):
            one.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno())
        self.wake = wake
        self.when(woken, lambda: self.bury(woken))
        self.selector.register(0, selectors.EVENT_READ, self.listen_to_the_lab)

    def serve(self) -> None:
        """Answer one request after the other; the operations are the methods named do_."""
        while True:
            while not self.requests:
                self.turn()
            asked = json.loads(self.requests.pop(0))
            answer = {"id": asked.pop("id")}
            try:
                answer["ok"] = getattr(self, "do_" + asked.pop("do"))(**asked)
            except OSError as error:
                answer["error"] = str(error)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()

    def when(self, one: socket.socket, then: Callable[[], object]) -> None:
        """Do something whenever a socket has something to read."""
        self.selector.register(one, selectors.EVENT_READ, then)

    def turn(self, timeout: float | None = None) -> None:
        """Serve whatever is ready, and wait for it at most so many seconds."""
        for key, _ in self.selector.select(timeout):
            key.data()

    def listen_to_the_lab(self) -> None:
        """Take requests in; the end of the input is the end of everything."""
        read = os.read(0, 1 << 20)
        if not read:
            os._exit(0)
        *lines, self.rest = (self.rest + read).split(b"\n")
        self.requests += map(bytes.decode, lines)

    def bury(self, woken: socket.socket) -> None:
        """Take note of processes that have ended; those of others too, as the first process must."""
        with contextlib.suppress(BlockingIOError):
            woken.recv(4096)
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                self.ended[found[0]] = os.waitstatus_to_exitcode(found[1])

    # --- hosts ---

    def do_make(self, hosts: dict[str, dict[str, Any]]) -> None:
        """Make hosts: a network namespace each, with settings written before interfaces come."""
        for name, settings in hosts.items():
            file = f"/run/netns/{name}"
            Path(file).touch(exist_ok=False)
            with open("/proc/self/ns/net", "rb") as home:
                done(LIBC.unshare(NEW_NETWORK), name)
                try:
                    mount("/proc/self/ns/net", file, flags=BIND)
                    write(settings)
                    self.watch(name)
                finally:
                    done(LIBC.setns(home.fileno(), NEW_NETWORK), "home")
            for folder in OWN_FOLDERS:
                os.makedirs(f"/run/hosts/{name}{folder}")

    def do_set(self, hosts: dict[str, dict[str, Any]]) -> None:
        """Write settings of hosts."""
        for name, settings in hosts.items():
            with inside(name):
                write(settings)

    def do_get(self, host: str, paths: list[str]) -> list[int | None]:
        """Read settings of a host, by path below /proc/sys; None for those that it has not."""
        with inside(host):
            files = [Path("/proc/sys") / path for path in paths]
            return [int(file.read_text()) if file.exists() else None for file in files]

    def do_place(self, files: dict[str, str], host: str = "") -> None:
        """Write files that stand on a host, below OWN_FOLDERS; or programs for all, below /run."""
        for path, text in files.items():
            file = Path(f"/run/hosts/{host}{path}" if host else path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o644 if host else 0o755)

    def do_run(self, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Run commands side by side, and tell how each ended and what it said."""
        running = [Job(**job) for job in jobs]
        while not all([job.over(self.ended) for job in running]):
            self.turn(0.05)
        return [job.result() for job in running]

    # --- servers ---

    def do_serve(self, hosts: dict[str, list[tuple[str, str, int]]]) -> None:
        """Open sockets that answer; on each host (protocol, address, port)."""
        for name, wanted in hosts.items():
            with inside(name):
                for protocol, address, port in wanted:
                    self.open(name, protocol, address, port)

    def open(self, host: str, protocol: str, address: str, port: int) -> None:
        """Open one socket that answers."""
        server = socket.socket(socket.AF_INET, KINDS[protocol])
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.setsockopt(socket.SOL_IP, PKTINFO, 1)
        server.bind((address, port))
        server.setblocking(False)
        if protocol == "tcp":
            server.listen(256)
        then = self.accept if protocol == "tcp" else self.echo
        self.when(server, lambda: then(host, server))

    def accept(self, host: str, server: socket.socket) -> None:
        """A TCP client came."""
        with contextlib.suppress(OSError):
            client, peer = server.accept()
            self.served.append((host, "tcp", client.getsockname(), peer))
            client.setblocking(False)
            self.when(client, lambda: self.respond(host, client, peer))

    def respond(self, host: str, client: socket.socket, peer: tuple[str, int]) -> None:
        """Tell a client, in HTTP, who answers and whom it sees."""
        try:
            if client.recv(65536):
                body = f"{host} saw {peer[0]}:{peer[1]}\n"
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
                client.sendall((head + body).encode())
                return
        except OSError:
            pass
        self.selector.unregister(client)
        client.close()

    def echo(self, host: str, server: socket.socket) -> None:
        """Answer a datagram with what it said, turned round, from the address it was sent to."""
        with contextlib.suppress(OSError):
            data, extra, _, peer = server.recvmsg(2048, 64)
            ((_, _, info),) = (each for each in extra if each[1] == PKTINFO)
            _, _, asked = PACKET_INFO.unpack(info)
            port = server.getsockname()[1]
            self.served.append((host, "udp", (socket.inet_ntoa(asked), port), peer))
            source = PACKET_INFO.pack(0, asked, b"\0" * 4)
            server.sendmsg([data[::-1]], [(socket.SOL_IP, PKTINFO, source)], 0, peer)

    # --- packets ---

    def watch(self, host: str) -> None:
        """Capture what passes any interface of the namespace we are in."""
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(EVERYTHING))
        wire.setsockopt(socket.SOL_SOCKET, TIMESTAMP, 1)
        wire.setblocking(False)
        self.wires[host] = wire
        self.when(wire, lambda: self.capture(host, wire))

    def capture(self, host: str, wire: socket.socket) -> None:
        """Note what was seen: when, where, which way, for whom (pkttype), the packet."""
        with contextlib.suppress(OSError):
            while True:
                data, extra, _, came = wire.recvmsg(SNAP, 64)
                if came[1] != IPV4 or self.captured is None:
                    continue
                self.last = time.monotonic()
                seconds, nanoseconds = SECONDS_AND_NANOSECONDS.unpack(extra[0][2])
                at = seconds * 1_000_000_000 + nanoseconds
                self.captured.append(
                    (at, host, came[0], came[2] == OUTGOING, came[2], data.hex())
                )  # fmt: skip

    def do_send(
        self, host: str, protocol: str, destination: str, port: int, source_port: int, token: str
    ) -> dict[str, Any]:
        """Send a flow's first packet and wait for its answer; tell all that was seen meanwhile."""
        self.captured, self.served = [], []
        self.last = time.monotonic()
        ends = self.last + LONGEST
        with inside(host):
            client = Client(self, host, protocol, source_port)
            client.send(destination, port, bytes.fromhex(token))
        while not client.ended and time.monotonic() < min(ends, self.last + QUIET):
            self.turn(0.01)
            client.look()
        self.turn(0)  # what was captured before the answer came
        seen, self.captured = self.captured, None
        return {"seen": seen, "served": self.served, **client.told()}


KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM, "icmp": socket.SOCK_RAW}


class Client:
    """One flow as its sender lives it."""

    def __init__(self, agent: Agent, host: str, protocol: str, source_port: int) -> None:
        number = socket.IPPROTO_ICMP if protocol == "icmp" else 0
        self.protocol = protocol
        self.socket = socket.socket(socket.AF_INET, KINDS[protocol], number)
        self.socket.setblocking(False)
        self.port = next(
            port
            for port in range(source_port, 65536)
            if (host, protocol, port) not in agent.used and self.bound(port)
        )
        agent.used.add((host, protocol, self.port))
        agent.held.append(self.socket)
        self.token = b""
        self.asked = False  # over TCP: connected, and GET was sent
        self.answered = self.ended = False
        self.text = self.error = ""

    def bound(self, port: int) -> bool:
        """Take a source port, unless somebody has it."""
        try:
            self.socket.bind(("", 0 if self.protocol == "icmp" else port))
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


class Job:
    """A command while it runs. `host` is where; without it, in none."""

    def __init__(
        self, command: list[str], host: str = "", given: str = "", timeout: float = 10,
        env: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.files = [tempfile.TemporaryFile(dir="/run") for _ in range(3)]  # noqa: SIM115
        self.files[0].write(given.encode())
        self.files[0].seek(0)
        self.deadline = time.monotonic() + timeout
        self.code: int | None = None
        self.late = False
        environment = {**os.environ, **(env or {})}
        program = shutil.which(command[0], path=environment["PATH"])
        if program is None:
            self.pid, self.code = 0, 127
            self.files[2].write(f"{command[0]}: command not found".encode())
            return
        self.process = subprocess.Popen(
            command, executable=program, env=environment, start_new_session=True,
            stdin=self.files[0], stdout=self.files[1], stderr=self.files[2],
            preexec_fn=lambda: move_in(host),
        )  # fmt: skip
        self.pid = self.process.pid

    def over(self, ended: dict[int, int]) -> bool:
        """Whether it has ended; when its time is up it is made to, with all that it started."""
        if self.code is None and self.pid in ended:
            self.code = self.process.returncode = ended.pop(self.pid)
        elif self.code is None and not self.late and time.monotonic() > self.deadline:
            self.late = True
            os.killpg(self.pid, signal.SIGKILL)
        return self.code is not None

    def result(self) -> dict[str, Any]:
        """How it ended, and what it said."""
        texts = []
        for file in self.files[1:]:
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        for file in self.files:
            file.close()
        return {"code": self.code, "out": texts[0], "err": texts[1], "late": self.late}


if __name__ == "__main__":
    main()
