"""What rules do: order of tables, connections, translation; laws that hold for every packet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course.errors import InputError
from course.linux.conntrack import Connection, track, tuple_of
from course.linux.draws import every, replay
from course.linux.host import Host, State
from course.linux.interfaces import Interface, loopback
from course.linux.outcome import Fate
from course.linux.packet import Packet, icmp_error, ping, reset, tcp, udp
from course.linux.path import receive, send
from course.linux.routing import Route
from course.linux.rule import parse_rule
from course.linux.ruleset import BUILT_IN, parse
from tests.small_networks import nat, table

INSIDE, OUTSIDE = "10.0.1.2", "192.0.2.9"
addresses = st.builds("10.0.{}.{}".format, st.integers(1, 2), st.integers(2, 20))
ports = st.integers(1024, 65535)
makers = st.sampled_from([tcp, udp])


def router(*rules, **more):
    """left is 10.0.1.1/24, right 10.0.2.1/24 and the way to all others."""
    links = (
        loopback(),
        Interface("left", 2, ("10.0.1.1/24",)),
        Interface("right", 3, ("10.0.2.1/24",)),
    )
    return Host(
        "r", links, (Route("default", via="10.0.2.254"),), sysctls={"net.ipv4.ip_forward": 1},
        netfilter=parse("".join(rules)), **more,
    )  # fmt: skip


MASQUERADE = nat("-A POSTROUTING -o right -j MASQUERADE")
SERVICE = nat(
    "-A PREROUTING -d 10.9.9.9 -j SVC",
    "-A SVC -m statistic --mode random --probability 0.5 -j SEP",
    "-A SVC -p tcp -j DNAT --to-destination 10.0.2.9:8080",
    "-A SVC -p udp -j DNAT --to-destination 10.0.2.9:53",
    "-A SEP -p tcp -j DNAT --to-destination 10.0.2.10",
    "-A SEP -p udp -j DNAT --to-destination 10.0.2.10:5353",
    "-A POSTROUTING -o right -j MASQUERADE",
    chains=["SVC", "SEP"],
)


@given(makers, ports, st.integers(1, 65535), st.booleans(), st.booleans())
def test_a_reply_retraces_its_nat(make, port, wanted, service, second):
    """Whoever sent a packet gets its answer from the address that it was sent to."""
    host = router(SERVICE)
    packet = make(INSIDE, port, "10.9.9.9" if service else OUTSIDE, wanted)
    there = receive(host, "left", packet, draw=replay([not second]))
    arrived = there.sent[0].packet
    assert arrived.source == "10.0.2.1"
    back = receive(host, "right", arrived.reply(), there.state)
    assert back.sent[0].interface == "left"
    seen = replace(back.sent[0].packet, ttl=64)
    assert seen == packet.reply()


@given(makers, ports, st.booleans())
def test_an_error_about_a_translated_packet_tells_the_sender_of_its_own_packet(make, port, draw):
    host = router(SERVICE)
    packet = make(INSIDE, port, "10.9.9.9", 80)
    there = receive(host, "left", packet, draw=replay([draw]))
    error = icmp_error("10.0.2.77", "host-unreachable", there.sent[0].packet)
    back = receive(host, "right", error, there.state).sent[0].packet
    assert back.destination == INSIDE
    assert tuple_of(back.about) == tuple_of(packet)


@given(st.lists(st.tuples(makers, addresses, ports), min_size=1, max_size=8), st.data())
def test_connections_never_mix_up_their_replies(asked, data):
    """However many clients share one address, each reply goes to who asked."""
    host, state, sent = router(MASQUERADE), State(), {}
    for make, source, port in asked:
        packet = make(source.replace("10.0.2.", "10.0.1."), port, OUTSIDE, 443)
        outcome = receive(host, "left", packet, state)
        state, sent[packet] = outcome.state, outcome.sent[0].packet
    assert len({replace(packet, ttl=0) for packet in sent.values()}) == len(sent)
    for packet, outside in sent.items():
        back = receive(host, "right", outside.reply(), state).sent[0].packet
        assert replace(back, ttl=64) == packet.reply()


@given(st.integers(1, 12), st.data())
def test_every_way_of_chance_is_found_once_and_their_chances_sum_to_one(endpoints, data):
    lines = [
        f"-A SVC -m statistic --mode random --probability {1 / (endpoints - n):.10f} -j E{n}"
        for n in range(endpoints)
    ]
    ends = [
        f"-A E{n} -p tcp -j DNAT --to-destination 10.0.2.{100 + n}:80" for n in range(endpoints)
    ]
    host = router(
        nat("-A PREROUTING -j SVC", *lines, *ends, chains=["SVC", *(f"E{n}" for n in range(20))])
    )
    ways = list(every(lambda d: receive(host, "left", tcp(INSIDE, 1, "10.9.9.9", 80), draw=d)))
    assert sum(way.probability for way in ways) == 1
    ends = [way.result.sent[0].packet.destination for way in ways]
    assert len(set(ends)) == len(ends) == endpoints
    again = data.draw(st.sampled_from(ways))
    draw = replay(again.answers)
    assert receive(host, "left", tcp(INSIDE, 1, "10.9.9.9", 80), draw=draw) == again.result


def test_tables_are_met_in_the_order_of_the_kernel():
    lines = {t: [f"-A {c} -m comment --comment {t} -j X" for c in BUILT_IN[t]] for t in BUILT_IN}
    host = router(*(table(t, "-A X -j RETURN", *rules, chains=["X"]) for t, rules in lines.items()))
    passed = receive(host, "left", ping(INSIDE, OUTSIDE))
    assert [f"{step.table} {step.chain}" for step in passed.steps if "jump" in step.effect] == [
        "raw PREROUTING", "mangle PREROUTING", "nat PREROUTING", "mangle FORWARD",
        "filter FORWARD", "mangle POSTROUTING", "nat POSTROUTING",
    ]  # fmt: skip
    taken = receive(host, "left", ping(INSIDE, "10.0.1.1"))
    assert [f"{step.table} {step.chain}" for step in taken.steps if "jump" in step.effect] == [
        "raw PREROUTING", "mangle PREROUTING", "nat PREROUTING", "mangle INPUT", "filter INPUT",
        "nat INPUT",
    ]  # fmt: skip
    made = send(host, ping("0.0.0.0", OUTSIDE))
    assert [f"{step.table} {step.chain}" for step in made.steps if "jump" in step.effect] == [
        "raw OUTPUT", "mangle OUTPUT", "nat OUTPUT", "filter OUTPUT", "mangle POSTROUTING",
        "nat POSTROUTING",
    ]  # fmt: skip


def test_only_the_first_packet_of_a_connection_meets_the_table_nat():
    host = router(MASQUERADE)
    first = receive(host, "left", udp(INSIDE, 1, OUTSIDE, 2))
    again = receive(host, "left", udp(INSIDE, 1, OUTSIDE, 2), first.state)
    decided = [step.decided_by for step in (*first.steps, *again.steps) if step.table == "nat"]
    assert decided[0] == "-o right -j MASQUERADE"
    assert decided[1].startswith("conntrack: udp 10.0.1.2:1 -> 192.0.2.9:2, reply")
    assert len(first.state.connections) == len(again.state.connections) == 1


def test_what_is_dropped_is_not_remembered():
    host = router(MASQUERADE, table("filter", "-A FORWARD -j DROP"))
    outcome = receive(host, "left", ping(INSIDE, OUTSIDE))
    assert (outcome.fate, outcome.state.connections) == (Fate.DROPPED, ())


def test_without_rules_that_need_it_nothing_is_tracked():
    assert receive(router(), "left", ping(INSIDE, OUTSIDE)).state.connections == ()
    tracked = router(table("filter", "-A FORWARD -m conntrack --ctstate NEW -j ACCEPT"))
    assert len(receive(tracked, "left", ping(INSIDE, OUTSIDE)).state.connections) == 1


def test_the_same_address_in_two_zones_is_two_clients():
    """Two clusters may use the same pod range behind one router."""
    zones = table("raw", *(f"-A PREROUTING -i left -s 10.0.1.{n} -j CT --zone {n}" for n in (2, 3)))
    host = router(zones, MASQUERADE)
    state = State()
    for source in ("10.0.1.2", "10.0.1.3"):
        state = receive(host, "left", udp(source, 1, OUTSIDE, 2), state).state
    assert [connection.zone for connection in state.connections] == [2, 3]


def test_what_has_no_connection_is_invalid():
    syn = tcp(INSIDE, 1, OUTSIDE, 2)
    for stray in (syn.reply(), reset(syn), ping(INSIDE, OUTSIDE).reply()):
        assert track(stray, ()).state == "INVALID"
    assert track(icmp_error("10.0.2.7", "host-unreachable", syn), ()).state == "INVALID"
    known = (Connection(tuple_of(syn)),)
    assert track(icmp_error("10.0.2.7", "host-unreachable", syn), known).state == "RELATED"
    assert track(syn, known).state == "NEW", "no reply was seen yet"
    assert track(syn, (replace(known[0], replied=True),)).state == "ESTABLISHED"


@pytest.mark.parametrize(
    ("rule", "packet", "fits"),
    [
        ("-p tcp -m multiport --dports 80,443", tcp(INSIDE, 1, OUTSIDE, 443), True),
        ("-p tcp -m multiport ! --dports 80,443", tcp(INSIDE, 1, OUTSIDE, 443), False),
        ("-p udp --sport 1000:2000", udp(INSIDE, 1500, OUTSIDE, 1), True),
        ("-p udp --dport 80", tcp(INSIDE, 1500, OUTSIDE, 80), False),
        ("-p sctp --dport 80", Packet("sctp", INSIDE, OUTSIDE, 1500, 80), True),
        ("-p sctp --sport 80", Packet("sctp", INSIDE, OUTSIDE, 1500, 80), False),
        ("-m conntrack --ctproto 132", Packet("sctp", INSIDE, OUTSIDE, 1500, 80), True),
        ("-p tcp --syn", tcp(INSIDE, 1, OUTSIDE, 2), True),
        ("-p tcp --syn", replace(tcp(INSIDE, 1, OUTSIDE, 2), flags="ACK"), False),
        ("-p tcp --tcp-flags ALL NONE", replace(tcp(INSIDE, 1, OUTSIDE, 2), flags=""), True),
        ("-p icmp --icmp-type 8", ping(INSIDE, OUTSIDE), True),
        ("-p icmp --icmp-type 3", ping(INSIDE, OUTSIDE), False),
        ("-i lef+ -o right", ping(INSIDE, OUTSIDE), True),
        ("! -i left", ping(INSIDE, OUTSIDE), False),
        ("-m addrtype --src-type LOCAL", ping(INSIDE, OUTSIDE), False),
        ("-m addrtype ! --dst-type LOCAL", ping(INSIDE, OUTSIDE), True),
        ("-m conntrack --ctorigdst 192.0.2.0/24 --ctdir ORIGINAL", ping(INSIDE, OUTSIDE), True),
        ("-m conntrack --ctproto 6", ping(INSIDE, OUTSIDE), False),
        ("-m nfacct --nfacct-name dropped", ping(INSIDE, OUTSIDE), True),
        ("-m mark ! --mark 0x0", ping(INSIDE, OUTSIDE), False),
    ],
)
def test_what_a_rule_asks(rule, packet, fits):
    host = router(table("filter", f"-A FORWARD {rule} -j DROP"))
    assert (receive(host, "left", packet).fate == Fate.DROPPED) == fits


def test_a_host_that_has_no_sctp_says_so():
    outcome = receive(router(), "left", Packet("sctp", INSIDE, "10.0.1.1", 1500, 80))
    assert (outcome.fate, outcome.sent[0].packet.icmp) == (Fate.REFUSED, "protocol-unreachable")


def test_goto_does_not_come_back_and_return_does():
    rules = ["-A FORWARD -g X", "-A FORWARD -j ACCEPT", "-A X -j RETURN"]
    closed = "*filter\n:FORWARD DROP [0:0]\n:X - [0:0]\n{}\nCOMMIT"
    assert receive(
        router(closed.format("\n".join(rules))), "left", ping(INSIDE, OUTSIDE)
    ).fate == Fate.DROPPED  # fmt: skip
    rules[0] = "-A FORWARD -j X"
    assert receive(
        router(closed.format("\n".join(rules))), "left", ping(INSIDE, OUTSIDE)
    ).fate == Fate.SENT  # fmt: skip


def test_translation_stands_in_the_table_nat():
    host = router(table("filter", "-A FORWARD -j MASQUERADE"))
    with pytest.raises(InputError, match="Translate in the table nat"):
        receive(host, "left", ping(INSIDE, OUTSIDE))


def test_an_answer_that_chance_cannot_give_is_refused():
    host = router(nat("-A POSTROUTING -o right -p udp -j MASQUERADE --to-ports 5000-5001"))
    packet = udp(INSIDE, 1, OUTSIDE, 2)
    chosen = receive(host, "left", packet, draw=replay([5001])).sent[0].packet
    assert chosen.source_port == 5001
    with pytest.raises(InputError, match="no possible answer"):
        receive(host, "left", packet, draw=replay([5002]))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Packet("gre", INSIDE, OUTSIDE),
        lambda: Packet("tcp", "10.0.0", OUTSIDE),
        lambda: Packet("tcp", INSIDE, OUTSIDE, 70000),
        lambda: Packet("icmp", INSIDE, OUTSIDE),
        lambda: Packet("icmp", INSIDE, OUTSIDE, icmp="host-unreachable"),
        lambda: icmp_error("10.0.0.1", "host-unreachable", ping(INSIDE, OUTSIDE)).reply(),
    ],
)
def test_what_is_no_packet_is_refused(make):
    with pytest.raises(InputError):
        make()


def test_a_rule_knows_what_it_uses():
    rule = parse_rule("-m nfacct --nfacct-name x -m comment --comment y -j DROP")
    assert rule.uses("nfacct")
    assert not rule.uses("mark")
