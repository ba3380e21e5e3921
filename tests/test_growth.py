"""What breaks first as a cluster grows, and how much room is left."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.addresses import parse_range
from course.cluster import NodePool
from course.design import Design, Pool, Services, Subnet
from course.errors import InputError
from course.facts import all_facts, number
from course.finding import Limit, Severity
from course.networks import all_models, model
from course.planner import growth as growth_module
from course.planner.comparison import plan
from course.planner.growth import Growth, built, head_room, outlook
from course.planner.search import first
from course.sizing import kubenet, node_subnet, pod_subnet
from course.sizing.pod_range import nodes_served

MODELS = st.sampled_from(all_models())
surges = st.one_of(st.integers(0, 20), st.integers(0, 100).map("{}%".format))
few = settings(max_examples=25, deadline=None)


@st.composite
def pools(draw, name):
    nodes = draw(st.integers(0, 60))
    most = draw(st.none() | st.integers(nodes, 120))
    pods = draw(st.none() | st.integers(0, 120))
    max_pods = draw(st.none() | st.integers(10, 110))
    return Pool(name, nodes, None, most, max_pods, draw(surges), pods)


@st.composite
def designs(draw):
    """Two pools; their subnets are named, or left to the planner to propose."""
    named = {
        "nodes": f"10.240.0.0/{draw(st.integers(18, 27))}",
        "pods": f"10.240.128.0/{draw(st.integers(17, 25))}",
    }
    return Design(
        tier=draw(st.sampled_from(["Free", "Standard"])),
        pools=(draw(pools("system")), draw(pools("user"))),
        subnets=tuple(Subnet(name, parse_range(named[name])) for name in draw(
            st.sampled_from([(), ("nodes",), ("nodes", "pods")])
        )),
        pod_range=draw(st.none() | st.integers(12, 20).map(lambda n: parse_range(f"10.0.0.0/{n}"))),
    )  # fmt: skip


def with_pool(design, name, **changes):
    return replace(
        design,
        pools=tuple(replace(p, **changes) if p.name == name else p for p in design.pools),
    )


def grown(found, growth, value):
    """The design with this value in place, planned whole."""
    pool = next(pool for pool in found.design.pools if pool.name == growth.pool)
    nodes = "nodes" if pool.max_nodes is None else "max_nodes"
    changes = {
        "nodes": {nodes: value},
        "max-pods": {"max_pods": value},
        "max-surge": {"max_surge": f"{value}%" if growth.unit else value},
    }
    return plan(with_pool(found.design, growth.pool, **changes[growth.what]), found.model)


def refused(planned):
    """Whether a limit, or a range that is free nowhere, makes AKS refuse the plan."""
    broken = (each for each in planned.limits if each.broken)
    return any(each.severity is Severity.ERROR for each in broken) or any(
        demand.range is None for demand in planned.demands
    )


@few
@given(designs(), MODELS)
def test_so_much_more_works_and_one_more_does_not(design, network):
    found = outlook(design, network)
    for each in found.growths:
        if each.broken_now:
            assert each.left == 0
            assert refused(grown(found, each, each.now))
            continue
        assert not refused(grown(found, each, each.now + each.left))
        if each.breaks:
            assert refused(grown(found, each, each.now + each.left + 1))
        else:
            assert each.now + each.left == each.end


@few
@given(designs(), MODELS)
def test_what_breaks_is_what_the_plan_finds_broken_there(design, network):
    found = outlook(design, network)
    for each in found.growths:
        for broken in each.breaks:
            assert broken.at == each.breaks_at
            assert broken.limit.broken
            told = [one.what for one in grown(found, each, broken.at).errors]
            free_nowhere = "for which no range is free" in broken.limit.what
            assert free_nowhere or any(broken.limit.what[1:] in one for one in told)


@few
@given(designs(), MODELS)
def test_warnings_come_in_order_before_the_first_error(design, network):
    for each in outlook(design, network).growths:
        values = [warned.at for warned in each.warnings]
        assert values == sorted(values)
        for warned in each.warnings:
            assert warned.limit.severity is Severity.WARNING
            assert warned.limit.broken
            assert each.broken_now or each.breaks_at is None or warned.at < each.breaks_at


@few
@given(st.integers(10, 110), surges, st.integers(17, 26), st.integers(1, 5), MODELS)
def test_a_larger_subnet_never_takes_fewer_nodes(max_pods, surge, prefix, nodes, network):
    def left(length):
        subnets = (
            Subnet("nodes", parse_range(f"10.240.0.0/{length}")),
            Subnet("pods", parse_range("10.241.0.0/18")),
        )
        pool = Pool(nodes=nodes, max_pods=max_pods, max_surge=surge)
        vnet = (parse_range("10.240.0.0/15"),)
        design = Design(pools=(pool,), vnet=vnet, subnets=subnets)
        return outlook(design, network).growth("system", "nodes").left

    assert left(prefix - 1) >= left(prefix)


def largest_pool(network, prefix, pool, **design):
    """How many nodes one pool can grow to, from none, with subnets of this length."""
    subnets = (
        Subnet("nodes", parse_range(f"10.240.0.0/{prefix}")),
        Subnet("pods", parse_range(f"10.240.128.0/{prefix}")),
    )
    # of Services there are none, so that only addresses count
    asked = Design(pools=(pool,), subnets=subnets, services=Services(public=0), **design)
    return outlook(asked, model(network)).growth("system", "nodes").left


@few
@given(st.integers(17, 29), st.integers(10, 250), surges)
def test_nodes_of_a_node_subnet_are_the_inverse_of_its_requirement(prefix, max_pods, surge):
    use = node_subnet.SubnetUse(node_subnet.Plan(NodePool(0, max_pods, surge)), prefix)
    pool = Pool(nodes=0, max_pods=max_pods, max_surge=surge)
    assert largest_pool("node-subnet", prefix, pool) == use.largest_pool


@few
@given(st.integers(17, 29), st.integers(10, 250), st.integers(0, 100).map("{}%".format))
def test_so_many_nodes_grow_as_the_capacity_of_a_node_subnet_says(prefix, max_pods, surge):
    # a max-surge in percent: as a number, capacity sets it aside in full, however small the pool
    most = node_subnet.capacity(prefix, max_pods, surge)
    pool = Pool(nodes=0, max_pods=max_pods, max_surge=surge)
    if most.max_nodes + 1 < number("azure.vmss_max_instances") // 2:
        assert largest_pool("node-subnet", prefix, pool) == most.max_nodes


@few
@given(st.integers(20, 29))
def test_idle_nodes_of_a_pod_subnet_are_as_many_as_it_can_start(prefix):
    pool = Pool(nodes=0, max_pods=30, max_surge=0, pods=0)
    found = largest_pool("pod-subnet-dynamic", prefix, pool)
    nodes = Subnet("nodes", parse_range(f"10.240.0.0/{prefix}")).range.size
    assert found == min(pod_subnet.max_nodes_at_start(prefix), nodes - 5)


@few
@given(st.integers(20, 29), st.integers(1, 15))
def test_full_nodes_of_a_pod_subnet_draw_it_to_its_last_batch(prefix, batches):
    # with whole batches, for max-pods cuts the last one short
    pool = Pool(nodes=0, max_pods=16 * batches, max_surge=0)
    found = largest_pool("pod-subnet-dynamic", prefix, pool)
    assert found == pod_subnet.FullPodSubnet(prefix, 16 * batches).full_nodes


@few
@given(st.integers(20, 29), st.integers(14, 24))
def test_kubenet_ends_at_its_capacity(prefix, length):
    """Its capacity counts no surge nodes apart: so it is the inverse for max-surge 0 only."""
    pool = Pool(nodes=0, max_pods=110, max_surge=0)
    found = largest_pool("kubenet", prefix, pool, pod_range=parse_range(f"10.0.0.0/{length}"))
    assert found == kubenet.capacity(prefix, length, 110).max_nodes


@few
@given(st.integers(14, 24))
def test_overlay_nodes_are_the_slash_24s_of_its_pod_range(length):
    pool = Pool(nodes=0, max_surge=0)
    found = largest_pool("overlay", 20, pool, pod_range=parse_range(f"10.0.0.0/{length}"))
    assert found == min(nodes_served(length), number("aks.max_nodes_per_pool"))


@given(designs(), MODELS)
@few
def test_what_was_proposed_is_what_will_be_built(design, network):
    planned = plan(design, network)
    again = plan(built(planned), network)
    assert not any(demand.proposed for demand in again.demands)
    assert [d.range for d in again.demands] == [d.range for d in planned.demands]
    assert built(again) == built(planned)


def test_a_proposed_subnet_does_not_grow_along():
    design = Design(pools=(Pool("system", nodes=50, max_pods=30, max_surge=1),))
    grows = outlook(design, model("node-subnet")).growth("system", "nodes")
    assert grows.left == 14  # a /21 has 2,043 addresses: 65 nodes, and one that surges, of 31 each
    assert (2043 // 31) - 1 == grows.now + grows.left == 64


def test_an_autoscaled_pool_grows_beyond_its_most_nodes():
    design = Design(pools=(Pool("system", nodes=3, max_nodes=390, max_surge=1),))
    grows = outlook(design, model("kubenet")).growth("system", "nodes")
    assert (grows.now, grows.left) == (390, 9)
    assert [each.limit.id for each in grows.breaks] == ["routes"]


def test_what_is_broken_already_cannot_grow_and_says_why():
    design = Design(pools=(Pool("system", nodes=500), Pool("user", nodes=1)))
    found = outlook(design, model("kubenet"))
    assert all(each.broken_now and each.left == 0 for each in found.growths)
    assert "500" in found.growth("system", "nodes").explain()
    assert "broken already" in found.growth("user", "max-surge").explain()


def test_where_no_range_is_free_nothing_can_grow():
    tiny = Design(vnet=(parse_range("10.240.0.0/29"),))
    grows = outlook(tiny, model("node-subnet")).growth("system", "nodes")
    assert grows.broken_now
    assert "no range is free" in grows.breaks[0].limit.what
    assert head_room(plan(tiny, model("node-subnet")))[0].share_text == "there is none"


def test_more_pods_a_node_need_a_new_pool():
    design = Design(pools=(Pool("system", nodes=50, max_pods=30, max_surge=1),))
    for network in all_models():
        grows = outlook(design, network).growth("system", "max-pods")
        assert "aks.max_pods_changeable" in grows.facts
        assert "make a new pool" in grows.explain()
    assert outlook(design, model("overlay")).growth("system", "max-pods").left == 220
    assert outlook(design, model("node-subnet")).growth("system", "max-pods").left == 9


def test_pods_grow_along_with_max_pods_unless_their_number_is_given():
    def breaks_at(pods):
        pool = Pool("system", nodes=7, max_pods=30, max_surge=1, pods=pods)
        design = Design(pools=(pool,), subnets=(Subnet("pods", parse_range("10.240.2.0/23")),))
        return outlook(design, model("pod-subnet-dynamic")).growth("system", "max-pods").breaks_at

    assert breaks_at(None) == 63  # 8 x (63 + 1) = 512 of 507
    assert breaks_at(30) is None


def test_a_surge_in_percent_ends_at_the_whole_pool_and_a_number_at_its_nodes():
    share = Design(pools=(Pool("system", nodes=10, max_surge="10%"),))
    grows = outlook(share, model("overlay")).growth("system", "max-surge")
    assert (grows.unit, grows.end, grows.shown(grows.now)) == ("%", 100, "10%")
    fixed = with_pool(share, "system", max_surge=1)
    assert outlook(fixed, model("overlay")).growth("system", "max-surge").end == 10
    beyond = with_pool(share, "system", max_surge=50)
    assert outlook(beyond, model("overlay")).growth("system", "max-surge").left == 0


def test_a_subnet_full_to_its_upgrade_leaves_no_surge():
    pool = Pool("system", nodes=7, max_pods=30, max_surge=1)
    subnet = Subnet("nodes", parse_range("10.240.0.0/24"))
    found = outlook(Design(pools=(pool,), subnets=(subnet,)), model("node-subnet"))
    grows = found.growth("system", "max-surge")
    assert (grows.breaks_at, grows.left) == (2, 0)
    (broken,) = grows.breaks
    assert (broken.limit.used, broken.limit.most) == (9 * 31, 251)
    text = grows.explain()
    for part in ("279 of 251", "Pre-allocated IPs 279 exceeds IPs available 251", "Give it a /23"):
        assert part in text


def test_the_free_tier_warns_before_anything_breaks():
    subnet = Subnet("nodes", parse_range("10.240.0.0/24"))
    design = Design(tier="Free", pools=(Pool(nodes=3, max_surge=1),), subnets=(subnet,))
    found = outlook(design, model("overlay"))
    grows = found.growth("system", "nodes")
    (first, *_) = grows.warnings
    assert first.at == number("aks.free_tier_recommended_nodes") + 1
    assert first.limit.fact == "aks.free_tier_recommended_nodes"
    assert "warning from" in grows.explain()


@given(designs(), MODELS)
@few
def test_head_room_names_every_limit_the_tightest_first(design, network):
    planned = plan(design, network)
    rooms = head_room(planned)
    assert {each.limit for each in rooms} >= set(planned.limits)
    shares = [each.share for each in rooms]
    assert shares == sorted(shares, reverse=True)
    for each in rooms:
        assert (each.share > 1) == each.limit.broken
        percent = each.share_text.removesuffix("%").replace(",", "")
        assert percent == "there is none" or (int(percent) > 100) == each.limit.broken


@few
@given(designs(), MODELS)
def test_everything_rests_on_facts_and_can_be_explained(design, network):
    found = outlook(design, network)
    assert network.title in found.explain()
    for each in found.growths:
        assert set(each.facts) <= set(all_facts())
        assert each.explain().startswith(f"How far {each.what} of pool {each.pool} can grow")


@pytest.mark.parametrize("network", all_models(), ids=lambda each: each.id)
@pytest.mark.parametrize("nodes", [3, 300])
def test_the_search_looks_a_few_times_whatever_the_number_of_nodes(monkeypatch, network, nodes):
    looks = []
    whole = growth_module._limits
    monkeypatch.setattr(growth_module, "_limits", lambda *a: looks.append(a) or whole(*a))
    pools = (Pool("system", nodes, max_pods=30), Pool("user", 10, max_nodes=20, max_surge=2))
    design = Design(tier="Free", pools=pools)
    outlook.cache_clear()
    known = outlook(design, network)
    assert 0 < len(looks) <= 60
    looks.clear()
    assert outlook(design, network) is known
    assert looks == []


@few
@given(designs(), MODELS)
def test_what_is_too_large_is_told_how_much_of_it_would_fit(design, network):
    found = outlook(design, network)
    for each in found.growths:
        pool = next(pool for pool in found.design.pools if pool.name == each.pool)
        if each.fits is None:
            continue
        assert each.what == "nodes"
        assert each.broken_now
        for nodes, too_many in ((each.fits, False), (each.fits + 1, True)):
            most = None if pool.max_nodes is None else nodes
            fewer = {"nodes": min(pool.nodes, nodes), "max_nodes": most}
            planned = plan(with_pool(found.design, each.pool, **fewer), network)
            assert refused(planned) is too_many


def test_an_autoscaled_pool_that_is_too_large_fits_up_to_some_nodes():
    pool = Pool("user", nodes=3, min_nodes=2, max_nodes=20, max_pods=30, max_surge=1)
    design = Design(pools=(pool,), subnets=(Subnet("nodes", parse_range("10.240.0.0/24")),))
    grows = outlook(design, model("node-subnet")).growth("user", "nodes")
    assert (grows.broken_now, grows.left, grows.fits) == (True, 0, 7)  # (7 + 1) x 31 = 248 of 251
    assert "fits up to 7" in grows.explain()
    assert outlook(design, model("overlay")).growth("user", "nodes").fits is None
    alone = with_pool(design, "user", nodes=1, min_nodes=1)
    assert outlook(alone, model("node-subnet")).growth("user", "nodes").fits == 7
    # another pool alone is too large: with none of these nodes it is broken still
    other = replace(design, pools=(pool, replace(pool, name="web", max_nodes=3)))
    assert outlook(other, model("node-subnet")).growth("web", "nodes").fits is None


class Cabled(type(model("overlay"))):
    """A model that nobody has heard of: every node takes a port of a switch."""

    id, title = "cabled", "Cabled"

    def limits(self, design):
        return (
            Limit("ports", "ports of the switch", design.peak_nodes, 48,
                  "azure.route_table_routes", "Buy a larger switch."),
            Limit("lamps", "lamps of the switch", design.planned_nodes, 40,
                  "azure.route_table_routes", "Look at fewer.", severity=Severity.WARNING),
        )  # fmt: skip


def test_a_model_that_is_new_grows_by_its_own_limits():
    subnet = Subnet("nodes", parse_range("10.240.0.0/24"))
    found = outlook(Design(pools=(Pool(nodes=3, max_surge=2),), subnets=(subnet,)), Cabled())
    grows = found.growth("system", "nodes")
    assert isinstance(grows, Growth)
    # the proposed pod range, for 5 nodes, is the default of AKS: for 256
    assert [(each.limit.id, each.at) for each in grows.breaks] == [("ports", 47)]
    assert [(each.limit.id, each.at) for each in grows.warnings] == [("lamps", 41)]


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=60).map(sorted), st.integers(0, 40), st.data()
)
def test_the_search_finds_the_first_whatever_the_steps_in_which_it_grows(used, most, data):
    now = data.draw(st.integers(0, len(used) - 1))

    def at(value):
        return {"a": Limit("a", "steps", used[value], most, "azure.route_table_routes", "")}

    too_much = [value for value in range(now, len(used)) if used[value] > most]
    assert first(now, len(used) - 1, at) == (too_much[0] if too_much else None)


def test_what_does_not_grow_is_refused():
    with pytest.raises(InputError, match="There are nodes of system, max-pods of system"):
        outlook(Design(), model("overlay")).growth("user", "nodes")
