"""Which connections kube-proxy makes a node forget after each sync: those of UDP that lead nowhere.

A connection of TCP ends by itself when its endpoint is gone, and its client opens another one. UDP
knows no end: a client that goes on sending from the same port would go on being translated to the
endpoint that is gone. So kube-proxy deletes entries of UDP to an address and port of a Service, or
to its node port, that lead to none of its serving endpoints. It deletes none where no endpoint
serves, and none of TCP: whoever is connected to a pod that is not ready any more stays connected.

Source: kubernetes/kubernetes pkg/proxy/conntrack/cleanup.go, CleanStaleEntries.

>>> from course.kubeproxy.objects import Endpoint, EndpointPort, ServicePort
>>> from course.linux.conntrack import Tuple
>>> port = ServicePort(53, protocol="UDP")
>>> dns = Service("kube-system", "kube-dns", ("10.0.0.10",), (port,))
>>> behind = EndpointSlice(
...     "kube-system", "kube-dns", (EndpointPort(53, protocol="UDP"),), (Endpoint(("10.244.0.5",)),)
... )
>>> asked = Connection(Tuple("udp", "10.244.0.9", 4711, "10.0.0.10", 53))
>>> led = tuple(asked.with_destination(end, 53) for end in ("10.244.0.5", "10.244.0.6"))
>>> print(*kept(led, serving((dns,), (behind,))))
udp 10.244.0.9:4711 -> 10.0.0.10:53, reply 10.244.0.5:53 -> 10.244.0.9:4711
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from course.kubeproxy.objects import EndpointSlice, Service, ServicePort
from course.linux.conntrack import Connection

Front = tuple[str, int]  # an address of a Service, or nothing for all of a node, and a port
Serving = Mapping[Front, set[str]]  # the addresses of endpoints that serve there


def serving(services: Iterable[Service], slices: Sequence[EndpointSlice]) -> Serving:
    """The serving endpoints of each address and port at which Services take UDP."""
    found: dict[Front, set[str]] = {}
    for service in services:
        for port in service.ports:
            ends = set(_endpoints(service, port, slices))
            if port.protocol == "UDP" and ends and not service.headless:
                found |= dict.fromkeys(_fronts(service, port), ends)
    return found


def kept(connections: tuple[Connection, ...], serving: Serving) -> tuple[Connection, ...]:
    """The connections that a node goes on remembering."""
    return tuple(each for each in connections if not is_stale(each, serving))


def is_stale(connection: Connection, serving: Serving) -> bool:
    """Whether a connection of UDP leads to no endpoint that serves."""
    asked = connection.original
    if asked.protocol != "udp":
        return False
    fronts = ((asked.destination, asked.destination_port), ("", asked.destination_port))
    end = connection.reply.source
    return any(front in serving and end not in serving[front] for front in fronts)


def _endpoints(
    service: Service, port: ServicePort, slices: Sequence[EndpointSlice]
) -> Iterator[str]:
    for each in slices:
        named = any((p.name, p.protocol) == (port.name, port.protocol) for p in each.ports)
        if each.key == service.key and named:
            for endpoint in each.endpoints:
                if endpoint.conditions.serving is not False:
                    yield endpoint.addresses[0]


def _fronts(service: Service, port: ServicePort) -> Iterator[Front]:
    ingress = (each.ip for each in service.load_balancer_ingress if each.ip_mode == "VIP")
    for address in (*service.cluster_ips, *service.external_ips, *ingress):
        yield address, port.port
    if port.node_port:
        yield "", port.node_port
