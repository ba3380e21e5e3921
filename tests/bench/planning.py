"""What planning and checking a cluster costs in all models: 5,000 nodes with 250 pods each against
5 nodes, in as many pools. The aim is a ratio of at most 1.5: nothing is done once a node."""

from __future__ import annotations

import time

from course.design import Design, Pool
from course.planner.comparison import compare

AIM, ROUNDS = 1.5, 200
POOLS = 5  # a pool holds at most 1,000 nodes


def cluster(nodes: int, max_pods: int) -> Design:
    """A cluster of so many nodes, in five pools."""
    each = nodes // POOLS
    pools = (Pool(f"pool{index}", each, max_pods=max_pods) for index in range(POOLS))
    return Design(pools=tuple(pools))


def seconds(design: Design) -> float:
    """How long it takes once."""
    start = time.perf_counter()
    compare(design)
    return time.perf_counter() - start


def main() -> None:
    """Measure both by turns, so that a busy machine slows both, and print the ratio."""
    large, small = cluster(5000, 250), cluster(5, 30)
    turns = [(seconds(large), seconds(small)) for _ in range(ROUNDS)]
    best_large, best_small = (min(times) for times in zip(*turns, strict=True))
    print(
        f"planning in all models: 5,000 nodes x 250 pods {best_large * 1000:.2f} ms, "
        f"5 nodes {best_small * 1000:.2f} ms, ratio {best_large / best_small:.2f} "
        f"(aim: at most {AIM})"
    )
