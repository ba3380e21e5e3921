"""Runs inside fresh namespaces: sends real packets over bridges, and prints what became of them.

Three pods, each on a bridge of its own, call themselves through a Service. Their bridges differ:
hairpin on; off; off, but promiscuous. A fourth pod shares the first bridge and calls its neighbour.
All of it happens with bridge-nf-call-iptables on and off, or once where br_netfilter is missing.
"""

from __future__ import annotations

import ctypes
import json
import select
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from course.lab.probe.trials import settle, wrong
from course.machine import run

HAIRPIN, NEITHER, PROMISCUOUS = MODES = ("hairpin", "neither", "promiscuous")
SECONDS = 0.3  # that a call may take; one that arrives needs less than a hundredth of it
NEIGHBOUR = "pod3"
LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Build, measure under each setting, print. The setting's file is named on the command line."""
    setting = Path(sys.argv[1])
    settle()
    lay_bridges()
    serving = [serve(f"pod{at}") for at in range(len(MODES))]
    values = ("1", "0") if setting.exists() else ("",)
    print(json.dumps([measure(setting, value) for value in values]))
    for each in serving:
        each.close()


def lay_bridges() -> None:
    """The bridges, their pods and the rules of the Services. Raises OSError if that fails."""
    for key in ("ip_forward", "conf/all/rp_filter", "conf/default/rp_filter"):
        Path("/proc/sys/net/ipv4", key).write_text("1" if key == "ip_forward" else "0")
    node = ["link set lo up"]
    for at, mode in enumerate(MODES):
        node += bridge(at, "promisc on" if mode == PROMISCUOUS else "")
        node += pod(at, f"pod{at}", 2, "on" if mode == HAIRPIN else "off")
    node += pod(0, NEIGHBOUR, 3, "off")
    _do("ip", "-batch", "-", said="\n".join(node))
    for at, name, last in (*((at, f"pod{at}", 2) for at in range(len(MODES))), (0, NEIGHBOUR, 3)):
        _do("ip", "-n", name, "-batch", "-", said=inside_pod(at, last))
    _do("iptables-restore", said=services())


def bridge(at: int, how: str) -> list[str]:
    """A bridge with the gateway of its pods."""
    return [
        f"link add cbr{at} type bridge",
        f"addr add 10.244.{at}.1/24 dev cbr{at}",
        f"link set cbr{at} up {how}",
    ]


def pod(at: int, name: str, last: int, hairpin: str) -> list[str]:
    """A pod on a bridge, seen from the node."""
    port = f"veth{at}.{last}"
    return [
        f"netns add {name}",
        f"link add {port} type veth peer name eth0 netns {name}",
        f"link set {port} master cbr{at} up",
        f"link set {port} type bridge_slave hairpin {hairpin}",
    ]


def inside_pod(at: int, last: int) -> str:
    """What is set up in a pod."""
    return (
        f"link set lo up\nlink set eth0 up\naddr add 10.244.{at}.{last}/24 dev eth0\n"
        f"route add default via 10.244.{at}.1"
    )


def services() -> str:
    """A Service for each pod, masqueraded where the pod calls itself, and a rule that counts."""
    nat = ["*nat"]
    for at in range(len(MODES)):
        to = f"10.244.{at}.2"
        nat.append(f"-A PREROUTING -d 10.0.0.{at} -p tcp --dport 80 -j DNAT --to {to}:8080")
        nat.append(f"-A POSTROUTING -s {to} -d {to} -j MASQUERADE")
    counting = "-A POSTROUTING -s 10.244.0.3 -d 10.244.0.2 -j ACCEPT"
    return "\n".join([*nat, "COMMIT", "*mangle", counting, "COMMIT", ""])


def measure(setting: Path, value: str) -> dict[str, object]:
    """What arrives, and whether POSTROUTING meets what crosses a bridge, under a setting."""
    if value:
        setting.write_text(value)
    _do("iptables", "-t", "mangle", "-Z")
    calls = [call(f"pod{at}", f"10.0.0.{at}", 80) for at in range(len(MODES))]
    arrived = wait([*calls, call(NEIGHBOUR, "10.244.0.2", 8080)])
    counters = run("iptables-save", "-c", "-t", "mangle").output
    return {
        "setting": int(value) if value else None,
        "arrives": dict(zip(MODES, arrived, strict=False)),
        "postrouting": any(
            line.startswith("[") and not line.startswith("[0:") for line in counters.splitlines()
        ),
    }


def serve(name: str) -> socket.socket:
    """A server on port 8080 of a pod."""
    with inside(name):
        return socket.create_server(("", 8080))


def call(name: str, address: str, port: int) -> socket.socket:
    """A connection that a pod has begun."""
    with inside(name):
        calling = socket.socket()
        calling.setblocking(False)
        calling.connect_ex((address, port))
        return calling


def wait(calls: Sequence[socket.socket]) -> list[bool]:
    """Which connections came about within the time; they are closed."""
    ends, pending = time.monotonic() + SECONDS, set(calls)
    while pending and (left := ends - time.monotonic()) > 0:
        pending -= set(select.select([], pending, [], left)[1])
    arrived = [
        each not in pending and not each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        for each in calls
    ]
    for each in calls:
        each.close()
    return arrived


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Be in the network namespace of a pod for a while. Raises OSError where that is refused."""
    with open("/proc/self/ns/net", "rb") as node, open(f"/run/netns/{name}", "rb") as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(node.fileno())


def _enter(namespace: int) -> None:
    if LIBC.setns(namespace, 0):
        raise OSError(ctypes.get_errno(), "setns")


def _do(*command: str, said: str = "") -> None:
    if trouble := wrong(*command, said=said):
        raise OSError(trouble)
