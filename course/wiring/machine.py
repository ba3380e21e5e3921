"""A machine that belongs to no cluster: one network card, one way out.

>>> from course.topology import Machine
>>> host = machine_host(Machine("vm1", "10.240.1.4"), "10.240.1.1", "24")
>>> print(host.routes[0])
default via 10.240.1.1 dev eth0
"""

from __future__ import annotations

from course.linux.host import Host, Socket
from course.linux.interfaces import Interface, loopback
from course.linux.packet import within
from course.linux.routing import Route
from course.linux.ruleset import Ruleset, parse
from course.topology import AZURE, Machine, Proxy, sockets
from course.virtual_network import PRIVATE
from course.wiring.made import card
from course.wiring.node import mac_of


def machine_host(machine: Machine, gateway: str, length: str, plugged_into: str = AZURE) -> Host:
    """A machine as a host. `plugged_into` is the host that has the other end of its wire.

    The gateway need not be of its network: one router stands for all of the internet's.
    """
    eth0 = Interface(
        "eth0", addresses=(f"{machine.address}/{length}",), mac=mac_of(machine.address),
        peer=card(machine.name), peer_host=plugged_into,
    )  # fmt: skip
    far = not within(gateway, eth0.addresses[0])
    passes_on = machine.forwards or machine.proxy is not None
    return Host(
        machine.name,
        (loopback(), eth0),
        (Route("default", via=gateway, dev="eth0", onlink=far),),
        sysctls={"net.ipv4.ip_forward": int(passes_on)},
        netfilter=_rules(machine),
        sockets=tuple(Socket(protocol, port) for protocol, port in sockets(machine.ports)),
    )


def _rules(machine: Machine) -> Ruleset:
    if machine.proxy:
        return proxy_rules(machine.proxy)
    return parse(translation()) if machine.translates else Ruleset()


def translation() -> str:
    """What a firewall does that translates: private destinations see who called, others see it.

    Source: Microsoft Learn, "Azure Firewall SNAT private IP address ranges".
    """
    private = (f"-A POSTROUTING -d {each} -j ACCEPT" for each in PRIVATE)
    return "\n".join(("*nat", *private, "-A POSTROUTING -j MASQUERADE", "COMMIT", ""))


def proxy_rules(proxy: Proxy) -> Ruleset:
    """A load balancer that ends connections, as its servers see it: every packet is its own.

    A stand-in: a real one reads the request and opens a second connection; here the first one is
    translated at both ends, so TTLs go on instead of starting anew.
    """
    return parse(
        "*nat\n"
        f"-A PREROUTING -p tcp -m tcp --dport {proxy.port} -j DNAT "
        f"--to-destination {proxy.to}:{proxy.to_port}\n"
        f"-A POSTROUTING -d {proxy.to} -p tcp -m tcp --dport {proxy.to_port} -j MASQUERADE\n"
        "COMMIT\n"
    )
