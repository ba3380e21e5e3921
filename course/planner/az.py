"""A plan as a shell script of az commands that make it, from the network to the last pool.

Every command and flag passes through the table of documented terms on its way out.

>>> from course.design import Design
>>> from course.planner.comparison import compare
>>> script = commands(compare(Design(name="prod")).plan("overlay"))
>>> script.splitlines()[0]
'#!/usr/bin/env bash'
>>> [line.strip(" \\\\") for line in script.splitlines() if "--pod-cidr" in line]
['--pod-cidr 10.244.0.0/16']
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from course.addresses import canonical
from course.design import Pool
from course.planner import settings, terms
from course.planner.comparison import ModelPlan
from course.planner.settings import SubnetSetting

_WIDTH = 100
# names of the API whose flag is called otherwise
_OTHER_FLAGS = {"count": "--node-count", "enableAutoScaling": "--enable-cluster-autoscaler"}


class _Text(str):
    """A text with shell variables in it, which stands in double quotes."""


_GROUP, _VNET_ID = _Text("$RESOURCE_GROUP"), _Text("$VNET_ID")
_VM_SIZE, _CLUSTER = _Text("$VM_SIZE"), _Text("$CLUSTER")
_ID = {"query": "id", "output": "tsv"}

Flag = str | int | bool | Sequence[str] | None
Lines = Iterator[str]


@dataclass(frozen=True)
class _Variable:
    """A shell variable to be set at the top, and what it is."""

    name: str
    value: str
    what: str = ""


def commands(plan: ModelPlan) -> str:
    """The plan as a bash script. It starts with what is wrong with the plan, if it does not work.

    Raises InputError if the plan says something that the table of terms does not have.

    >>> from course.design import Design, Pool
    >>> from course.planner.comparison import compare
    >>> two = Design(pools=(Pool("system", max_surge=1), Pool("user", max_surge="33%")))
    >>> script = commands(compare(two).plan("pod-subnet-dynamic"))
    >>> "--max-surge 33%" in script, script.count("az network vnet subnet create")
    (True, 2)
    """
    lines = [*_head(plan), *_group()]
    if plan.design.own_network:
        lines += [*_way_out(plan), *_network(plan), *_identity(plan)]
    lines += [*_cluster(plan), *_pools(plan)]
    return "\n".join(lines) + "\n"


# ---- the parts of the script ----


def _head(plan: ModelPlan) -> Lines:
    design = plan.design
    yield "#!/usr/bin/env bash"
    yield from _comment(f"AKS cluster {design.name}: {plan.model.title}")
    yield from _comment(f"Checked with azure-cli {terms.checked()['azure-cli']}.")
    for remark in settings.remarks(plan):
        yield from _comment(remark)
    yield ""
    yield "set -euo pipefail"
    yield ""
    yield from _comment("What the plan does not say: change it to what you have.")
    for variable in _variables(plan):
        yield f"{variable.name}={shlex.quote(variable.value)}" + (
            f"  # {variable.what}" if variable.what else ""
        )


def _variables(plan: ModelPlan) -> Iterator[_Variable]:
    name = plan.design.name
    yield _Variable("RESOURCE_GROUP", f"{name}-rg")
    yield _Variable("LOCATION", settings.LOCATION)
    yield _Variable("VM_SIZE", settings.VM_SIZE, "of every pool")
    yield _Variable("CLUSTER", name)
    if plan.design.own_network:
        yield _Variable("VNET", settings.network_name(plan))
        yield _Variable("IDENTITY", f"{name}-identity")
    if settings.own_nat_gateway(plan):
        yield _Variable("NAT_GATEWAY", f"{name}-nat")
    if settings.own_route_table(plan):
        yield _Variable("ROUTE_TABLE", f"{name}-routes")


def _group() -> Lines:
    yield ""
    yield from _az("az group create", {"name": _GROUP, "location": _Text("$LOCATION")})


def _way_out(plan: ModelPlan) -> Lines:
    """What has to be there before the subnets that use it."""
    if settings.own_nat_gateway(plan):
        yield from _title("The way out: a NAT gateway.")
        names = [_Text(f"$NAT_GATEWAY-{number}") for number in settings.nat_addresses(plan)]
        for name in names:
            yield from _az(
                "az network public-ip create",
                _in_group(name=name, sku="Standard", allocation_method="Static"),
            )
        gateway = _in_group(name=_Text("$NAT_GATEWAY"), public_ip_addresses=names)
        yield from _az("az network nat gateway create", gateway)
    if settings.own_route_table(plan):
        yield from _title("The way out: a route to an appliance, which must let the nodes through.")
        table, hop = _Text("$ROUTE_TABLE"), plan.design.outbound.next_hop
        route = _in_group(
            route_table_name=table, name="way-out", address_prefix=settings.WAY_OUT,
            next_hop_type="VirtualAppliance",
            next_hop_ip_address=None if hop is None else canonical(hop),
        )  # fmt: skip
        yield from _az("az network route-table create", _in_group(name=table))
        yield from _az("az network route-table route create", route)


def _network(plan: ModelPlan) -> Lines:
    yield from _title("The virtual network and all of its subnets, those of others too.")
    yield from _comment("Leave out what exists already.")
    name = _Text("$VNET")
    ranges = [canonical(each) for each in plan.design.vnet]
    yield from _az("az network vnet create", _in_group(name=name, address_prefixes=ranges))
    for subnet in settings.subnets(plan):
        yield from _comment(f"{subnet.name}: {subnet.purpose}")
        yield from _az("az network vnet subnet create", _subnet(plan, subnet))
    yield from _az("az network vnet show", _in_group(name=name, **_ID), into="VNET_ID")


def _subnet(plan: ModelPlan, subnet: SubnetSetting) -> dict[str, Flag]:
    gateway = subnet.ours and settings.own_nat_gateway(plan)
    table = subnet.ours and settings.own_route_table(plan)
    return _in_group(
        vnet_name=_Text("$VNET"),
        name=subnet.name,
        address_prefixes=None if subnet.range is None else [canonical(subnet.range)],
        nat_gateway=_Text("$NAT_GATEWAY") if gateway else None,
        route_table=_Text("$ROUTE_TABLE") if table else None,
    )


def _identity(plan: ModelPlan) -> Lines:
    yield from _title("Who the cluster is: an identity that may use the network.")
    name = _Text("$IDENTITY")
    yield from _az("az identity create", _in_group(name=name))
    yield from _az("az identity show", _in_group(name=name, **_ID), into="IDENTITY_ID")
    principal = _in_group(name=name, query="principalId", output="tsv")
    yield from _az("az identity show", principal, into="PRINCIPAL_ID")
    yield from _role(_VNET_ID)
    if settings.own_route_table(plan):
        table = _in_group(name=_Text("$ROUTE_TABLE"), **_ID)
        yield from _az("az network route-table show", table, into="ROUTE_TABLE_ID")
        yield from _role(_Text("$ROUTE_TABLE_ID"))


def _role(scope: _Text) -> Lines:
    yield from _az(
        "az role assignment create",
        {
            "role": settings.ROLE,
            "scope": scope,
            "assignee_object_id": _Text("$PRINCIPAL_ID"),
            "assignee_principal_type": "ServicePrincipal",
        },
    )


def _cluster(plan: ModelPlan) -> Lines:
    design, first = plan.design, plan.design.pools[0]
    yield from _title("The cluster with its first pool, which is a Linux system pool.")
    if design.own_network:
        yield from _comment("A new role may take minutes to count.")
    if settings.routes_by_aks(plan) and not settings.own_route_table(plan):
        yield from _comment("AKS makes the route table and links it to the node subnet.")
    pool = settings.pool_profile(plan, first, _subnet_id)
    own: dict[str, Flag] = {}
    if design.own_network:
        own = {"assign_identity": _Text("$IDENTITY_ID"), "skip_subnet_role_assignment": True}
    flags = _in_group(
        name=_CLUSTER, tier=design.tier.lower(), kubernetes_version=design.kubernetes or None,
        **own, no_ssh_key=True,
    )  # fmt: skip
    # az aks create knows no system: its first pool runs Linux
    pool = {name: value for name, value in pool.items() if name not in ("osType", "osSKU")}
    flags |= {**settings.network_profile(plan), **_outbound(plan)}
    flags |= {"nodepool_name": first.name, "node_vm_size": _VM_SIZE, **pool}
    yield from _az("az aks create", flags)
    yield ""
    yield from _comment("az aks create has no --max-surge.")
    if first.without_surge:
        yield from _comment(settings.NO_SURGE)
    update = _of_cluster(name=first.name, **settings.upgrade_settings(plan, first))
    yield from _az("az aks nodepool update", update)


def _outbound(plan: ModelPlan) -> dict[str, Flag]:
    """What only the flags of one outbound type say."""
    outbound = plan.design.outbound
    if settings.managed_load_balancer(plan):
        return {
            "load_balancer_managed_outbound_ip_count": outbound.addresses,
            "load_balancer_outbound_ports": outbound.ports_per_node or None,
        }
    if outbound.type == "managedNATGateway":
        return {"nat_gateway_managed_outbound_ip_count": outbound.addresses}
    return {}


def _pools(plan: ModelPlan) -> Lines:
    for pool in plan.design.pools[1:]:
        yield ""
        yield from _az("az aks nodepool add", _added(plan, pool))


def _added(plan: ModelPlan, pool: Pool) -> dict[str, Flag]:
    return _of_cluster(
        name=pool.name, mode="User", node_vm_size=_VM_SIZE,
        **settings.pool_profile(plan, pool, _subnet_id), **settings.upgrade_settings(plan, pool),
    )  # fmt: skip


# ---- how a command is written ----


def _in_group(**flags: Flag) -> dict[str, Flag]:
    return {"resource_group": _GROUP, **flags}


def _of_cluster(**flags: Flag) -> dict[str, Flag]:
    return _in_group(cluster_name=_CLUSTER, **flags)


def _subnet_id(name: str) -> str:
    return _Text(f"{_VNET_ID}/subnets/{name}")


def _az(name: str, values: Mapping[str, Flag], into: str = "") -> Lines:
    """A command, on one line if it is short, else a line for each flag; its answer goes `into` a
    variable, if that is named."""
    given = {_flag(key): value for key, value in values.items() if value is not None}
    terms.command(name).check(given)
    before, after = (f"{into}=$(", ")") if into else ("", "")
    words = [before + name, *(f"{flag}{_value(value)}" for flag, value in given.items())]
    words[-1] += after
    long = len(" ".join(words)) > _WIDTH
    yield (" \\\n  " if long else " ").join(words)


def _flag(name: str) -> str:
    """The flag for a name of the API, such as vnetSubnetID, or of Python.

    >>> _flag("podIPAllocationMode"), _flag("vnetSubnetID"), _flag("node_vm_size")
    ('--pod-ip-allocation-mode', '--vnet-subnet-id', '--node-vm-size')
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_", "-", name)
    return _OTHER_FLAGS.get(name, f"--{words.lower()}")


def _value(value: Flag) -> str:
    if value is True:
        return ""
    items = [value] if isinstance(value, str | int) or value is None else value
    return "".join(f" {_word(item)}" for item in items)


def _word(value: object) -> str:
    return f'"{value}"' if isinstance(value, _Text) else shlex.quote(str(value))


def _title(text: str) -> Lines:
    yield ""
    yield from _comment(text)


def _comment(text: str) -> Lines:
    yield from settings.comment(text, "# ")
