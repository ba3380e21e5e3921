"""The agent: hosts, their servers, what was captured. One thread and one loop serve everything."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from course.lab.agent import identity
from course.lab.agent.client import KINDS, Client
from course.lab.agent.job import Job
from course.lab.agent.kernel import inside, make_host, prepare, unmake_host, write

IPV4, EVERYTHING, OUTGOING = 0x0800, 3, 4  # of linux/if_ether.h and linux/if_packet.h
PKTINFO, TIMESTAMP = 8, 35  # IP_PKTINFO of linux/in.h, SO_TIMESTAMPNS
SECONDS_AND_NANOSECONDS, PACKET_INFO = struct.Struct("qq"), struct.Struct("I4s4s")
COUNT = Path("/proc/sys/net/netfilter/nf_conntrack_count")
SNAP = 128  # bytes: headers, a quoted packet's headers, and the token after them
QUIET = 15  # turns of 0.01 s without a packet, after which nobody waits any longer
LONGEST, LEAST = 0.8, 3  # before TCP sends anything again, after a second: so few turns will do


def main() -> None:
    """Prepare the namespaces, and serve until the input ends."""
    prepare()
    identity.settle()
    Agent().serve()


class Agent:
    """Hosts, their servers, what was captured, and the one loop."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.requests: list[str] = []
        self.rest = b""
        self.wires: dict[str, socket.socket] = {}
        self.captured: list[tuple[int, str, str, bool, int, str]] | None = None
        self.served: list[tuple[str, str, tuple[str, int], tuple[str, int]]] = []
        self.servers: dict[tuple[str, str, str, int], socket.socket] = {}
        self.held: dict[str, set[socket.socket]] = {}  # connections, open while their host lives
        self.used: dict[tuple[str, str], set[int]] = {}  # source ports, by host and protocol
        self.spent: dict[str, set[int]] = {}  # those of hosts that are gone, by protocol
        self.quiet = 0  # turns since a packet was seen
        self.ended: dict[int, int] = {}  # processes and how they ended
        woken, wake = socket.socketpair()
        for one in (woken, wake):
            one.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, lambda *_: None)  # and not SIG_IGN: commands inherit that
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
            except Exception as error:  # whatever one request asks, the lab goes on
                answer["error"] = str(error) or type(error).__name__
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
            self.end()
        *lines, self.rest = (self.rest + read).split(b"\n")
        self.requests += map(bytes.decode, lines)

    def end(self) -> None:
        """End the first process, and so everything. To close a wire takes the kernel 15 ms, so all
        are closed at once."""
        closing = [threading.Thread(target=wire.close) for wire in self.wires.values()]
        for each in closing:
            each.start()
        for each in closing:
            each.join()
        os._exit(0)

    def bury(self, woken: socket.socket) -> None:
        """Take note of processes that have ended; the first process buries all who have nobody."""
        with contextlib.suppress(BlockingIOError):
            woken.recv(4096)
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                self.ended[found[0]] = os.waitstatus_to_exitcode(found[1])

    # --- hosts ---

    def do_make(self, hosts: dict[str, dict[str, Any]]) -> None:
        """Make hosts: a network namespace each, with settings written before interfaces come."""
        for name, settings in hosts.items():
            make_host(name)
            with inside(name):
                write(settings)
                self.watch(name)

    def do_unmake(self, hosts: list[str]) -> None:
        """Take hosts away, with all their sockets.

        Whoever gets the address of one later sends from other ports: connections of it are
        remembered elsewhere.
        """
        for name in hosts:
            self.do_serve({name: []})
            for one in self.held.pop(name, set()):
                self.close(one)
            wire = self.wires.pop(name)
            self.selector.unregister(wire)
            threading.Thread(target=wire.close).start()  # which takes the kernel 15 ms
            for host, protocol in [each for each in self.used if each[0] == name]:
                self.spent.setdefault(protocol, set()).update(self.used.pop((host, protocol)))
            unmake_host(name)

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

    def do_connections(self) -> dict[str, int]:
        """How many connections each host remembers, of those that are there and keep count."""
        found = {}
        for name in self.wires:
            with contextlib.suppress(OSError), inside(name):
                found[name] = int(COUNT.read_text())
        return found

    def do_place(self, files: dict[str, str], host: str = "") -> None:
        """Write files that stand on a host, below OWN_FOLDERS; or programs for all, below /run."""
        for path, text in files.items():
            file = Path(f"/run/hosts/{host}{path}" if host else path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            file.chmod(0o644 if host else 0o755)

    def do_run(self, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Run commands side by side, and tell how each ended and what it said.

        Whoever asks for something else meanwhile waits no more: they are stopped.
        """
        running = [Job(**job) for job in jobs]
        while sum(not job.over(self.ended) for job in running):
            self.turn(0.05)
            if self.requests:
                for job in running:
                    job.stop()
        return [job.result() for job in running]

    def do_stop(self) -> None:
        """Nothing but that: what runs is stopped because this is asked."""

    # --- servers ---

    def do_serve(self, hosts: dict[str, list[tuple[str, str, int]]]) -> None:
        """Have these sockets of hosts answer, (protocol, address, port) each, and no others.

        Connections that a server has accepted stay.
        """
        for name, listed in hosts.items():
            wanted = {(name, protocol, address, port) for protocol, address, port in listed}
            have = {each for each in self.servers if each[0] == name}
            for each in have - wanted:
                self.close(self.servers.pop(each))
            with inside(name):
                for each in wanted - have:
                    self.servers[each] = self.open(*each)

    def open(self, host: str, protocol: str, address: str, port: int) -> socket.socket:
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
        return server

    def close(self, one: socket.socket) -> None:
        """Close a socket at once, without a word to its other end."""
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(one)
        with contextlib.suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()

    def accept(self, host: str, server: socket.socket) -> None:
        """A TCP client came."""
        with contextlib.suppress(OSError):
            client, peer = server.accept()
            self.served.append((host, "tcp", client.getsockname(), peer))
            client.setblocking(False)
            self.held.setdefault(host, set()).add(client)
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
        self.held[host].discard(client)
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
                self.quiet = 0
                seconds, nanoseconds = SECONDS_AND_NANOSECONDS.unpack(extra[0][2])
                at = seconds * 1_000_000_000 + nanoseconds
                self.captured.append(
                    (at, host, came[0], came[2] == OUTGOING, came[2], data.hex())
                )  # fmt: skip

    def do_send(
        self, host: str, protocol: str, destination: str, port: int, source_port: int, token: str,
        **exactly: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Send a flow's first packet and wait for its answer; tell all that was seen meanwhile.

        `exactly` may be the source address and the TTL.
        """
        self.captured, self.served, self.quiet = [], [], 0
        ends = time.monotonic() + LONGEST
        used = self.used.setdefault((host, protocol), {*self.spent.get(protocol, ())})
        with inside(host):
            client = Client(protocol, source_port, used, **exactly)
            client.send(destination, port, bytes.fromhex(token))
        used.add(client.port)
        self.held.setdefault(host, set()).add(client.socket)
        while not client.ended and self.quiet < (QUIET if time.monotonic() < ends else LEAST):
            self.quiet += 1  # by turns and not by time: a busy machine may have let us wait
            self.turn(0.01)
            client.look()
        self.turn(0)  # what was captured before the answer came
        seen, self.captured = self.captured, None
        return {"seen": seen, "served": self.served, **client.told()}
