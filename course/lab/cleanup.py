"""What kube-proxy does after each sync, done for real: nodes forget what leads nowhere.

>>> line = (
...     "udp 17 29 src=10.244.0.9 dst=10.0.0.10 sport=4711 dport=53 [UNREPLIED] "
...     "src=10.244.0.5 dst=10.244.0.9 sport=53 dport=4711 mark=0 use=1"
... )
>>> print(read(line))
udp 10.244.0.9:4711 -> 10.0.0.10:53, reply 10.244.0.5:53 -> 10.244.0.9:4711
"""

from __future__ import annotations

import re

from course.kubeproxy.cleanup import is_stale, serving
from course.lab.built import Built
from course.lab.namespaces import Command
from course.linux.conntrack import Connection, Tuple

TUPLE = re.compile(r"src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)")


def clean_up(built: Built) -> None:
    """Delete the stale entries of UDP on each node; where conntrack is not to be had, none is."""
    for cluster in built.world.topology.clusters:
        known = serving(cluster.services, cluster.endpoint_slices)
        nodes = [node.name for node in cluster.nodes] if known else []
        listed = built.namespaces.run(
            *(Command(("conntrack", "-L", "-p", "udp"), node) for node in nodes)
        )
        stale = [
            Command(("conntrack", "-D", "-p", "udp", *_named(entry.original)), node)
            for node, output in zip(nodes, listed, strict=True)
            for entry in map(read, output.out.splitlines())
            if is_stale(entry, known)
        ]
        built.namespaces.run(*stale)


def read(line: str) -> Connection:
    """An entry of UDP as `conntrack -L` prints it."""
    original, reply = (
        Tuple("udp", source, int(port), destination, int(to))
        for source, destination, port, to in TUPLE.findall(line)
    )
    return Connection(original, reply)


def _named(asked: Tuple) -> tuple[str, ...]:
    return (
        "-s", asked.source, "-d", asked.destination,
        "--sport", str(asked.source_port), "--dport", str(asked.destination_port),
    )  # fmt: skip
