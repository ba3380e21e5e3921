"""Which packets leave with the address of their node: rules of POSTROUTING, in iptables syntax.

All decide by where a packet goes, never by where it comes from. What kube-proxy marked was
translated before. Each function writes one text for `iptables-restore --noflush`.

>>> print(ip_masq_agent(IpMasqAgent(("10.244.0.0/16",), masq_link_local=True)))
*nat
:IP-MASQ-AGENT - [0:0]
-A POSTROUTING -m comment --comment "ip-masq-agent: to what is not LOCAL" \
-m addrtype ! --dst-type LOCAL -j IP-MASQ-AGENT
-A IP-MASQ-AGENT -d 10.244.0.0/16 -m comment --comment "ip-masq-agent: not masqueraded" \
-m addrtype ! --dst-type LOCAL -j RETURN
-A IP-MASQ-AGENT -m comment --comment "ip-masq-agent: masqueraded (must be last)" \
-m addrtype ! --dst-type LOCAL -j MASQUERADE
COMMIT
<BLANKLINE>
"""

from __future__ import annotations

from collections.abc import Iterable

from course.cni.kubenet import masquerade_rule
from course.topology import Cluster, IpMasqAgent

LINK_LOCAL = "169.254.0.0/16"
CONFIG_PATH = "/etc/config/ip-masq-agent"
RESYNC = "60s"
AZURE_DNS, METADATA = "168.63.129.16", "169.254.169.254"
_CHAIN, _SWIFT = "IP-MASQ-AGENT", "SWIFT-POSTROUTING"
_NOT_LOCAL = "-m addrtype ! --dst-type LOCAL"


def ip_masq_agent(config: IpMasqAgent, random_fully: bool = False) -> str:
    """The rules of ip-masq-agent: all is masqueraded but what goes to the ranges of its
    configuration. Without masqLinkLocal, 169.254.0.0/16 is left alone too.

    Sources: Kubernetes documentation, "IP Masquerade Agent User Guide"; Azure/AKS issue 2653.
    """
    ranges = [*([] if config.masq_link_local else [LINK_LOCAL]), *config.non_masquerade]
    note = '-m comment --comment "ip-masq-agent: {}"'
    rules = [
        f"-A POSTROUTING {note.format('to what is not LOCAL')} {_NOT_LOCAL} -j {_CHAIN}",
        *(
            f"-A {_CHAIN} -d {each} {note.format('not masqueraded')} {_NOT_LOCAL} -j RETURN"
            for each in ranges
        ),
        f"-A {_CHAIN} {note.format('masqueraded (must be last)')} {_NOT_LOCAL} -j MASQUERADE"
        + " --random-fully" * random_fully,
    ]
    return _nat(rules, _CHAIN)


def of_aks(cluster: Cluster, ranges: Iterable[str]) -> str:
    """The same as AKS configures it: `ranges` are those of the virtual network where pods live in
    it, else the pod range; link-local addresses are masqueraded. Unless the cluster has another
    configuration. Sources: Azure/AKS issue 2653; facts nodesubnet.snat, kubenet.snat.
    """
    return ip_masq_agent(cluster.ip_masq_agent or IpMasqAgent(tuple(ranges), masq_link_local=True))


def kubelet(non_masquerade: str) -> str:
    """The one rule of kubenet while it was part of the kubelet (until Kubernetes 1.23).

    Source: course.cni.kubenet.masquerade_rule.
    """
    rule = masquerade_rule(non_masquerade)
    return _nat([rule.removeprefix("-t nat ")] if rule else [])


def swift(pod_subnet: str, node: str, dns_from: str = "") -> str:
    """The rules of the CNS for a pod subnet: only what Azure answers to no pod is translated.

    Instance metadata bears the node's address. DNS of Azure bears it too (`dns_from` empty), since
    the release of 2025-10-12; before, it bore the first address of the network container, one of
    the pod subnet. All else leaves with the pod's address, to the internet too.

    Sources: Azure/azure-container-networking, cns/restserver/internalapi_linux.go; fact
    dynamic.snat.
    """
    start = f"-A {_SWIFT} {_NOT_LOCAL} -s {pod_subnet}"
    dns = f"-d {AZURE_DNS} -p {{0}} -m {{0}} --dport 53 -j SNAT --to-source {dns_from or node}"
    metadata = f"-d {METADATA} -p tcp -m tcp --dport 80 -j SNAT --to-source {node}"
    rules = [
        f"-A POSTROUTING -j {_SWIFT}",
        f"{start} {metadata}",
        f"{start} {dns.format('tcp')}",
        f"{start} {dns.format('udp')}",
    ]
    return _nat(rules, _SWIFT)


def _nat(rules: list[str], *chains: str) -> str:
    declared = [f":{chain} - [0:0]" for chain in chains]
    return "\n".join(["*nat", *declared, *rules, "COMMIT", ""])
