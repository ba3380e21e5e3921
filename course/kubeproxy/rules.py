"""The rules of one Service port, one kind after the other, in the order in which they are met.

A packet enters at KUBE-SERVICES, where each address of each Service has one rule. From there:

    cluster IP ────────────────────────────────┐
                                               ├─> KUBE-SVC (or SVL) ─> KUBE-SEP ─> DNAT to a pod
    node port, external IP ──────> KUBE-EXT ───┘
    load balancer IP ─> [KUBE-FW] ──┘

Every function below writes one kind of rule, in the syntax of iptables-restore. `entrances` are
written at each sync, `own_chains` only when the Service changed: in a large cluster the second
are many.

Source of every rule: kubernetes/kubernetes pkg/proxy/iptables/proxier.go (about v1.35),
syncProxyRules; the wording of comments is its own, because people search for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from course.addresses import canonical, contains, parse_address
from course.kubeproxy.chains import (
    CLUSTER_POLICY,
    EXTERNAL,
    EXTERNAL_SERVICES,
    LOCAL_POLICY,
    MARK_MASQ,
    NODEPORTS,
    PROXY_FIREWALL,
    SERVICES,
    SOURCE_RANGES,
)
from course.kubeproxy.options import Options
from course.kubeproxy.service_port import BoundPort, Target

ACCEPTED_AT_LOCALHOST = "localhost_nps_accepted_pkts"
LOCALNET = "127.0.0.0/8"


class Entrances(NamedTuple):
    """The rules by which packets find, or do not find, a Service port."""

    filter: list[str]
    nat: list[str]


def entrances(port: BoundPort, options: Options) -> Entrances:
    """A rule for each address of a Service port: where it leads, or why it leads nowhere."""
    return Entrances(
        [*refusals(port), *shut_load_balancer(port), *health_check(port)],
        [*open_addresses(port), *open_node_port(port, options)],
    )


def open_addresses(port: BoundPort) -> Iterator[str]:
    """nat KUBE-SERVICES: packets to an address and port of the Service go to its chains.

    The cluster IP leads to the endpoints themselves; addresses that outsiders use lead to KUBE-EXT
    first, where outsiders and pods part; a load balancer with source ranges, to KUBE-FW.
    """
    if port.serves_inside:
        yield _entrance(port, "cluster IP", port.cluster_ip, _inside_chain(port))
    if not port.has_endpoints:
        return
    external = EXTERNAL + port.hash
    for address in port.external_ips:
        yield _entrance(port, "external IP", address, external)
    door = SOURCE_RANGES + port.hash if port.filters_sources else external
    for address in port.load_balancer_ips:
        yield _entrance(port, "loadbalancer IP", address, door)


def open_node_port(port: BoundPort, options: Options) -> Iterator[str]:
    """nat KUBE-NODEPORTS: packets to the node port, at any address of the node.

    Where the kernel can count (nfacct), packets to 127.0.0.0/8 have a twin rule before it that
    counts them, so that one can tell whether anybody still uses node ports at localhost.
    """
    if not port.port.node_port or not port.has_endpoints:
        return
    start = f"-A {NODEPORTS} -m comment --comment {port.name} -m {port.protocol} -p {port.protocol}"
    match, jump = f"--dport {port.port.node_port}", f"-j {EXTERNAL}{port.hash}"
    if options.nfacct_counters and options.serves_localhost:
        count = f"-m nfacct --nfacct-name {ACCEPTED_AT_LOCALHOST}"
        yield f"{start} -d {LOCALNET} {match} {count} {jump}"
    yield f"{start} {match} {jump}"


def refusals(port: BoundPort) -> Iterator[str]:
    """filter: what leads nowhere is answered, or dropped.

    No endpoint anywhere: REJECT, so that the client knows at once. Endpoints, but by policy none
    for this packet on this node: DROP, so that a load balancer tries another node. The cluster IP
    is refused in KUBE-SERVICES, all other addresses in KUBE-EXTERNAL-SERVICES.
    """
    reason, verdict = ("no local endpoints", "DROP")
    if not port.has_endpoints:
        reason, verdict = "no endpoints", "REJECT"
    comment = f'-m comment --comment "{port.name} has {reason}"'
    if not port.serves_inside:
        yield f"-A {SERVICES} {comment} {_to(port, port.cluster_ip)} -j {verdict}"
    if port.serves_outside:
        return
    start = f"-A {EXTERNAL_SERVICES} {comment}"
    for address in (*port.external_ips, *port.load_balancer_ips):
        yield f"{start} {_to(port, address)} -j {verdict}"
    if port.port.node_port:
        match = f"-m addrtype --dst-type LOCAL -m {port.protocol} -p {port.protocol}"
        yield f"{start} {match} --dport {port.port.node_port} -j {verdict}"


def shut_load_balancer(port: BoundPort) -> Iterator[str]:
    """filter KUBE-PROXY-FIREWALL: what KUBE-FW did not let through still bears the address of the
    load balancer, and is dropped here (the nat table cannot drop)."""
    if port.filters_sources:
        comment = f'"{port.name} traffic not accepted by {SOURCE_RANGES}{port.hash}"'
        for address in port.load_balancer_ips:
            match = _to(port, address)
            yield f"-A {PROXY_FIREWALL} -m comment --comment {comment} {match} -j DROP"


def health_check(port: BoundPort) -> Iterator[str]:
    """filter KUBE-NODEPORTS: the load balancer may ask this node whether it has endpoints."""
    if port.health_check_node_port:
        comment = f'-m comment --comment "{port.name} health check node port"'
        match = f"-m tcp -p tcp --dport {port.health_check_node_port}"
        yield f"-A {NODEPORTS} {comment} {match} -j ACCEPT"


def chains_of(port: BoundPort) -> list[str]:
    """The chains of its own that a Service port has now."""
    found = []
    if port.has_endpoints and port.externally_accessible:
        found.append(EXTERNAL + port.hash)
    if port.filters_sources:
        found.append(SOURCE_RANGES + port.hash)
    if port.cluster_targets:
        found.append(CLUSTER_POLICY + port.hash)
    if port.local_targets:
        found.append(LOCAL_POLICY + port.hash)
    return found + [target.chain for target in port.reachable_targets]


def own_chains(port: BoundPort, options: Options, comments: bool = True) -> list[str]:
    """What stands in the chains of a Service port; `comments` False leaves out the many."""
    return [
        *mark_outsiders(port, options),
        *external_chain(port, options),
        *source_range_chain(port, options),
        *choices(port, CLUSTER_POLICY, port.cluster_targets, comments),
        *choices(port, LOCAL_POLICY, port.local_targets, comments),
        *endpoint_chains(port, comments),
    ]


def mark_outsiders(port: BoundPort, options: Options) -> Iterator[str]:
    """KUBE-SVC: a packet to the cluster IP that comes from no pod is marked to be masqueraded.

    The answer of a pod on another node would otherwise not come back through this node, and the
    client would get it from an address that it never asked. With masqueradeAll all are marked;
    where kube-proxy cannot tell pods from others (no local detector), none.
    """
    if not port.serves_inside or not (options.masquerade_all or options.local_detector):
        return
    match = f'-m comment --comment "{port.name} cluster IP" {_to(port, port.cluster_ip)}'
    if not options.masquerade_all and options.local_detector:
        match += f" {options.local_detector.if_not_local}"
    yield f"-A {_inside_chain(port)} {match} -j {MARK_MASQ}"


def external_chain(port: BoundPort, options: Options) -> Iterator[str]:
    """KUBE-EXT: what came to an address for outsiders.

    Policy Cluster: all is marked to be masqueraded, because the endpoint may run on another node
    and its answer must come back this way. Policy Local: the client's address is kept, and only
    endpoints of this node are used, except for pods of the cluster and the node itself: they are
    treated as if they had asked the cluster IP.
    """
    if not (port.has_endpoints and port.externally_accessible):
        return
    start, everywhere = f"-A {EXTERNAL}{port.hash}", f"-j {CLUSTER_POLICY}{port.hash}"
    comment = f'-m comment --comment "{{}} traffic for {port.name} external destinations"'
    if not port.external_local:
        yield f"{start} {comment.replace('{} traffic', 'masquerade traffic')} -j {MARK_MASQ}"
    else:
        node = "-m addrtype --src-type LOCAL"
        if options.local_detector:
            from_pods = options.local_detector.if_local
            yield f"{start} {comment.format('pod')} {from_pods} {everywhere}"
        yield f"{start} {comment.format('masquerade LOCAL')} {node} -j {MARK_MASQ}"
        yield f"{start} {comment.format('route LOCAL')} {node} {everywhere}"
    if port.serves_outside:
        policy = LOCAL_POLICY if port.external_local else CLUSTER_POLICY
        yield f"{start} -j {policy}{port.hash}"


def source_range_chain(port: BoundPort, options: Options) -> Iterator[str]:
    """KUBE-FW: a rule for each of loadBalancerSourceRanges; who is in none falls through.

    The node itself reaches the load balancer's address with that very address as source, if the
    node has it: so, if a range holds the node, the load balancer's addresses are let in too.
    """
    if not port.filters_sources:
        return
    start = f"-A {SOURCE_RANGES}{port.hash} -m comment --comment"
    known, jump = f'{start} "{port.name} loadbalancer IP"', f"-j {EXTERNAL}{port.hash}"
    for network in port.source_ranges:
        yield f"{known} -s {canonical(network)} {jump}"
    node = parse_address(options.node_ip)
    if any(contains(network, node) for network in port.source_ranges):
        for address in port.load_balancer_ips:
            yield f"{known} -s {address} {jump}"
    yield f'{start} "other traffic to {port.name} will be dropped by {PROXY_FIREWALL}"'


def choices(
    port: BoundPort, policy: str, targets: tuple[Target, ...], comments: bool
) -> Iterator[str]:
    """KUBE-SVC and KUBE-SVL: one endpoint is chosen by chance.

    Rules are read in order, so of n endpoints the first is taken with 1/n, the second with 1/(n-1)
    of what is left, and the last always: each has the same chance. With session affinity, a client
    who was sent to an endpoint within the timeout is sent there again, before chance is asked.
    """
    start, left = f"-A {policy}{port.hash}", len(targets)
    notes = [f' -m comment --comment "{port.name} -> {to.target}"' * comments for to in targets]
    if port.service.session_affinity == "ClientIP":
        seconds = port.service.session_affinity_timeout_seconds
        for note, to in zip(notes, targets, strict=True):
            seen = f"-m recent --name {to.chain} --rcheck --seconds {seconds} --reap"
            yield f"{start}{note} {seen} -j {to.chain}"
    for note, to in zip(notes, targets, strict=True):
        chance = f" -m statistic --mode random --probability {probability(left)}" * (left > 1)
        yield f"{start}{note}{chance} -j {to.chain}"
        left -= 1


def endpoint_chains(port: BoundPort, comments: bool) -> Iterator[str]:
    """KUBE-SEP: the destination becomes the pod.

    Before that, a pod that was sent to itself is marked to be masqueraded: it would otherwise see
    its own address as source, and answer itself instead of the Service (hairpin). With session
    affinity, the client is remembered under the name of the chain.
    """
    note = f" -m comment --comment {port.name}" * comments
    affinity = port.service.session_affinity == "ClientIP"
    protocol = f"-m {port.protocol} -p {port.protocol}"
    for address, target, chain in port.reachable_targets:
        remember = f" -m recent --name {chain} --set" * affinity
        yield f"-A {chain}{note} -s {address} -j {MARK_MASQ}"
        yield f"-A {chain}{note}{remember} {protocol} -j DNAT --to-destination {target}"


@cache
def probability(left: int) -> str:
    """The chance of the next endpoint when so many are left, with ten decimals.

    >>> probability(3)
    '0.3333333333'
    """
    return f"{1 / left:.10f}"


def _inside_chain(port: BoundPort) -> str:
    return (LOCAL_POLICY if port.internal_local else CLUSTER_POLICY) + port.hash


def _to(port: BoundPort, address: str) -> str:
    """The match of a packet to an address and port of the Service."""
    return f"-m {port.protocol} -p {port.protocol} -d {address} --dport {port.port.port}"


def _entrance(port: BoundPort, what: str, address: str, chain: str) -> str:
    comment = f'-m comment --comment "{port.name} {what}"'
    return f"-A {SERVICES} {comment} {_to(port, address)} -j {chain}"
