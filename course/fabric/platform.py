"""What Azure itself answers: its DNS and instance metadata, and nothing else.

They have addresses of their own, the same for every machine, on the host `azure`. No route table
and no security group has a say in that; on premises and in the internet nobody is answered.

Documented: that routers of subnets answer no ping. Not documented, and chosen here: that nothing
else at a router answers either, and that the addresses of the platform answer nothing but what they
serve, no ping. Of that, DNS and metadata are here; the ports of the VM agent are left out.

Sources: Microsoft Learn, "What is IP address 168.63.129.16", "Azure Instance Metadata Service",
"Virtual networks FAQ" (default routers).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from course.fabric.cards import Card
from course.linux.host import Socket

PLATFORM = "168.63.129.16"  # Azure's DNS; where probes of load balancers come from
METADATA = "169.254.169.254"
SERVES = (Socket("udp", 53, PLATFORM), Socket("tcp", 53, PLATFORM), Socket("tcp", 80, METADATA))


def rules(inside: Iterable[Card]) -> Iterator[str]:
    """Rules of INPUT. What was translated (DNAT) is a ping that a load balancer answers."""
    yield from (f"-A INPUT -i {each.dev} -j DROP" for each in inside if not each.subnet)
    yield "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT"
    for each in SERVES:
        which = f"-p {each.protocol} -m {each.protocol} --dport {each.port}"
        yield f"-A INPUT -d {each.address} {which} -j ACCEPT"
    yield "-A INPUT -j DROP"
