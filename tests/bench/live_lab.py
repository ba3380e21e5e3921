"""What the live lab costs: starting two nodes with four pods against a shell script that does the
same (aim: at most twice as long), a pod of fifty against a pod of four (aim: at most 1.5 times), an
observed ping beside a bare one, and its memory."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from statistics import median

from course.lab.build import addresses, links, ways
from course.lab.pods import without_pods
from course.lab.probe.readiness import readiness
from course.laboratory import Lab
from course.linux.ruleset import Ruleset
from course.scenarios import small_cluster
from course.topology import Pod, Topology
from course.trace import Flow
from course.world import build

AIM_START, AIM_POD, ROUNDS = 2.0, 1.5, 7
FEW, MANY = 4, 50
PING = Flow("web-1", "10.244.1.2", protocol="icmp")


def script(topology: Topology) -> str:
    """Namespaces, wires, routes, rules and plugin calls of a World, as somebody would type them."""
    world = build(topology)
    hosts = [without_pods(world, host) for host in world.hosts]
    batches = ("".join(f"netns add {host.name}\n" for host in hosts), "".join(map(links, hosts)))
    lines = ["set -e", "mount -t tmpfs tmpfs /run", "mkdir -p /run/netns /var/lib/cni"]
    lines.append("mount -t tmpfs tmpfs /var/lib/cni")
    lines += (f"ip -batch - <<'END'\n{text}END" for text in batches)
    for host in hosts:
        told = addresses(host) + ways(host)
        lines.append(f"ip netns exec {host.name} ip -batch - <<'END'\n{told}END")
        if host.netfilter != Ruleset():
            rules = host.netfilter.text()
            lines.append(f"ip netns exec {host.name} iptables-restore <<'END'\n{rules}END")
    for pod in topology.cluster.pods:
        call = world.calls[pod.name][0]  # the bridge; portmap has nothing to do
        shell = call.as_shell().replace("/opt/cni/bin", "/usr/lib/cni").replace("'", "'\\''")
        lines.append(f"ip netns exec {pod.node} sh -c '{shell}' >/dev/null")
    return "\n".join(lines)


def by_script(text: str) -> float:
    """Seconds that the script takes in fresh namespaces."""
    start = time.perf_counter()
    command = [*readiness().unshare, "sh", "-c", text]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def by_lab(topology: Topology) -> float:
    """Seconds until a lab stands."""
    start = time.perf_counter()
    with Lab(topology, live=True):
        return time.perf_counter() - start


def with_pods(count: int) -> Topology:
    """The small cluster of kubenet with so many pods, evenly on its nodes, behind no Service."""
    pods = tuple(Pod(f"pod-{n}", f"node{1 + n % 2}") for n in range(count))
    return small_cluster("kubenet").changed(pods=pods, max_pods=MANY)


def megabytes(pid: int) -> float:
    """The memory of a process and all that it started."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    own = re.search(r"VmRSS:\s+(\d+) kB", status)
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()
    return (int(own[1]) / 1024 if own else 0) + sum(megabytes(int(child)) for child in children)


def main() -> None:
    """Measure each two by turns, and print the ratios."""
    if not readiness().can_run:
        print("live lab: cannot run here, not measured")
        return
    small = small_cluster("kubenet")
    text = script(small)
    turns = [(by_lab(small), by_script(text)) for _ in range(ROUNDS)]
    ratio = median(lab / shell for lab, shell in turns)
    lab, shell = (median(times) for times in zip(*turns, strict=True))
    print(
        f"live lab: starts in {lab * 1000:.0f} ms, a shell script that does the same "
        f"{shell * 1000:.0f} ms, ratio {ratio:.2f} (aim: at most {AIM_START:.0f})"
    )
    none, few, many = (with_pods(count) for count in (0, FEW, MANY))
    times = [[by_lab(each) for each in (none, few, many)] for _ in range(ROUNDS)]
    bare, four, fifty = (median(each) for each in zip(*times, strict=True))
    one_of_few, one_of_many = (four - bare) / FEW, (fifty - bare) / MANY
    print(
        f"live lab: a pod of {MANY} costs {one_of_many * 1000:.1f} ms, one of {FEW} "
        f"{one_of_few * 1000:.1f} ms, ratio {one_of_many / one_of_few:.2f} "
        f"(aim: at most {AIM_POD})"
    )
    with Lab(small, live=True) as standing:
        watched, typed = [], []
        for _ in range(20):
            start = time.perf_counter()
            standing.observe(PING)
            between = time.perf_counter()
            standing.run("web-1", f"ping -c 1 -W 1 {PING.destination}")
            watched.append(between - start)
            typed.append(time.perf_counter() - between)
        agent = standing._engine.built.namespaces.pid
        print(
            f"live lab: an observed ping takes {median(watched) * 1000:.0f} ms, a bare one "
            f"{median(typed) * 1000:.0f} ms; {megabytes(agent):.0f} MB"
        )
