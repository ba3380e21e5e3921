"""Which route a packet takes: the same as the real Linux finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from course.addresses import canonical, parse_address
from course.errors import InputError
from course.linux.host import Host
from course.linux.interfaces import Interface, loopback
from course.linux.routing import PolicyRule, Route
from tests.real_linux import in_namespace

ETH0 = Interface("eth0", 2, ("10.240.0.4/16", "10.240.0.5/16"), peer="peer0")
ETH1 = Interface("eth1", 4, ("192.168.1.1/24", "172.16.5.1/24"), peer="peer1")
NAKED = Interface("eth2", 6, (), peer="peer2")
LINKS = (loopback(), ETH0, ETH1, NAKED)
KINDS = {"unreachable": "unreachable", "prohibit": "prohibit", "blackhole": "blackhole"}


def cut(address, length):
    bits = int(parse_address(address)) >> (32 - length) << (32 - length) if length else 0
    return "default" if not length else f"{canonical(parse_address('0.0.0.0') + bits)}/{length}"


# few different addresses, so that ranges hold each other and routes compete
places = st.builds(
    "10.{}.{}.{}".format, st.sampled_from([240, 244]), st.integers(0, 3), st.integers(0, 7)
)
destinations = st.builds(cut, places, st.sampled_from([0, 8, 14, 16, 22, 24, 30, 32]))
ranges = destinations.filter(lambda text: text != "default")
tables = st.sampled_from(["main", "100", "200"])
routes = st.one_of(
    st.builds(Route, destinations, st.just("10.240.0.1"), st.just("eth0"), table=tables,
              src=st.sampled_from(["", "10.240.0.5", "192.168.1.1"]), metric=st.integers(1, 3)),
    st.builds(Route, destinations, st.just("172.16.5.9"), st.just("eth1"), table=tables,
              metric=st.integers(1, 3)),
    st.builds(Route, destinations, st.just("192.168.1.9"), table=tables, metric=st.integers(1, 3)),
    # none that holds a gateway: `ip` would take that link for the gateway's
    st.builds(Route, ranges, dev=st.just("eth2"), scope=st.just("link"), table=tables,
              metric=st.integers(1, 3)),
    st.builds(Route, destinations, type=st.sampled_from([*KINDS, "throw"]), table=tables,
              metric=st.integers(4, 5)),
)  # fmt: skip
policies = st.builds(
    PolicyRule,
    st.integers(1, 40000),
    tables,
    destination=st.one_of(st.just(""), ranges),
    fwmark=st.sampled_from(["", "0x1", "0x1/0x3"]),
)
ERRORS = {
    "Network is unreachable": "none",
    "No route to host": "unreachable",
    "Permission denied": "prohibit",
    "Invalid argument": "blackhole",
}


def make(host):
    """The commands that make these interfaces, routes and rules."""
    for link in host.interfaces[1:]:
        yield f"ip link add {link.name} type veth peer name {link.peer}"
        yield f"ip link set {link.name} up; ip link set {link.peer} up"
        yield from (f"ip addr add {address} dev {link.name}" for address in link.addresses)
    yield from (f"ip route add {route} table {route.table}" for route in host.routes)
    yield from (f"ip link set {link.name} down" for link in host.interfaces if not link.up)
    for rule in host.rules:
        yield f"ip rule add pref {str(rule).replace(': ', ' ', 1)}"


def answer(found):
    if found is None:
        return "none"
    if found.route.type in KINDS:
        return found.route.type
    dev = "lo" if found.route.type == "local" else found.dev
    return f"{found.via or '-'} {dev} {found.source}"


def real_answer(text):
    for said, kind in ERRORS.items():
        if said in text:
            return kind
    words = text.split()
    via = words[words.index("via") + 1] if "via" in words else "-"
    return f"{via} {words[words.index('dev') + 1]} {words[words.index('src') + 1]}"


def key(route):
    return (route.destination, route.table, route.metric)


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(routes, max_size=12, unique_by=key),
    st.lists(policies, max_size=4, unique_by=lambda rule: rule.priority),
    st.lists(st.tuples(places, st.integers(0, 3)), min_size=8, max_size=8),
    st.sampled_from(["", "", "eth0", "eth1", "eth2"]),
)
def test_the_real_linux_takes_the_same_route(routes, policies, asked, down):
    links = tuple(replace(link, up=link.name != down) for link in LINKS)
    host = Host("router", links, tuple(routes), tuple(policies))
    asked = [*asked, ("192.168.1.1", 0), ("192.168.1.9", 0), ("10.240.0.5", 0)]
    script = "\n".join(make(host))
    for place, mark in asked:
        script += f"\nip route get {place} mark {mark} 2>&1 | head -1 || true"
    said = in_namespace(script).splitlines()
    for (place, mark), line in zip(asked, said, strict=True):
        assert answer(host.route(place, mark=mark)) == real_answer(line), (place, mark, line)


def test_the_longest_prefix_wins_then_the_lowest_metric():
    host = Host(
        "router",
        LINKS,
        (
            Route("default", via="10.240.0.1"),
            Route("10.244.0.0/16", via="10.240.0.8", metric=10),
            Route("10.244.0.0/16", via="10.240.0.9", metric=5),
            Route("10.244.1.0/24", via="10.240.0.7"),
        ),
    )
    ways = {"8.8.8.8": "10.240.0.1", "10.244.9.9": "10.240.0.9", "10.244.1.9": "10.240.0.7"}
    for destination, via in ways.items():
        assert host.route(destination).next_hop == via


def test_a_link_that_is_down_takes_its_routes_with_it_but_not_the_hosts_address():
    routes = (Route("default", via="10.240.0.1"), Route("default", via="192.168.1.9", metric=1))
    host = Host("router", (loopback(), replace(ETH0, up=False), ETH1), routes)
    assert host.route("8.8.8.8").next_hop == "192.168.1.9"
    assert host.route("10.240.0.9").dev == "eth1"  # not its own link any more
    assert host.address_type("10.240.0.4") == "LOCAL"
    assert host.address_type("10.240.255.255") == "UNICAST"


def test_a_policy_rule_names_the_table_for_what_comes_in_by_an_interface():
    """A route table that is tied to a subnet: a user-defined route."""
    host = Host(
        "azure",
        LINKS,
        (Route("10.244.0.0/16", type="blackhole"), Route("10.244.1.0/24", dev="eth0", table="7")),
        (PolicyRule(100, "7", iif="eth1"),),
    )
    assert host.route("10.244.1.3").route.type == "blackhole"
    found = host.route("10.244.1.3", iif="eth1", source="192.168.1.5")
    assert (found.dev, str(found)) == ("eth0", "10.244.1.0/24 dev eth0 (table 7)")


def test_a_host_speaks_with_the_address_that_its_route_says_or_one_on_the_next_hops_link():
    routes = (
        Route("10.9.0.0/16", via="10.240.0.1", src="192.168.1.1"),
        Route("10.8.0.0/16", via="10.240.0.1"),
        Route("10.7.0.0/16", via="172.16.5.9"),
    )
    host = Host("router", LINKS, routes)
    sources = [host.route(to).source for to in ("10.9.0.1", "10.8.0.1", "10.7.0.1")]
    assert sources == ["192.168.1.1", "10.240.0.4", "172.16.5.1"]


def test_a_host_answers_for_its_own_addresses_and_with_proxy_arp_for_others():
    host = Host(
        "node", (loopback(), ETH0, Interface("azv1", 9)), (Route("10.240.0.7/32", dev="azv1"),),
        sysctls={"net.ipv4.ip_forward": 1, "net.ipv4.conf.azv1.proxy_arp": 1},
    )  # fmt: skip
    assert host.answers_arp("eth0", "10.240.0.5", "10.240.0.9")
    assert not host.answers_arp("eth0", "10.240.0.7", "10.240.0.9"), "no proxy_arp on eth0"
    assert host.answers_arp("azv1", "10.240.0.1", "10.240.0.7")
    assert not host.answers_arp("azv1", "169.254.1.1", "10.240.0.7"), "no route leads there"
    assert not host.answers_arp("azv1", "10.240.0.7", "10.240.0.8"), "it is on that link itself"


def test_an_interface_without_an_address_borrows_one():
    host = Host("node", (loopback(), ETH0, NAKED), (Route("10.9.0.1/32", dev="eth2"),))
    assert host.route("10.9.0.1").source == "10.240.0.4"
    assert Host("alone", (loopback(), NAKED), host.routes).route("10.9.0.1").source == "0.0.0.0"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Route("10.0.0.1/24"),
        lambda: Route("10.0.0.0/24", type="multicast"),
        lambda: Route("10.0.0.0/24", via="10.0.0"),
        lambda: Interface("eth0", addresses=("10.0.0.1",)),
        lambda: Interface("a-name-that-is-too-long"),
        lambda: Interface("eth0", kind="ipvlan"),
        lambda: Host("h", (ETH0, ETH0)),
        lambda: Host("h", sysctls={"net.ipv4.tcp_syncookies": 1}),
        lambda: Host("h").interface("eth0"),
        lambda: Host("h", (ETH0,), (Route("default", via="172.16.0.1"),)).route("8.8.8.8"),
    ],
)
def test_what_cannot_be_is_refused(make):
    with pytest.raises(InputError):
        make()
