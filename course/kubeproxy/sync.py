"""Writing the rules: all of them at first, and later only what changed.

kube-proxy hands whole tables of text to `iptables-restore --noflush`: every chain that it declares
is emptied and filled anew, every other is left alone. Rewriting everything takes seconds in a
large cluster, so a sync after the first writes only

- the fixed rules and the entrances of all Services, because KUBE-SERVICES is one chain;
- the chains of the Services that changed;
- and deletes the chains that nothing leads to any more.

Source: kubernetes/kubernetes pkg/proxy/iptables/proxier.go (about v1.35), syncProxyRules;
KEP-3453 (minimizing iptables-restore input size).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from course.errors import InputError
from course.kubeproxy.chains import FIREWALL, belongs_to_a_service
from course.kubeproxy.fixed import (
    FILTER_CHAINS,
    NAT_CHAINS,
    forwarding,
    martians,
    masquerading,
    to_node_ports,
)
from course.kubeproxy.objects import EndpointSlice, Service
from course.kubeproxy.options import Options
from course.kubeproxy.rules import chains_of, entrances, own_chains
from course.kubeproxy.service_port import BoundPort, bound_ports

# with more endpoints than this, rules that there are many of lose their comments
LARGE_CLUSTER_ENDPOINTS = 1000


@dataclass(frozen=True)
class State:
    """What kube-proxy knows at one moment."""

    options: Options
    services: tuple[Service, ...] = ()
    endpoint_slices: tuple[EndpointSlice, ...] = ()

    def ports(self) -> Iterator[BoundPort]:
        """The Service ports that it serves."""
        return bound_ports(self.services, self.endpoint_slices, self.options)

    def is_large(self) -> bool:
        """Whether there are so many endpoints that comments would cost too much.

        Endpoints of every Service port count, usable or not.
        """
        count = 0
        for port in self.ports():
            count += len(port.candidates)
            if count > LARGE_CLUSTER_ENDPOINTS:
                return True
        return False


@dataclass(frozen=True)
class Table:
    """What one sync writes into one table: chains made or emptied, rules, chains deleted."""

    name: str
    chains: list[str]
    rules: list[str]
    deleted_chains: list[str]

    def lines(self) -> list[str]:
        """The syntax of iptables-restore. What is to be deleted is declared: that empties it."""
        declared = [f":{chain} - [0:0]" for chain in (*self.chains, *self.deleted_chains)]
        deleted = [f"-X {chain}" for chain in self.deleted_chains]
        return [f"*{self.name}", *declared, *self.rules, *deleted, "COMMIT"]


@dataclass(frozen=True)
class Sync:
    """What one sync writes: the input of `iptables-restore --noflush` (ip6tables for IPv6)."""

    filter: Table
    nat: Table

    def text(self) -> str:
        """The whole text."""
        return "\n".join([*self.filter.lines(), *self.nat.lines(), ""])


def full_sync(state: State) -> Sync:
    """All rules for all Services, as at the start of kube-proxy.

    `course.kubeproxy.jumps()` must stand before: it leads packets to these chains.

    >>> from course.kubeproxy.objects import ServicePort
    >>> web = Service("default", "web", ("10.0.23.7",), (ServicePort(80, "http"),))
    >>> nothing_behind = full_sync(State(Options("node-1", "10.240.0.4"), (web,)))
    >>> [rule for rule in nothing_behind.filter.rules if "web" in rule]
    ['-A KUBE-SERVICES -m comment --comment "default/web:http has no endpoints" \
-m tcp -p tcp -d 10.0.23.7 --dport 80 -j REJECT']
    """
    return write(state)


def partial_sync(before: State, after: State) -> Sync:
    """What changed between two moments, to be restored over what stood before.

    Raises InputError if the options changed: kube-proxy reads them once, at its start.

    >>> from course.kubeproxy.objects import ServicePort
    >>> options = Options("node-1", "10.240.0.4")
    >>> web = Service("default", "web", ("10.0.23.7",), (ServicePort(80, "http"),))
    >>> partial_sync(State(options), State(options, (web,))).nat.chains
    ['KUBE-SERVICES', 'KUBE-NODEPORTS', 'KUBE-POSTROUTING', 'KUBE-MARK-MASQ']
    """
    if before.options != after.options:
        raise InputError(
            after.options, "are other options.", "kube-proxy starts anew with them: full_sync."
        )
    stood = {chain for port in before.ports() for chain in chains_of(port)}
    return write(after, changed_services(before, after), stood)


def changed_services(before: State, after: State) -> set[str]:
    """The Services (namespace/name) that were added, removed or changed, or whose endpoints were.

    >>> changed_services(State(Options("a", "10.0.0.4")), State(Options("a", "10.0.0.4")))
    set()
    """
    different = set(before.ports()) ^ set(after.ports())
    return {port.service.key for port in different}


def write(
    state: State, changed: Collection[str] | None = None, existing_chains: Iterable[str] = ()
) -> Sync:
    """One sync: all Services' own chains, or only those of the `changed` ones (namespace/name).

    Of `existing_chains`, those in the nat table now, the ones made for Services and no longer
    needed are deleted. kube-proxy reads them with iptables-save; in a large cluster not at each
    sync, because that takes seconds too.

    >>> gone = "KUBE-SEP-SXIVWICOYRO3J4NJ"
    >>> write(State(Options("a", "10.0.0.4")), (), ["PREROUTING", gone]).nat.deleted_chains
    ['KUBE-SEP-SXIVWICOYRO3J4NJ']
    """
    options, comments = state.options, not state.is_large()
    filter_rules, nat_rules = martians(options), masquerading(options)
    filter_chains, nat_chains = list(FILTER_CHAINS), list(NAT_CHAINS)
    filter_chains += [FIREWALL] * bool(filter_rules)
    stale = {chain for chain in existing_chains if belongs_to_a_service(chain)}
    for port in state.ports():
        entrance, chains = entrances(port, options), chains_of(port)
        filter_rules += entrance.filter
        nat_rules += entrance.nat
        stale.difference_update(chains)
        if changed is None or port.service.key in changed:
            nat_chains += chains
            nat_rules += own_chains(port, options, comments)
    nat_rules += to_node_ports(options)
    filter_rules += forwarding(options)
    return Sync(
        Table("filter", filter_chains, filter_rules, []),
        Table("nat", nat_chains, nat_rules, sorted(stale)),
    )
