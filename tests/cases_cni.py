"""How each kind of cases/cni.yaml is asked of the course."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from course.addresses import parse_address
from course.cni import aks, contract, host_local, kubenet
from course.cni.configuration import load_file, loading_order, parse, select_version
from course.cni.contract import CniError
from course.cni.expected import expected_result
from course.cni.result import SHAPE, Result, agrees
from course.cni.runtime import Attachment, derive, plan_add, plan_check, plan_del

PATH = "/opt/cni/bin"


def env_table(case):
    of_spec = case["source"] == "cni-spec"
    known = contract.ENVIRONMENT if of_spec else contract.LIBRARY_ENVIRONMENT
    assert set(case["operations"]) <= set(known)
    for operation, row in case["operations"].items():
        assert sorted(known[operation].required) == sorted(row["required"]), operation
        if of_spec:
            assert sorted(known[operation].optional) == sorted(row.get("optional", [])), operation
        for missing in row["required"]:
            environment = dict.fromkeys(known[operation].required, "x") | {"CNI_COMMAND": operation}
            with pytest.raises(CniError, match=missing):
                contract.demand_environment({**environment, missing: ""})


def error_codes(case):
    assert case["codes"] == contract.ERROR_CODES
    assert contract.FIRST_PLUGIN_CODE == 100
    assert "100+ plugin specific" in case["reserved"]
    own = {code: text.split(" (")[0] for code, text in case.get("library_only", {}).items()}
    assert own == contract.LIBRARY_CODES
    shown = case["example"]
    error = CniError(shown["code"], shown["msg"], shown["details"])
    assert error.as_json(shown["cniVersion"]) == shown


def versions(case):
    assert case["current"] == contract.CURRENT
    assert tuple(case["supported"]) == contract.SUPPORTED
    added = {version: ", ".join(what) for version, what in contract.CHANGES.items()}
    assert added == {version: text.replace("; ", ", ") for version, text in case["added"].items()}


def examples(part):
    """Every result of ADD inside a case."""
    if isinstance(part, dict):
        if isinstance(part.get("ips"), list) and all(isinstance(ip, dict) for ip in part["ips"]):
            yield part
        for each in part.values():
            yield from examples(each)
    elif isinstance(part, list):
        for each in part:
            yield from examples(each)


def named_parts(part):
    """Every place of a case that lists the keys of a part: interfaces, ips, error, ..."""
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        is_example = isinstance(value, dict) and ({"address", "dst", "code"} & set(value))
        a_list = isinstance(value, list | dict) and all(isinstance(each, str) for each in value)
        if key in SHAPE and a_list and not is_example:
            yield key, set(value)
        yield from named_parts(value)


def result_shape(case):
    """Results in the case are read and written unchanged; keys that it names are ours."""
    found = list(examples(case))
    for printed in found:
        version = printed.get("cniVersion") or case.get("cniVersion") or contract.CURRENT
        written = Result.from_json(printed).as_json(version)
        assert written.items() >= {k: v for k, v in printed.items() if k in SHAPE["result"]}.items()
    parts = list(named_parts(case))
    for kind, keys in parts:
        bare = {re.split(r"[ (\[]", key)[0] for key in keys}
        assert bare <= set(SHAPE[kind]), kind
    assert found or parts, "nothing of this case was understood"


ORDERED = ("ADD", "CHECK", "DEL")


def statements(part):
    """What a case says of each operation, wherever it stands in it."""
    if isinstance(part, dict):
        for key, value in part.items():
            if str(key).upper() in ORDERED:
                yield str(key).upper(), value
            else:
                yield from statements(value)


def ordering(case):
    """A list goes forward for ADD and CHECK, backward for DEL; who is handed whose result."""
    plugins = [{"type": each} for each in ("bridge", "tuning", "portmap")]
    network = parse({"cniVersion": "1.1.0", "name": "dbnet", "plugins": plugins})
    pod = Attachment("a51debf7e1eb", "/run/netns/blue")
    given = Result.from_json({"ips": [{"address": "10.1.0.5/16"}]})
    added = plan_add(network, pod, given)
    last = added[-1].expected
    later = {
        "CHECK": plan_check(network, pod, last),
        "DEL": plan_del(network, pod, last),
    }
    assert [call.stdin.get("prevResult") for call in added] == [
        None, *(call.expected.as_json("1.1.0") for call in added[:-1]),
    ]  # fmt: skip
    for calls in later.values():
        assert all(call.stdin["prevResult"] == last.as_json("1.1.0") for call in calls)
    forward = [call.plugin for call in added]
    orders = {"ADD": forward} | {name: [c.plugin for c in calls] for name, calls in later.items()}
    for operation, said in statements(case):
        backward = orders[operation] == forward[::-1]
        if isinstance(said, list) and set(map(str, said)) == set(forward):
            assert orders[operation] == said
        elif "order" in str(said):
            assert ("revers" in str(said)) == backward
    assert orders == {"ADD": forward, "CHECK": forward, "DEL": forward[::-1]}


def chain(case):
    """A chain is planned, and each call and answer compared with the case's.

    Two keys of the printed requests are not compared, as its notes say: the routes of `ipam`, which
    a runtime passes through, and cniVersion of results.
    """
    network = parse(case["conflist"])
    env, steps = case["env"], case["steps"]
    operation = env["CNI_COMMAND"]
    netns = sandbox_of(case) or "/var/run/netns/blue"
    pod = Attachment(
        "a51debf7e1eb", netns, env["CNI_IFNAME"], capability_args=case["capability_args"]
    )
    calls = planned(operation, network, pod, case)
    assert [call.plugin for call in calls] == [step["plugin"] for step in steps]
    assert {call.command for call in calls} == {operation}
    for call, step in zip(calls, steps, strict=True):
        compare_request(dict(call.stdin), step["request"], network)
        if operation == "ADD":
            wanted = answer_of(step)
            assert call.expected is not None
            assert agrees(call.expected, wanted), call.plugin


def sandbox_of(case):
    return next(
        (each["sandbox"] for found in examples(case) for each in found.get("interfaces", ())
         if each.get("sandbox")), None,
    )  # fmt: skip


def planned(operation, network, pod, case):
    steps = case["steps"]
    if operation == "ADD":
        delegate = next((step["delegates"] for step in steps if step.get("delegates")), None)
        answer = Result.from_json(delegate["result"]) if delegate else Result()
        calls = plan_add(network, pod, answer, PATH)
        return [
            with_real_names(call, network, pod, steps, place) for place, call in enumerate(calls)
        ]
    last = next((s["request"]["prevResult"] for s in steps if "prevResult" in s["request"]), None)
    last = last or case.get("prev_result") or case.get("prevResult")
    result = Result.from_json(last) if last else None
    if operation == "CHECK":
        return plan_check(network, pod, result, PATH)
    return plan_del(network, pod, result, PATH)


def with_real_names(call, network, pod, steps, place):
    """The call once the plugin before it has run and chance has given names and MACs."""
    if place == 0:
        return call
    previous = answer_of(steps[place - 1])
    stdin = derive(network, network.plugins[place], pod, previous)
    expected = expected_result(stdin, pod.ifname, pod.netns, Result(), previous)
    return replace(call, stdin=stdin, expected=expected)


def answer_of(step):
    if isinstance(step["result"], str):  # "same as prevResult"
        return Result.from_json(step["request"]["prevResult"])
    return Result.from_json(step["result"])


def compare_request(ours, printed, network):
    printed = dict(printed)
    assert ("prevResult" in ours) == ("prevResult" in printed)
    if "prevResult" in ours:
        handed = ours.pop("prevResult")
        assert Result.from_json(handed) == Result.from_json(printed.pop("prevResult"))
        assert handed["cniVersion"] == network.version
    if "ipam" in ours and "routes" not in printed["ipam"]:
        ours["ipam"] = {key: value for key, value in ours["ipam"].items() if key != "routes"}
    assert ours == printed


VALIDATORS = {
    "container": contract.valid_container_id,
    "network": contract.valid_network_name,
    "if": contract.valid_interface_name,
}


def validate(case):
    said = f"{case['title']} {case['id']}".lower()
    (check,) = [each for word, each in VALIDATORS.items() if word in said.replace("cni_", "")][:1]
    for row in case["rows"]:
        if row["code"] is None:
            assert check(row["input"]) == row["input"]
            continue
        with pytest.raises(CniError) as caught:
            check(row["input"])
        assert (caught.value.code, caught.value.msg) == (row["code"], row["msg"]), row


def version_select(case):
    if case["error"]:
        with pytest.raises(CniError):
            parse(case["config"])
        return
    assert (select_version(case["config"]) or None) == (case["selected"] or None)
    assert parse(case["config"]).version == select_version(case["config"])


def from_disk(config):
    """The configuration as a runtime meets it: a file in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "50-whatever.conflist")
        file.write_text(json.dumps(config), "utf-8")
        return load_file(file)


def conflist_parse(case):
    expect = case["expect"]
    if "error" in expect or "error_contains" in expect:
        with pytest.raises(CniError) as caught:
            from_disk(case["config"])
        if "error" in expect:
            assert caught.value.msg == expect["error"]
        assert expect.get("error_contains", "") in caught.value.msg
        return
    try:
        network = parse(case["config"])
    except CniError as error:  # pragma: no cover - only to say which case
        pytest.fail(f"{case['id']}: {error}")
    seen = {
        "name": network.name,
        "cniVersion": network.version,
        "disableCheck": network.disable_check,
        "disableGC": network.disable_gc,
        "loadOnlyInlinedPlugins": network.load_only_inlined_plugins,
        "plugins": [plugin.type for plugin in network.plugins],
    }
    for key, value in expect.items():
        found = seen.get(key)
        if key == "plugins" and isinstance(value, int):
            found = len(seen["plugins"])
        assert found == value, key


def ipam_add(case):
    expect, ifname = case["expect"], case.get("ifname", "eth0")
    if "error" in expect:
        with pytest.raises(CniError) as caught:
            host_local.add(case["conf"], case["container_id"], ifname)
        assert caught.value.msg.startswith(expect["error"])
        return
    result, store = host_local.add(case["conf"], case["container_id"], ifname)
    assert [(ip.address, ip.gateway) for ip in result.ips] == [
        (ip["address"], ip["gateway"]) for ip in expect["ips"]
    ]
    assert [route.dst for route in result.routes] == [
        route["dst"] for route in case["conf"]["ipam"].get("routes", ())
    ]
    files = store.files()
    for path, content in expect.get("files", {}).items():
        network, _, name = path.partition("/")
        assert network == case["conf"]["name"]
        in_words = f"{case['container_id']} + line break + interface name"
        wanted = f"{case['container_id']}\r\n{ifname}" if content == in_words else content
        assert files[name] == wanted
    freed = host_local.delete(case["container_id"], ifname, store)
    assert not freed.owners


KEYS = ("rangeStart", "rangeEnd", "gateway")


def hostlocal_range(case):
    """A row shows what a range becomes; what it cannot come to by default was written."""
    for row in case["rows"]:
        shown = {key: row[key] for key in KEYS if row.get(key) is not None}
        if row["error"]:
            with pytest.raises(CniError) as caught:
                host_local.parse_host_range({"subnet": row["subnet"]} | shown)
            assert caught.value.msg == row["error"]
            continue
        by_default = seen_range({"subnet": row["subnet"]})
        wanted = {key: parse_address(text) for key, text in shown.items()}
        written = {key: shown[key] for key in shown if by_default[key] != wanted[key]}
        assert seen_range({"subnet": row["subnet"]} | written).items() >= wanted.items()


def seen_range(written):
    found = host_local.parse_host_range(written)
    return dict(zip(KEYS, (found.start, found.end, found.gateway), strict=True))


def aks_conflist(case):
    conflist, facts = case["conflist"], case["facts"]
    for ours in aks.LISTS.values():
        if ours.source["path"] == case["path"]:
            assert ours.conflist == conflist
    reading = aks.read(conflist)
    first = conflist["plugins"][0]
    seen = {
        "plugins": list(reading.plugins),
        "ipam": reading.ipam,
        "ipam_mode": first.get("ipam", {}).get("mode"),
        "executionMode": first.get("executionMode"),
        "cns_scenario": aks.scenario(conflist),
        "outbound_nat_exceptions": aks.outbound_nat_exceptions(conflist),
        "nodelocal_dns": (first.get("ipsToRouteViaHost") or [None])[0],
    }
    for key, value in facts.items():
        if key in seen:
            assert seen[key] == value, key
        elif key == "mode":
            models = ("node subnet", "pod subnet", "overlay", "Cilium")
            named = [model for model in models if model in value]
            assert not named or any(model in reading.model for model in named), value
    assert len(aks.explain(conflist).splitlines()) == len(list(aks.fields(conflist)))


def kubenet_template(case):
    template = case["template"]
    ours = kubenet.kubelet_configuration(["10.244.1.0/24"], mtu=1500)
    assert set(ours) == set(template)
    placeholder = re.compile(r"<.*>")
    for key, value in template.items():
        if isinstance(value, bool) or (isinstance(value, str) and not placeholder.match(value)):
            assert ours[key] == value, key
    assert set(ours["ipam"]) == set(template["ipam"])
    assert ours["ipam"]["type"] == template["ipam"]["type"]
    assert kubenet.KUBELET["loopback"] == case["loopback"]
    assert tuple(case["required_plugins"]) == kubenet.REQUIRED_PLUGINS
    assert aks.PATHS["plugin_dir"] == case["bin_dir"]
    assert case["fallback_mtu"] == kubenet.FALLBACK_MTU
    assert case["bridge_address"] == "pod CIDR base + 1"
    assert kubenet.bridge_address("10.244.1.0/24") == "10.244.1.1"
    assert case["sysctl"] == kubenet.SYSCTL
    assert kubenet.masquerade_rule("<non-masquerade-cidr>") == case["masq_rule"]
    assert case["non_masquerade_default"] == kubenet.NON_MASQUERADE_DEFAULT
    for everything in re.findall(r"\S+/0", case["no_rule_when"]):
        assert kubenet.masquerade_rule(everything) is None
    rules = kubenet.promiscuous_rules("<bridge mac>", "<gateway>", "<pod cidr>")
    assert rules == case["promiscuous_dedup"]


def kubenet_routes(case):
    if "routes" in case:
        assert kubenet.routes(case["cidrs"]) == case["routes"]
    if "ranges" in case:
        assert kubenet.ranges(case["cidrs"]) == case["ranges"]


def facts(case):
    for name, path in case.get("paths", {}).items():
        assert path.startswith(aks.PATHS[name]), name
    explained = {path.split(".")[-1] for path in aks.FIELDS} | {
        "ipam_type", "ipam_mode", "portmap_snat", "capabilities_portMappings",
    }  # fmt: skip
    assert set(case.get("fields", {})) <= explained
    if "order" in case:
        files = ["10-azure.conflist", "05-cilium.conflist"]
        assert loading_order(files) == ("05-cilium.conflist", "10-azure.conflist")
    for key, ours in {
        "transparent_pod_routes": aks.TRANSPARENT_ROUTES,
        "cni_versions_supported": aks.AZURE_VNET_VERSIONS,
        "cns_scenarios": aks.SCENARIOS,
    }.items():
        assert tuple(case.get(key, ours)) == ours, key


CHECKS = {
    "env_table": env_table,
    "error_codes": error_codes,
    "versions": versions,
    "result_shape": result_shape,
    "ordering": ordering,
    "chain": chain,
    "validate": validate,
    "version_select": version_select,
    "conflist_parse": conflist_parse,
    "ipam_add": ipam_add,
    "hostlocal_range": hostlocal_range,
    "aks_conflist": aks_conflist,
    "kubenet_template": kubenet_template,
    "kubenet_routes": kubenet_routes,
    "facts": facts,
}
