"""What lesson 03 shows of the CNI contract: one call, the reservations, the lists of AKS nodes."""

from __future__ import annotations

import re

import pytest

from course.cni import host_local
from course.errors import InputError
from course.scenarios import small_cluster
from course.views import list_explorer, plugin_call
from course.views.cni import CHOICES, slots
from course.world import build

WORLD = build(small_cluster("kubenet"))
RANGE = "10.99.0.0/29"


def drawn(picture):
    """All text of a drawing."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture.drawing)


class TestACallOfAPlugin:
    def test_it_shows_what_goes_in_which_program_runs_and_what_comes_out(self):
        told = drawn(plugin_call(WORLD.calls["web-1"][0]))
        for words in (
            "CNI_COMMAND=ADD", "CNI_NETNS=/run/netns/web-1", "bridge", "host-local",
            "ipam range: 10.244.0.0/24", "address 10.244.0.2/24, gateway 10.244.0.1",
        ):  # fmt: skip
            assert words in told

    def test_a_plugin_that_is_called_second_is_handed_the_result_of_the_first(self):
        bridge, portmap = (drawn(plugin_call(call)) for call in WORLD.calls["web-1"])
        handed = "prevResult: what the plugin before printed"
        assert handed in portmap
        assert handed not in bridge
        assert "host-local" not in portmap

    def test_its_words_say_the_same_as_the_drawing(self):
        picture = plugin_call(WORLD.calls["web-1"][0])
        words = " ".join(picture.words)
        titles = {line for line in drawn(picture) if ":" in line and "=" not in line}
        assert titles
        assert all(line in words for line in titles)


class TestReservations:
    def test_network_gateway_and_broadcast_are_never_free(self):
        kinds = [line.split(": ")[1] for line in slots(RANGE, {}).words]
        assert kinds == ["network", "gateway", *["free"] * 5, "broadcast"]

    def test_the_rest_is_what_host_local_has_to_give(self):
        conf, store, count = {"ipam": {"subnet": RANGE}}, host_local.Store(), 0
        while True:
            try:
                _, store = host_local.add(conf, f"pod-{count}", "eth0", store)
            except InputError:
                break
            count += 1
        free = [line for line in slots(RANGE, {}).words if line.endswith("free")]
        assert len(free) == count

    def test_a_reservation_whose_owner_does_not_run_is_stale(self):
        picture = slots(RANGE, {"10.99.0.2": "mine", "10.99.0.4": "gone"}, ["mine"])
        assert "10.99.0.2: reserved mine" in picture.words
        assert "10.99.0.4: stale gone" in picture.words

    def test_where_nothing_runs_all_are_stale_and_where_nobody_knows_none_is(self):
        owners = {"10.99.0.2": "a", "10.99.0.3": "b"}
        assert "2 stale" in slots(RANGE, owners, []).alt
        assert "2 reserved" in slots(RANGE, owners).alt

    def test_stale_is_told_by_pattern_line_and_text(self):
        stale, fine = (slots(RANGE, {"10.99.0.4": "a"}, [who]).drawing for who in ("b", "a"))
        for told in ('fill="url(#stale)"', 'stroke-width="3"', ">stale<"):
            assert told in stale
            assert told not in fine

    @pytest.mark.parametrize("subnet", ["10.0.0.0/24", "10.0.0.0/31"])
    def test_a_range_that_cannot_be_drawn_is_refused(self, subnet):
        with pytest.raises(InputError, match="for this picture"):
            slots(subnet, {})


class TestTheExplorerOfLists:
    def test_it_shows_each_list_field_by_field_and_what_each_field_says(self):
        explorer = list_explorer()
        for name in CHOICES:
            explorer.choice.value = name
            rows = re.findall(r"<tr .*?</tr>", explorer.result.value)
            assert len(rows) > 5, name
            assert all(re.search(r"<td[^>]*>[^<]+</td></tr>", row) for row in rows), name

    @pytest.mark.parametrize(
        ("name", "ipam"),
        [
            ("kubenet, node range 10.244.0.0/24", "host-local"),
            ("Azure CNI, node subnet", "azure-vnet-ipam"),
            ("Azure CNI Overlay", "azure-cns"),
            ("Azure CNI powered by Cilium", "azure-ipam"),
        ],
    )
    def test_it_tells_who_gives_the_addresses(self, name, ipam):
        explorer = list_explorer()
        explorer.choice.value = name
        assert f"<code>{ipam}</code>" in explorer.result.value
