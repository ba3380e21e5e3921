"""The names of kube-proxy's chains.

A chain of iptables may have at most 28 characters, and Kubernetes names are longer. So the chains
of a Service end in a hash: 16 characters, always the same for the same Service port. That is why
`iptables-save` on any cluster shows KUBE-SVC-NPX46M4PTMTKRN6Y for default/kubernetes:https.

Source: kubernetes/kubernetes pkg/proxy/iptables/proxier.go (about v1.35), portProtoHash.
"""

from __future__ import annotations

from base64 import b32encode
from hashlib import sha256

SERVICES = "KUBE-SERVICES"
EXTERNAL_SERVICES = "KUBE-EXTERNAL-SERVICES"
NODEPORTS = "KUBE-NODEPORTS"
POSTROUTING = "KUBE-POSTROUTING"
MARK_MASQ = "KUBE-MARK-MASQ"
FORWARD = "KUBE-FORWARD"
PROXY_FIREWALL = "KUBE-PROXY-FIREWALL"
FIREWALL = "KUBE-FIREWALL"
CANARY = "KUBE-PROXY-CANARY"

CLUSTER_POLICY = "KUBE-SVC-"  # every endpoint of a Service port
LOCAL_POLICY = "KUBE-SVL-"  # only those on this node
EXTERNAL = "KUBE-EXT-"  # what came to a node port, load balancer or external address
SOURCE_RANGES = "KUBE-FW-"  # who may use the load balancer's address
ENDPOINT = "KUBE-SEP-"  # one endpoint
OF_SERVICES = (CLUSTER_POLICY, LOCAL_POLICY, EXTERNAL, SOURCE_RANGES, ENDPOINT)


def name_hash(service_port: str, protocol: str, endpoint: str = "") -> str:
    """The 16 characters that stand for a Service port, or for one endpoint of it.

    base32 of the SHA-256 of the names, one after the other with nothing between. `service_port` is
    namespace/name:port name, without the colon if the port has no name; `protocol` is in lower
    case; `endpoint` is address:port, with brackets around an IPv6 address.

    >>> "KUBE-SVC-" + name_hash("default/kubernetes:https", "tcp")
    'KUBE-SVC-NPX46M4PTMTKRN6Y'
    """
    digest = sha256(f"{service_port}{protocol}{endpoint}".encode()).digest()
    return b32encode(digest[:10]).decode()  # 10 bytes make just 16 characters


def belongs_to_a_service(chain: str) -> bool:
    """Whether kube-proxy made this chain for a Service, and so deletes it when it is unused.

    >>> belongs_to_a_service("KUBE-SEP-SXIVWICOYRO3J4NJ"), belongs_to_a_service("KUBE-SERVICES")
    (True, False)
    """
    return chain.startswith(OF_SERVICES)
