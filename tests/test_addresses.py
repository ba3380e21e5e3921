"""Addresses and ranges: what tests/cases/cidr.yaml does not say."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPNetwork

from course import addresses
from course.addresses import canonical, parse_address, parse_range
from course.errors import InputError

ranges = st.builds(
    lambda start, prefix: IPNetwork((start, prefix), version=4).cidr,
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)


@given(st.text(alphabet="0123456789abcdef.:/%x -+\n١", max_size=24))
def test_reading_is_as_strict_as_the_standard_library_and_never_fails_otherwise(text):
    try:
        expected = str(ipaddress.ip_network(text, strict=True))
    except ValueError:
        expected = None
    if expected is None or "%" in text:  # a range has no interface
        with pytest.raises(InputError, match=re.escape(repr(text))):
            parse_range(text)
    else:
        assert canonical(parse_range(text)) == expected


@given(st.integers(0, 2**128 - 1))
def test_ipv6_is_written_as_rfc_5952_wants_it(value):
    text = canonical(parse_address(ipaddress.IPv6Address(value).exploded))
    assert ipaddress.IPv6Address(text) == ipaddress.IPv6Address(value)
    if value >> 48:  # below, the standard library may write an IPv4 address in its tail
        assert text == str(ipaddress.IPv6Address(value))


@given(ranges, ranges)
def test_overlap_works_both_ways_and_means_a_shared_address(one, other):
    shared = max(one.first, other.first) <= min(one.last, other.last)
    assert addresses.overlaps(one, other) == addresses.overlaps(other, one) == shared


@given(ranges, st.lists(st.tuples(st.integers(8, 32), st.integers(1, 4)), max_size=4))
def test_what_is_carved_out_of_a_pool_and_what_is_left_fill_it_without_overlap(pool, requests):
    wanted = sum(2 ** (32 - prefix) * count for prefix, count in requests)
    if wanted > pool.size:
        with pytest.raises(InputError, match="do not fit"):
            addresses.allocate(pool, requests)
        return
    got, left = addresses.allocate(pool, sorted(requests))  # the large ones first: they all fit
    parts = [part for each in got for part in each] + left
    assert sum(part.size for part in parts) == pool.size
    assert addresses.merge(parts) == [pool]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10.0.0.1/24", "The range that holds it is 10.0.0.0/24."),
        ("010.0.0.4", "Write 10."),
        ("10.0.0.256", "above 255: 256"),
        ("10.0.0.0/33", "Write /0 to /32."),
        (" 10.0.0.0/8", "white space"),
        ("10.0.0", "Write a range like"),
        ("fe80::%eth0/64", "Leave out %eth0."),
        (None, "is not a text"),
    ],
)
def test_an_error_names_the_value_the_rule_and_the_way_out(text, says):
    with pytest.raises(InputError) as caught:
        parse_range(text)
    assert repr(text) in str(caught.value)
    assert says in str(caught.value)


def test_a_family_can_be_demanded():
    with pytest.raises(InputError, match="is IPv6"):
        parse_range("fd00::/64", version=4)


def test_an_ipv4_and_an_ipv6_range_never_overlap():
    assert not addresses.overlaps(parse_range("0.0.0.0/0"), parse_range("::/0"))


def test_no_address_matches_no_route():
    assert addresses.longest_match(parse_address("10.0.0.4"), []) is None
