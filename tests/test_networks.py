"""What each model takes of which range: rules for every design, and documented numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from netaddr import IPNetwork

from course import networks
from course.addresses import canonical
from course.design import Design, Pool, Subnet
from course.facts import fact
from course.networks import all_models, model
from course.planner.comparison import compare, plan
from course.working import as_text
from tests.designs import designs, pools, ranges, surges

MODELS = all_models()
some = settings(max_examples=40, deadline=None)  # a whole design is much to draw
every_model = pytest.mark.parametrize("each", MODELS, ids=lambda each: each.id)


def needed(each, design):
    return {
        (demand.kind, demand.name): demand.needed for demand in each.demands(each.settle(design))
    }


def one_pool(nodes, **more):
    return Design(pools=(Pool("system", nodes, **more),))


def only_demand(model_id, kind, design):
    found = plan(design, model(model_id))
    (demand,) = (each for each in found.demands if each.kind == kind)
    return demand, as_text(demand.name, demand.working)


class TestDocumentedNumbers:
    def test_50_nodes_with_30_pods_each_take_1581_addresses_of_a_node_subnet(self):
        design = one_pool(50, max_pods=30, max_surge=1)
        demand, text = only_demand("node-subnet", "node subnet", design)
        assert (demand.needed, demand.min_prefix) == (1581, 21)
        for step in ("50 + 1", "30 for pods + 1 for the node", "51 x 31", "1,581", "/21"):
            assert step in text

    def test_10_nodes_take_341_while_they_are_upgraded(self):
        demand, text = only_demand("node-subnet", "node subnet", one_pool(10, max_pods=30))
        assert (demand.needed, demand.min_prefix) == (341, 23)
        assert "10% of 10, rounded up" in text
        assert "11 x 31" in text

    def test_5000_overlay_nodes_take_a_pod_range_of_a_slash_11(self):
        design = Design(pools=tuple(Pool(f"p{i}", 1000, max_surge=0) for i in range(5)))
        demand, text = only_demand("overlay", "pod range", design)
        assert demand.min_prefix == 11
        assert "5,000 x 256" in text
        assert "1,280,000" in text

    def test_an_idle_node_with_dynamic_allocation_takes_17_addresses(self):
        design = one_pool(1, pods=0, max_surge=0)
        demand, text = only_demand("pod-subnet-dynamic", "pod subnet", design)
        assert demand.needed == 17
        assert "1 x 16 + 1 for the node" in text

    def test_a_slash_24_pod_subnet_starts_14_nodes(self):
        subnets = (Subnet("pods", IPNetwork("10.240.1.0/24")),)
        dynamic = model("pod-subnet-dynamic")
        for nodes, works in ((14, True), (15, False)):
            design = replace(one_pool(nodes, pods=0, max_surge=0), subnets=subnets)
            assert plan(design, dynamic).works is works

    def test_5_overlay_nodes_are_refused_in_a_slash_22(self):
        design = replace(one_pool(4, max_surge=1), pod_range=IPNetwork("10.244.100.0/22"))
        (error,) = plan(design, model("overlay")).errors
        assert "Pre-allocated IPs 1280 exceeds IPs available 1024" in error.refusal
        assert "10.244.100.0/22, Subnet Name networkProfile.podCIDR" in error.refusal

    def test_10_nodes_are_refused_in_a_slash_24_node_subnet(self):
        subnets = (Subnet("nodes", IPNetwork("10.240.1.0/24")),)
        design = replace(one_pool(10, max_pods=30, max_surge=1), subnets=subnets)
        (error,) = plan(design, model("node-subnet")).errors
        assert "InsufficientSubnetSize: Pre-allocated IPs 310 exceeds IPs available 251" in (
            error.refusal
        )


@every_model
class TestEveryModel:
    @some
    @given(design=designs(), more=st.integers(1, 500), where=st.integers(0, 2))
    def test_more_nodes_never_need_fewer_addresses(self, each, design, more, where):
        where %= len(design.pools)
        grown = list(design.pools)
        pool = grown[where]
        most = None if pool.max_nodes is None else pool.max_nodes + more
        grown[where] = replace(pool, nodes=pool.nodes + more, max_nodes=most)
        before, after = needed(each, design), needed(each, replace(design, pools=tuple(grown)))
        assert all(after[name] >= before[name] for name in before)

    @some
    @given(pool=pools(), surge=surges, more=st.integers(1, 100))
    def test_more_pods_or_more_surge_never_need_fewer_addresses(self, each, pool, surge, more):
        pool = replace(pool, max_pods=pool.max_pods or 30, pods=None)
        design = Design(pools=(pool,))
        with_pods = Design(pools=(replace(pool, max_pods=pool.max_pods + more),))
        for name, before in needed(each, design).items():
            assert needed(each, with_pods)[name] >= before
        one, all_of_them = (
            Design(pools=(replace(pool, max_surge=share),)) for share in (surge, "100%")
        )
        assert all(needed(each, all_of_them)[n] >= b for n, b in needed(each, one).items())

    @some
    @given(design=designs(most=300), prefix=st.integers(10, 28))
    def test_what_fits_a_range_fits_every_larger_one(self, each, design, prefix):
        def fits(length):
            spaces = {"nodes": "10.0.0.0", "more": "11.0.0.0", "pods": "12.0.0.0",
                      "others": "13.0.0.0"}  # fmt: skip
            subnets = (Subnet(n, IPNetwork(f"{at}/{length}")) for n, at in spaces.items())
            wide = replace(
                design, subnets=tuple(subnets), pod_range=IPNetwork(f"100.0.0.0/{length}")
            )
            return not any(
                limit.broken
                for limit in plan(wide, each).limits
                if limit.id.startswith(("node subnet", "pod subnet", "pod range"))
            )

        assert fits(prefix - 1) or not fits(prefix)

    @some
    @given(design=designs())
    def test_the_smallest_range_is_large_enough_and_the_next_is_not(self, each, design):
        for demand in each.demands(each.settle(design)):
            if demand.min_prefix is None:
                assert demand.needed + demand.kept > 2**32
                continue
            assert 2 ** (32 - demand.min_prefix) - demand.kept >= demand.needed
            least = 24 if demand.kind == "pod range" else 29
            if demand.min_prefix < least:
                assert 2 ** (31 - demand.min_prefix) - demand.kept < demand.needed

    @some
    @given(design=designs())
    def test_the_shown_working_adds_up(self, each, design):
        for demand in plan(design, each).demands:
            shown = {line.what: line for line in demand.working}
            for line in demand.working:
                assert adds_up(line), line
            assert shown["addresses needed"].result == demand.needed
            assert terms(shown["addresses needed"].how) <= {
                line.result for line in demand.working
            } | {demand.needed} | besides(design, demand) | {256}
        for limit in plan(design, each).limits:
            assert all(adds_up(line) for line in limit.working)

    @some
    @given(design=designs(most=200))
    def test_what_is_proposed_is_free_and_large_enough(self, each, design):
        found = plan(design, each)
        for demand in found.demands:
            if not demand.proposed:
                continue
            assert demand.available >= demand.needed
            subnets = [subnet.range for subnet in design.subnets]
            subnets += [e.range for e in found.demands if e is not demand and e.range is not None]
            beside = [design.service_range]
            beside += [each.range for each in (*design.peered, *design.on_premises)]
            if demand.kind == "pod range":
                others = [*subnets, *beside, *design.vnet]
            else:
                assert any(demand.range in space for space in design.vnet)
                # what surrounds the whole network is a finding, and leaves no place at all
                others = [each for each in (*subnets, *beside) if design.vnet[0] not in each]
                others += [each.range for each in design.subnets]
            for other in others:
                assert demand.range not in other
                assert other not in demand.range

    def test_every_fact_it_names_is_known(self, each):
        named = [reason.fact for reason in (*each.reasons_for, *each.reasons_against)]
        named += [each.data_plane_fact, each.policy_fact, each.system_fact, *each.unmet.values()]
        named += [name for move in each.moves for name in move.facts]
        named += [each.min_kubernetes, each.pod_range_rule, each.pod_range_refusal]
        named.append(each.ends)
        assert all(fact(name).statement for name in named if name)

    @some
    @given(design=designs())
    def test_every_finding_says_what_why_and_what_to_do(self, each, design):
        for finding in plan(design, each).findings:
            assert finding.what.endswith((".", "?")), finding
            assert finding.do.endswith("."), finding
            assert finding.facts
            assert all(fact(name).statement for name in finding.facts)


def besides(design, demand):
    """What a subnet gives besides nodes."""
    given_subnet = design.subnet(demand.name)
    return {design.services.internal, given_subnet.taken if given_subnet else 0}


def terms(how):
    return {int(text.replace(",", "")) for text in re.findall(r"[0-9][0-9,]*", how)}


def adds_up(line):
    """Whether what a line shows gives its result, by a reckoning of the test's own."""
    how = line.how.replace(",", "") if "rounded up" not in line.how else line.how
    if found := re.fullmatch(r"(\d+)% of ([\d,]+), rounded up", line.how):
        share, nodes = int(found[1]), int(found[2].replace(",", ""))
        return line.result == min(nodes, ceil(Fraction(share * nodes, 100)))
    if found := re.fullmatch(r"max-surge (\d+)", line.how):
        return line.result <= int(found[1])
    if isinstance(line.result, str):
        if "=" not in line.how:
            return line.result == "none" or f"{2 ** (32 - int(line.result[1:]))}" in how
        left, right = how.removesuffix(" are left").split("=")
        return reckon(left) == int(right) and line.result.startswith("/")
    up = how.endswith(", rounded up")
    value = reckon(how.removesuffix(", rounded up").replace(",", ""))
    return (ceil(value) if up else value) == line.result


def reckon(text):
    """The value of what is shown; a word beside a number only says what it counts."""
    tokens = re.findall(r"[0-9]+|[A-Za-z][A-Za-z-]*|[-+/()]", text)
    signs = {"x": "*", "+": "+", "-": "-", "/": "/", "(": "(", ")": ")"}
    shown = "".join(
        f"Fraction({token})" if token.isdigit() else signs.get(token, "") for token in tokens
    )
    return eval(shown.replace("()", ""), {"Fraction": Fraction})


@given(ranges(), st.integers(0, 30), st.integers(1, 60))
def test_a_demand_that_fits_leaves_no_address_counted_twice(network, taken, nodes):
    design = replace(
        one_pool(nodes, max_pods=30, max_surge=1), subnets=(Subnet("nodes", network, taken),)
    )
    found = plan(design, model("node-subnet"))
    (limit,) = (each for each in found.limits if each.id == "node subnet nodes")
    assert limit.used == (nodes + 1) * 31 + taken
    assert limit.most == max(0, network.size - 5), canonical(network)


TOY = '''
"""A model of the test's own: two addresses of the node subnet for each node."""
from course.networks.demands import node_subnets
from course.networks.model import NetworkModel
from course.working import Line


class Toy(NetworkModel):
    """Two for each node."""

    id, title, idea, rank = "toy", "Toy model", "two addresses a node", 0

    def default_max_pods(self, choices):
        """Ten."""
        return 10

    def demands(self, design):
        """Two for each node."""
        return node_subnets(design, lambda pool: (Line("a node", "1 + 1", 2),))

    def profile(self):
        """None that AKS knows."""
        return {"networkPlugin": "toy"}


MODEL = Toy()
'''


def test_a_new_model_is_one_file(tmp_path, monkeypatch):
    (tmp_path / "toy_model.py").write_text(TOY)
    monkeypatch.setattr(networks, "__path__", [*networks.__path__, str(tmp_path)])
    found = compare(one_pool(10, max_surge=1))
    assert found.recommended.model.title == "Toy model"
    assert [demand.needed for demand in found.plan("toy").demands] == [22]
