"""Node pools as they run: what az says of them, completed by what kubectl sees."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from course.design import SYSTEMS, Pool
from course.errors import InputError
from course.planner.document import MOST_POOLS
from course.planner.running_json import Fields, id_part, unwrapped
from course.planner.running_nodes import SeenPool
from course.planner.running_report import (
    AZ_NODEPOOL_LIST,
    Missing,
    Report,
    counted,
)


def az_pools(cluster: Fields | None, listed: Sequence[Fields], report: Report) -> list[Fields]:
    """The pools that az speaks of, those of the system first.

    Where `az aks show` and `az aks nodepool list` both tell of a pool, the latter counts.
    """
    profiles = _by_name(cluster.each("agentpoolprofiles") if cluster else [])
    pools = _by_name(listed)
    differ = [
        name
        for name in profiles.keys() & pools.keys()
        if profiles[name].whole("count") != pools[name].whole("count")
    ]
    if differ:
        report.note(
            "az aks show and az aks nodepool list disagree about the nodes of a pool; the latter "
            f"counts. Pools: {len(differ)}."
        )
    both = [_merged(profiles.get(name), pools.get(name)) for name in profiles.keys() | pools.keys()]
    return sorted(both, key=lambda each: (each.text("mode").lower() != "system", each.text("name")))


def read_pools(
    told: Sequence[Fields], seen: Mapping[str, SeenPool], report: Report
) -> tuple[Pool, ...]:
    """The pools, each with whatever of it could be read; asks for the rest."""
    if not told and not seen:
        report.ask("pools", "Which node pools has the cluster?", AZ_NODEPOOL_LIST)
        return (Pool(),)
    pools = [_from_az(fields, seen.get(fields.text("name")), report) for fields in told]
    unknown = seen.keys() - {fields.text("name") for fields in told}
    pools += [_from_kubectl(seen[name], bool(told), report) for name in sorted(unknown)]
    named = [pool for pool in pools if pool is not None]
    found = report.first(named, MOST_POOLS, "pools", "node pools")
    if any(pool.max_surge is None for pool in found):
        report.ask(
            "choices.surge",
            "Some pools state no max-surge, so that the default counts, about which Microsoft's "
            "pages disagree. Which one do you reckon with?",
        )
    return found or (Pool(),)


def _by_name(pools: Sequence[Fields]) -> dict[str, Fields]:
    return {pool.text("name"): pool for pool in pools}


def _merged(profile: Fields | None, pool: Fields | None) -> Fields:
    told = {name: value for name, value in pool.values.items() if value is not None} if pool else {}
    return unwrapped({**(profile.values if profile else {}), **told})


def _named(name: str, report: Report) -> Pool | None:
    try:
        return Pool(name=name)
    except InputError:
        report.ask(
            "pools", "A node pool has no possible name and was left out. Which one is it?",
            AZ_NODEPOOL_LIST,
        )  # fmt: skip
        return None


def _ask(pool: Pool, field: str, question: str) -> Missing:
    return Missing(f"pools.{pool.name}.{field}", f"Pool {pool.name}: {question}", AZ_NODEPOOL_LIST)


def _from_az(fields: Fields, seen: SeenPool | None, report: Report) -> Pool | None:
    pool = _named(fields.text("name"), report)
    if pool is None:
        return None
    pool = _with_nodes(pool, fields, seen, report)
    pool = _with_max_pods(pool, fields.whole("maxpods"), seen, report)
    pool = _with_surge(pool, fields.at("upgradesettings", "maxsurge"), report)
    os_type = fields.text("ostype") or (seen.os_type if seen else "")
    pool = _with_system(pool, os_type, fields.text("ossku"), report)
    for name, key in (("subnet", "vnetsubnetid"), ("pod_subnet", "podsubnetid")):
        if fields.at(key) is not None:  # where AKS makes the network, there is none
            ask = _ask(pool, name, "which subnet?" if name == "subnet" else "which pod subnet?")
            pool = report.changed(pool, ask, **{name: id_part(fields.text(key), "subnets")})
    return pool


def _from_kubectl(seen: SeenPool, az_told: bool, report: Report) -> Pool | None:
    """A pool of which only nodes were seen: nobody told whether it scales, nor its surge."""
    pool = _named(seen.name, report)
    if pool is None:
        return None
    if az_told:
        report.note(f"kubectl shows nodes of pool {pool.name}, of which az says nothing.")
    report.ask(
        "pools", "How far does the autoscaler go, and how many nodes does an upgrade add?",
        AZ_NODEPOOL_LIST,
    )  # fmt: skip
    pool = report.changed(pool, _ask(pool, "nodes", "how many nodes?"), nodes=seen.nodes)
    pool = _with_max_pods(pool, None, seen, report)
    return _with_system(pool, seen.os_type, seen.os_sku, report)


def _with_nodes(pool: Pool, fields: Fields, seen: SeenPool | None, report: Report) -> Pool:
    ask = _ask(pool, "nodes", "how many nodes?")
    count = fields.whole("count")
    if count is None:
        report.add(ask)
        count = seen.nodes if seen else pool.nodes
    elif seen and count != seen.nodes:
        report.note(
            f"kubectl shows {counted(seen.nodes, 'node')} in pool {pool.name}, az says {count:,}."
        )
    pool = report.changed(pool, ask, nodes=count)
    if fields.at("enableautoscaling") is not True:
        return pool
    least, most = fields.whole("mincount"), fields.whole("maxcount")
    ask = _ask(pool, "max_nodes", "between how many and how many nodes does the autoscaler go?")
    if least is None or most is None:
        report.add(ask)
        return pool
    if not least <= count <= most:
        # so it is for a while after somebody scaled by hand, or changed the bounds
        report.note(
            f"Pool {pool.name} has {counted(count, 'node')}, outside of the autoscaler's "
            f"{least:,} to {most:,}."
        )
    return report.changed(pool, ask, min_nodes=min(least, count), max_nodes=max(most, count))


def _with_max_pods(pool: Pool, told: int | None, seen: SeenPool | None, report: Report) -> Pool:
    shown = seen.max_pods if seen else None
    if told and shown and told != shown:
        report.note(
            f"kubectl shows room for {counted(shown, 'pod')} on a node of pool {pool.name}, "
            f"az says {told:,}."
        )
    # a node for no pods is refused, and so what nobody told is asked for
    ask = _ask(pool, "max_pods", "how many pods may run on a node?")
    return report.changed(pool, ask, max_pods=told or shown or 0)


def _with_surge(pool: Pool, told: object, report: Report) -> Pool:
    if told is None or told == "":
        return pool
    # az writes a number of nodes as text too; what is no max-surge at all is refused
    is_number = isinstance(told, str) and re.fullmatch("[0-9]{1,9}", told)
    surge = int(str(told)) if is_number else told
    return report.changed(pool, _ask(pool, "max_surge", "which max-surge?"), max_surge=surge)


def _with_system(pool: Pool, os_type: str, os_sku: str, report: Report) -> Pool:
    ask = _ask(pool, "system", f"which system: {', '.join(SYSTEMS)}?")
    if os_type.lower() == "linux":
        return pool
    if os_type.lower() == "windows" and os_sku in SYSTEMS[1:]:
        return report.changed(pool, ask, system=os_sku)
    report.add(ask)
    return report.changed(pool, ask, system="Windows2022") if os_type.lower() == "windows" else pool
