"""How each kind of cases/cidr.yaml is asked of the course. A case is a table of rows."""

from __future__ import annotations

import pytest

from course import addresses
from course.addresses import canonical, parse_address, parse_range
from course.errors import InputError


def texts(networks):
    return [canonical(network) for network in networks]


def invalid(case):
    version = 6 if case["family"].startswith("v6") else 4
    read = parse_range if "network" in case["family"] else parse_address
    for row in case["rows"]:
        with pytest.raises(InputError) as caught:
            read(row["input"], version=version)
        assert repr(row["input"]) in str(caught.value)


def observed(row):
    try:
        return {"valid": True, "canonical": canonical(parse_range(row["input"]))}
    except InputError as error:
        return {"valid": False, "why": "host bits" if "bits set after" in error.rule else "text"}


def mixed_family_error(row):
    one, other = parse_range(row["net"]), parse_range(row["other"])
    ask = {
        "subnet_of": lambda: addresses.is_inside(one, other),
        "supernet_of": lambda: addresses.is_inside(other, one),
        "collapse": lambda: addresses.merge([one, other]),
        "exclude": lambda: addresses.exclude(one, other),
        "summarize": lambda: addresses.summarize(one[0], other[0]),
    }
    with pytest.raises(InputError, match="mixes IPv4 and IPv6"):
        ask[row["op"]]()
    return {}


def hosts(row):
    found = addresses.hosts(parse_range(row["network"]))
    return {
        "count": found.size,
        "first": canonical(found[0]),
        "last": canonical(found[-1]),
    }


def lengths(row):
    """The two ways to say how much shorter or longer, without what was not said."""
    return {key: row[key] for key in ("diff", "new_prefix") if row.get(key) is not None}


def allocate(row):
    requests = row["requests"]
    got, left = addresses.allocate(
        parse_range(row["pool"]), [(request["prefix"], request["count"]) for request in requests]
    )
    assert [texts(parts) for parts in got] == [request["got"] for request in requests]
    return {"left": texts(left)}


def longest_match(address, candidates):
    found = addresses.longest_match(parse_address(address), map(parse_range, candidates))
    return None if found is None else canonical(found)


ROWS = {
    "observed": observed,
    "subnet_of": lambda row: {
        "subnet_of": addresses.is_inside(parse_range(row["net"]), parse_range(row["other"]))
    },
    "mixed_family_error": mixed_family_error,
    "contains": lambda row: {
        "contains": addresses.contains(
            parse_range(row["network"]), parse_address(row["member"].split("/")[0])
        )
    },
    "overlaps": lambda row: {
        "overlaps": addresses.overlaps(parse_range(row["a"]), parse_range(row["b"]))
    },
    "hosts": hosts,
    "num_addresses": lambda row: {"num_addresses": parse_range(row["network"]).size},
    "supernet": lambda row: {
        "result": canonical(addresses.supernet(parse_range(row["network"]), **lengths(row)))
    },
    "subnets": lambda row: {
        "result": texts(addresses.subnets(parse_range(row["network"]), **lengths(row)))
    },
    "supernets_up_to": lambda row: {
        "result": texts(addresses.supernets_up_to(parse_address(row["address"]), row["prefix"]))
    },
    "allocate": allocate,
    "merge": lambda row: {"result": texts(addresses.merge(map(parse_range, row["input"])))},
    "exclude": lambda row: {
        "result": texts(addresses.exclude(parse_range(row["from"]), parse_range(row["remove"])))
    },
    "summarize": lambda row: {
        "result": texts(
            addresses.summarize(parse_address(row["first"]), parse_address(row["last"]))
        )
    },
    "longest_match": lambda row: {"result": longest_match(row["address"], row["candidates"])},
    "canonical_v6": lambda row: {"result": canonical(parse_address(row["input"], version=6))},
    "netmask_forms": lambda row: {"result": canonical(parse_range(row["input"]))},
    "nth": lambda row: {
        "result": canonical(addresses.nth(parse_range(row["network"]), row["index"]))
    },
}


def _check(ask):
    def check(case):
        assert case["rows"]
        for row in case["rows"]:
            if "ERROR" in row.values():
                with pytest.raises(InputError):
                    ask(row)
                continue
            answer = ask(row)
            assert answer == {key: row[key] for key in answer}, row

    return check


CHECKS = {"invalid": invalid} | {kind: _check(ask) for kind, ask in ROWS.items()}
