"""Rules as text: what the course reads and writes is what the real iptables reads and writes."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course.errors import InputError
from course.linux.rule import parse_rule
from course.linux.ruleset import Ruleset, parse
from tests.real_linux import VARIANTS, loaded

# As programs write rules, and as iptables-save prints them.
NORMAL_FORMS = {
    "-m tcp -p tcp -d 172.30.0.41 --dport 80 -j X": (
        "-d 172.30.0.41/32 -p tcp -m tcp --dport 80 -j X"
    ),
    "-p udp --sport 53 --dport 1024: -g X": "-p udp -m udp --sport 53 --dport 1024:65535 -g X",
    "-p sctp --dport 9899 -j X": "-p sctp -m sctp --dport 9899 -j X",
    "-m comment --comment web -s 10.240.0.7/16 -j X": (
        "-s 10.240.0.0/16 -m comment --comment web -j X"
    ),
    "-m comment --comment ns/web:p80 -j X": '-m comment --comment "ns/web:p80" -j X',
    '-m comment --comment "a \\"b\\" c" -j X': '-m comment --comment "a \\"b\\" c" -j X',
    "! -i eth+ ! -p icmp ! -s 10.0.0.1 -j X": "! -s 10.0.0.1/32 ! -i eth+ ! -p icmp -j X",
    "-s 0.0.0.0/0 -d 10.0.0.0/255.0.0.0 -j X": "-d 10.0.0.0/8 -j X",
    "-p icmp --icmp-type echo-request -j X": "-p icmp -m icmp --icmp-type 8 -j X",
    "-p tcp --syn -j X": "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j X",
    "-p tcp ! --syn -j X": "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j X",
    "-p tcp -m multiport ! --dports 80,8000:8010 -j X": (
        "-p tcp -m multiport ! --dports 80,8000:8010 -j X"
    ),
    "-m mark ! --mark 0x4000/0x4000 -j RETURN": "-m mark ! --mark 0x4000/0x4000 -j RETURN",
    "-m mark --mark 4 -j X": "-m mark --mark 0x4 -j X",
    "-m addrtype --limit-iface-in --dst-type BROADCAST,LOCAL -j X": (
        "-m addrtype --dst-type LOCAL,BROADCAST --limit-iface-in -j X"
    ),
    "-m statistic --mode random --probability 0.3333333333 -j X": (
        "-m statistic --mode random --probability 0.33333333349 -j X"
    ),
    "-m recent --name A --rcheck --seconds 10800 --reap -j X": (
        "-m recent --rcheck --seconds 10800 --reap --name A --mask 255.255.255.255 --rsource -j X"
    ),
    "-m recent --set -j X": (
        "-m recent --set --name DEFAULT --mask 255.255.255.255 --rsource -j X"
    ),
    "-m conntrack ! --ctstate ESTABLISHED,RELATED,DNAT -j X": (
        "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j X"
    ),
    "-m conntrack --ctdir ORIGINAL --ctorigdstport 80 --ctproto 6 --ctorigdst 10.0.0.1/32 -j X": (
        "-m conntrack --ctproto 6 --ctorigdst 10.0.0.1 --ctorigdstport 80 --ctdir ORIGINAL -j X"
    ),
    "-m physdev --physdev-is-bridged --physdev-in veth+ -j X": (
        "-m physdev --physdev-in veth+ --physdev-is-bridged -j X"
    ),
    "-j MARK --or-mark 0x4000": "-j MARK --set-xmark 0x4000/0x4000",
    "-j MARK --xor-mark 0x4000": "-j MARK --set-xmark 0x4000/0x0",
    "-j MARK --and-mark 0x4000": "-j MARK --set-xmark 0x0/0xffffbfff",
    "-j MARK --set-mark 5": "-j MARK --set-xmark 0x5/0xffffffff",
    "-j CONNMARK --restore-mark": (
        "-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff"
    ),
    "-p tcp -j DNAT --to 10.0.0.1:80": "-p tcp -j DNAT --to-destination 10.0.0.1:80",
    "-j X": "-j X",
    "-j X -p tcp --dport 80": "-p tcp -m tcp --dport 80 -j X",
    "-j DNAT -p tcp --to-destination 10.0.0.1:80": "-p tcp -j DNAT --to-destination 10.0.0.1:80",
    '-m comment --comment "not -j DROP" -j X': '-m comment --comment "not -j DROP" -j X',
    '-j X -m comment --comment "not -j DROP"': '-m comment --comment "not -j DROP" -j X',
    "-m comment --comment only": "-m comment --comment only",
}
ELSEWHERE = {
    "POSTROUTING": {
        "-p tcp -j MASQUERADE --random-fully --to-ports 1024-1027": (
            "-p tcp -j MASQUERADE --to-ports 1024-1027 --random-fully"
        ),
        "-j SNAT --to 10.0.0.1": "-j SNAT --to-source 10.0.0.1",
        "-p udp -j SNAT --to-source 10.0.0.1:1-9": "-p udp -j SNAT --to-source 10.0.0.1:1-9",
        "-m physdev --physdev-out veth1 -j ACCEPT": "-m physdev --physdev-out veth1 -j ACCEPT",
    },
    "INPUT": {
        "-j REJECT": "-j REJECT --reject-with icmp-port-unreachable",
        "-p tcp -j REJECT --reject-with tcp-reset": "-p tcp -j REJECT --reject-with tcp-reset",
        "-m state --state RELATED,NEW -j DROP": "-m state --state NEW,RELATED -j DROP",
    },
}
TABLE_OF = {"PREROUTING": "nat", "POSTROUTING": "nat", "INPUT": "filter"}
EVERY_FORM = {"PREROUTING": NORMAL_FORMS, **ELSEWHERE}


@pytest.mark.parametrize(
    ("written", "printed"), [pair for forms in EVERY_FORM.values() for pair in forms.items()]
)
def test_every_rule_has_one_normal_form(written, printed):
    assert parse_rule(written).text == printed
    assert parse_rule(printed).text == printed


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("chain", EVERY_FORM)
def test_the_normal_form_is_what_iptables_save_prints(chain, variant):
    rules = "\n".join(f"-A {chain} {written}" for written in EVERY_FORM[chain])
    printed = loaded(f"*{TABLE_OF[chain]}\n:X - [0:0]\n{rules}\nCOMMIT", variant=variant)
    lines = [line for line in printed.splitlines() if line.startswith("-A")]
    assert lines == [f"-A {chain} {form}" for form in EVERY_FORM[chain].values()]


addresses = st.ip_addresses(v=4).map(str)
networks = st.builds("{}/{}".format, addresses, st.integers(1, 32))
ports = st.integers(1, 65535)
marks = st.builds("{:#x}/{:#x}".format, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
maybe_not = st.sampled_from(["", "! "])
chances = st.floats(0, 1, width=32).map("{:.10f}".format)
headers = st.lists(
    st.one_of(
        st.builds("{}-s {}".format, maybe_not, networks),
        st.builds("{}-d {}".format, maybe_not, networks),
        st.builds("{}-i {}".format, maybe_not, st.sampled_from(["eth0", "veth+", "cbr0"])),
    ),
    max_size=3,
    unique_by=lambda option: option.split("-")[1][0],
)
matches = st.one_of(
    st.builds("-m mark {}--mark {}".format, maybe_not, marks),
    st.builds("-m statistic --mode random {}--probability {}".format, maybe_not, chances),
    st.builds("-m comment --comment {}".format, st.sampled_from(["x", '"a/b:c"', '"it\\\'s"'])),
    st.builds("-m addrtype {}--dst-type LOCAL".format, maybe_not),
    st.builds("-p tcp -m tcp {}--dport {}".format, maybe_not, ports),
    st.builds("-p udp --sport {}:65535".format, ports),
    st.builds("-m recent --rcheck --seconds {} --name L --reap".format, st.integers(1, 9999)),
    st.builds("-m conntrack {}--ctstate NEW,ESTABLISHED".format, maybe_not),
)
targets = st.one_of(
    st.sampled_from(["-j X", "-g X", "-j RETURN", "-j ACCEPT", ""]),
    st.builds("-j MARK --{}-mark {:#x}".format, st.sampled_from(["or", "xor", "and", "set"]),
              st.integers(0, 2**32 - 1)),
    st.builds("-j DNAT --to-destination {}".format, addresses),
)  # fmt: skip


@st.composite
def rules(draw):
    words = [*draw(headers), draw(matches)]
    draw(st.randoms()).shuffle(words)
    return " ".join([*words, draw(targets)])


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(rules(), min_size=5, max_size=40), st.sampled_from(VARIANTS))
def test_whatever_is_written_comes_back_from_the_kernel_in_normal_form(written, variant):
    lines = "\n".join(f"-A PREROUTING {rule}" for rule in written)
    ruleset = parse(f"*nat\n:X - [0:0]\n{lines}\nCOMMIT")
    assert parse(loaded(ruleset.text(), variant=variant)) == ruleset
    assert parse(loaded(f"*nat\n:X - [0:0]\n{lines}\nCOMMIT", variant=variant)) == ruleset


BASE = """
*filter
:KUBE-FORWARD - [0:0]
:OLD - [0:0]
-A FORWARD -j KUBE-FORWARD
-A FORWARD -j OLD
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
-A OLD -j DROP
COMMIT
*nat
:SVC - [0:0]
-A PREROUTING -j SVC
COMMIT
"""
SYNCS = {
    "a chain is filled anew": "*nat\n:SVC - [0:0]\n:SEP - [0:0]\n-A SVC -j SEP\nCOMMIT",
    "rules are put first, in place, and away": (
        "*filter\n-I FORWARD -s 10.0.0.1 -j DROP\n-I FORWARD 2 -s 10.0.0.2 -j DROP\n"
        "-D FORWARD -j OLD\n-R OLD 1 -j ACCEPT\nCOMMIT"
    ),
    "a chain goes": "*filter\n:OLD - [0:0]\n-D FORWARD -j OLD\n-X OLD\nCOMMIT",
    "a policy, and a chain of the kernel is kept": "*filter\n:FORWARD DROP [0:0]\nCOMMIT",
    "emptied": "*filter\n-F FORWARD\n-P INPUT DROP\n-N NEW\n-A NEW -j RETURN\nCOMMIT",
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("sync", SYNCS.values(), ids=SYNCS)
def test_a_partial_sync_does_what_iptables_restore_noflush_does(sync, variant):
    assert parse(loaded(BASE, sync, variant=variant)) == parse(BASE).apply(sync)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("-A FORWARD -m time --timestart 08:00 -j DROP", "'time'"),
        ("-A FORWARD -j TPROXY --on-port 1", "TPROXY"),
        ("-A FORWARD -j LOG", "'LOG'"),
        ("-A FORWARD -m tcp -p tcp --tcp-option 3 -j DROP", "--tcp-option"),
        ("-A FORWARD -m statistic --mode nth --every 3 -j DROP", "'nth'"),
        ("-A FORWARD -s 10.0.0.1,10.0.0.2 -j DROP", "10.0.0.1,10.0.0.2"),
        ("-A FORWARD -p tcp --dport http -j DROP", "'http'"),
        ("-A FORWARD --dport 80 -j DROP", "--dport"),
        ("-A FORWARD -j NOWHERE", "'NOWHERE'"),
        ("-A NOWHERE -j DROP", "'NOWHERE'"),
        ("-A FORWARD -j MARK", "--set-xmark"),
        ("-A FORWARD -m statistic --mode random -j DROP", "--probability"),
        ("-A FORWARD -m recent --name X -j DROP", "--rcheck"),
        ("-A FORWARD ! -s 0.0.0.0/0 -j DROP", "matches nothing"),
        ("-A FORWARD -j DROP -s", "ends too early"),
        ("-A FORWARD ! -j DROP", "'!'"),
        ("-A FORWARD -s 10.0.0.1 -s 10.0.0.2 -j DROP", "twice"),
        ("-E OLD NEW", "-E"),
        ("-X X", "still has rules"),
        ("-A X -j FORWARD", "'FORWARD'"),
        ("-A X -j X", "jumps back"),
        ("-D FORWARD -j DROP", "does not stand"),
        ("-D FORWARD 9", "no place"),
        ("-P FORWARD REJECT", "no policy"),
    ],
)
def test_what_the_course_does_not_know_is_refused_by_name(line, named):
    with pytest.raises(InputError) as caught:
        parse(f"*filter\n:X - [0:0]\n-A X -j RETURN\n{line}\nCOMMIT")
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "*broute\nCOMMIT",
        "-A X -j Y",
        "*nat\n-A PREROUTING -j ACCEPT",
        "*nat\n-A PREROUTING -j ACCEPT\n*filter\nCOMMIT",
    ],
)
def test_text_that_is_no_ruleset_is_refused(text):
    with pytest.raises(InputError):
        parse(text)


def test_nothing_is_a_ruleset_and_remarks_and_counters_say_nothing():
    assert parse("") == Ruleset()
    counted = "# made by hand\n*nat\n:PREROUTING ACCEPT [12:720]\n[3:180] -A PREROUTING -j RETURN\n"
    assert parse(counted + "COMMIT\n") == parse("*nat\n-A PREROUTING -j RETURN\nCOMMIT")


def test_a_chain_that_does_not_change_is_the_same_value():
    before = parse(BASE)
    after = before.apply(SYNCS["a chain is filled anew"])
    assert after.tables["filter"] is before.tables["filter"]
    assert after.chain("nat", "PREROUTING") is before.chain("nat", "PREROUTING")


@pytest.mark.parametrize(
    ("sync", "named"),
    [
        ("-X LAST", "'LAST' is no chain"),
        (":LAST - [0:0]\n-A LAST -j FIRST", "jumps back"),
        ("-A LAST -g MIDDLE", "jumps back"),
        (":NEW - [0:0]\n-A NEW -j NOWHERE", "'NOWHERE' is no chain"),
    ],
)
def test_a_partial_sync_is_checked_against_the_chains_that_it_leaves_alone(sync, named):
    chains = "".join(f":{name} - [0:0]\n" for name in ("FIRST", "MIDDLE", "LAST", "OTHER"))
    rules = "-A PREROUTING -j FIRST\n-A FIRST -j MIDDLE\n-A MIDDLE -j LAST\n-A OTHER -j LAST\n"
    base = parse(f"*nat\n{chains}{rules}COMMIT")
    with pytest.raises(InputError, match=named):
        base.apply(f"*nat\n{sync}\nCOMMIT")


def test_deep_chains_are_read_without_running_out_of_stack():
    count = 3000
    made = "".join(f":C{n} - [0:0]\n" for n in range(count))
    jumps = [f"-A C{n} -j C{n + 1}" for n in range(count - 1)]
    random.Random(1).shuffle(jumps)
    assert len(parse(f"*nat\n{made}" + "\n".join(jumps) + "\nCOMMIT").tables["nat"]) == count + 4
