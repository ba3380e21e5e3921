"""kube-proxy in iptables mode: from Services and EndpointSlices to the rules of one node.

Read in this order: `objects` (what kube-proxy reads), `options` (how it was started),
`service_port` (who may reach which endpoint), `chains` (names), `rules` (one Service port),
`fixed` (what is always there), `sync` (all of it as text, or only what changed), `why` (what a
rule is for).

>>> web = Service("default", "web", ("10.0.23.7",), (ServicePort(80, "http"),))
>>> pods = (Endpoint(("10.244.0.5",), "node-1"), Endpoint(("10.244.1.7",), "node-2"))
>>> behind = EndpointSlice("default", "web", (EndpointPort(8080, "http"),), pods)
>>> pod_range = LocalDetector("ClusterCIDR", "10.244.0.0/16")
>>> options = Options("node-1", "10.240.0.4", local_detector=pod_range)
>>> for rule in full_sync(State(options, (web,), (behind,))).nat.rules:
...     if rule.startswith("-A KUBE-SVC-"):
...         print(rule.partition("default/web:http ")[2])
cluster IP" -m tcp -p tcp -d 10.0.23.7 --dport 80 ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ
-> 10.244.0.5:8080" -m statistic --mode random --probability 0.5000000000 \
-j KUBE-SEP-7U6MWNJWR3SADOJA
-> 10.244.1.7:8080" -j KUBE-SEP-A4JCWMD6AMIS43DD
"""

from course.kubeproxy.fixed import jumps
from course.kubeproxy.objects import (
    Endpoint,
    EndpointConditions,
    EndpointPort,
    EndpointSlice,
    LoadBalancerIngress,
    Service,
    ServicePort,
)
from course.kubeproxy.options import LocalDetector, Options
from course.kubeproxy.sync import State, Sync, Table, full_sync, partial_sync
from course.kubeproxy.why import explain

__all__ = [
    "Endpoint",
    "EndpointConditions",
    "EndpointPort",
    "EndpointSlice",
    "LoadBalancerIngress",
    "LocalDetector",
    "Options",
    "Service",
    "ServicePort",
    "State",
    "Sync",
    "Table",
    "explain",
    "full_sync",
    "jumps",
    "partial_sync",
]
