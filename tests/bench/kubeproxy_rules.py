"""Generating the rules of 10,000 Services with 10 endpoints each: at most 3 times as long as the
real `iptables-restore --test` (nft) takes to read them, and at most 12 times as long as those of
1,000. The most memory that generating took is told."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import time
from statistics import median

from course.kubeproxy import (
    Endpoint,
    EndpointPort,
    EndpointSlice,
    LocalDetector,
    Options,
    Service,
    ServicePort,
    State,
    full_sync,
)

AIM_READING, AIM_GROWTH, ROUNDS = 3.0, 12.0, 6
MANY, FEW, ENDPOINTS = 10_000, 1_000, 10
RESTORE = "iptables-nft-restore"


def cluster(services: int) -> State:
    """So many Services of one port, each with ten endpoints of its own."""
    options = Options(
        "node-1", "10.240.0.4", local_detector=LocalDetector("ClusterCIDR", "10.0.0.0/8")
    )
    made, slices = [], []
    for index in range(services):
        name = f"svc-{index}"
        cluster_ip = f"172.30.{index // 250}.{index % 250 + 1}"
        numbers = range(index * ENDPOINTS, (index + 1) * ENDPOINTS)
        pods = (f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in numbers)
        made.append(Service("default", name, (cluster_ip,), (ServicePort(80, "http"),)))
        port = EndpointPort(8080, "http")
        slices.append(EndpointSlice("default", name, (port,), tuple(Endpoint((p,)) for p in pods)))
    return State(options, tuple(made), tuple(slices))


def generating(state: State) -> tuple[float, str]:
    """Seconds from the objects to the whole text, and the text."""
    start = time.perf_counter()
    text = full_sync(state).text()
    return time.perf_counter() - start, text


def reading(text: str) -> float | None:
    """Seconds that the real iptables takes to read the text; None where it cannot be run."""
    restore = shutil.which(RESTORE) or shutil.which(RESTORE, path="/usr/sbin")
    if not restore:
        return None
    command = ["unshare", "--user", "--map-root-user", "--net", restore, "--test"]
    start = time.perf_counter()
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    return None if done.returncode else time.perf_counter() - start


def megabytes() -> float:
    """The most memory that another process took to generate the rules once, and to import alone."""
    code = "from tests.bench import kubeproxy_rules as bench; bench.alone({})"
    found = []
    for services in (MANY, 0):
        command = [sys.executable, "-c", code.format(services)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append(float(done.stdout))
    return found[0] - found[1]


def alone(services: int) -> None:
    """Generate once and print the peak memory of this process in MB."""
    full_sync(cluster(services)).text()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Measure all by turns, so that a busy machine slows all, and print the ratios."""
    memory = megabytes()  # first: a child is told the peak of the process that it came from
    many, few = cluster(MANY), cluster(FEW)
    turns, read = [], []
    for turn in range(ROUNDS):
        large, text = generating(many)
        # as long a while for the small ones: a short one would slip through between other programs
        times = MANY // FEW
        turns.append((large, sum(generating(few)[0] for _ in range(times)) / times))
        if turn % 2:
            read.append(reading(text))
    rules = text.count("\n-A ")
    large, small = (min(times) for times in zip(*turns, strict=True))
    growth = median(one / other for one, other in turns)
    print(
        f"kube-proxy rules: {rules:,} in {large:.2f} s, a tenth of the Services in {small:.2f} s, "
        f"ratio {growth:.1f} (aim: at most {AIM_GROWTH:.0f}); {memory:.0f} MB"
    )
    seconds = [each for each in read if each is not None]
    if not seconds:
        print(f"kube-proxy rules: {RESTORE} cannot run in a namespace here, not compared")
        return
    print(
        f"kube-proxy rules: iptables-restore --test reads them in {min(seconds):.2f} s, "
        f"ratio {large / min(seconds):.2f} (aim: at most {AIM_READING:.0f})"
    )
