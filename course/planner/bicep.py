"""A plan as a Bicep module that deploys it into a resource group.

Every resource type and property passes through the table of documented terms on its way out.

>>> from course.design import Design
>>> from course.planner.comparison import compare
>>> text = module(compare(Design(name="prod")).plan("overlay"))
>>> [line.strip() for line in text.splitlines() if "podCidr" in line]
["podCidr: '10.244.0.0/16'"]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from course.addresses import canonical
from course.design import Pool
from course.planner import settings, terms
from course.planner.comparison import ModelPlan
from course.planner.settings import SubnetSetting

_VNET = "Microsoft.Network/virtualNetworks"
_ADDRESS = "Microsoft.Network/publicIPAddresses"
_NAT_GATEWAY = "Microsoft.Network/natGateways"
_ROUTE_TABLE = "Microsoft.Network/routeTables"
_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
_ROLE = "Microsoft.Authorization/roleAssignments"
_CLUSTER = "Microsoft.ContainerService/managedClusters"
_POOL = "Microsoft.ContainerService/managedClusters/agentPools"


class _Expression(str):
    """What Bicep computes, such as vnet.id: it stands without quotes."""


_LOCATION, _VM_SIZE = _Expression("location"), _Expression("vmSize")
_SCALE_SETS = "VirtualMachineScaleSets"

Lines = Iterator[str]


def module(plan: ModelPlan) -> str:
    """The plan as a Bicep module. It starts with what is wrong with the plan, if it does not work.

    Raises InputError if the plan says something that the table of terms does not have.

    >>> from course.design import Design, Pool
    >>> from course.planner.comparison import compare
    >>> two = Design(pools=(Pool("system", max_surge=1), Pool("user", max_surge="33%")))
    >>> text = module(compare(two).plan("pod-subnet-dynamic"))
    >>> "resource poolUser 'Microsoft.ContainerService/managedClusters/agentPools@" in text
    True
    """
    lines = [*_head(plan), *_parameters(plan)]
    if plan.design.own_network:
        lines += [*_nat_gateway(plan), *_route_table(plan), *_network(plan), *_identity(plan)]
    lines += [*_cluster(plan), *_pools(plan), "", "output clusterId string = cluster.id"]
    return "\n".join(lines) + "\n"


# ---- the parts of the module ----


def _head(plan: ModelPlan) -> Lines:
    yield from _comment(f"AKS cluster {plan.design.name}: {plan.model.title}")
    yield from _comment(
        "az deployment group create --resource-group <group> --template-file <this file>"
    )
    for remark in settings.remarks(plan):
        yield from _comment(remark)


def _parameters(plan: ModelPlan) -> Lines:
    name = plan.design.name
    place = _Expression("resourceGroup().location")
    yield from _parameter("location", place, "Where everything is made.")
    yield from _parameter("clusterName", name, "The name of the cluster.")
    prefix = settings.dns_prefix(name)
    yield from _parameter("dnsPrefix", prefix, "What the DNS name of the API server begins with.")
    yield from _parameter("vmSize", settings.VM_SIZE, "The virtual machines of every pool.")
    if plan.design.own_network:
        vnet = settings.network_name(plan)
        yield from _parameter("vnetName", vnet, "The name of the virtual network.")


def _nat_gateway(plan: ModelPlan) -> Lines:
    if not settings.own_nat_gateway(plan):
        return
    numbers = settings.nat_addresses(plan)
    for number in numbers:
        address = {
            "name": _Expression(f"'${{clusterName}}-nat-{number}'"),
            "location": _LOCATION,
            "sku": {"name": "Standard"},
            "properties": {"publicIPAllocationMethod": "Static"},
        }
        yield from _resource(f"natAddress{number}", _ADDRESS, address)
    gateway = {
        "name": _Expression("'${clusterName}-nat'"),
        "location": _LOCATION,
        "sku": {"name": "Standard"},
        "properties": {"publicIpAddresses": [_id(f"natAddress{number}") for number in numbers]},
    }
    about = "The way out. It has to be on the subnets before the cluster is made."
    yield from _resource("natGateway", _NAT_GATEWAY, gateway, about)


def _route_table(plan: ModelPlan) -> Lines:
    if not settings.own_route_table(plan):
        return
    hop = plan.design.outbound.next_hop
    route = {"addressPrefix": settings.WAY_OUT, "nextHopType": "VirtualAppliance"}
    if hop is not None:
        route["nextHopIpAddress"] = canonical(hop)
    table = {
        "name": _Expression("'${clusterName}-routes'"),
        "location": _LOCATION,
        "properties": {"routes": [{"name": "way-out", "properties": route}]},
    }
    about = ["The way out: a route to an appliance, which must let the nodes through."]
    if settings.routes_by_aks(plan):
        about.append(
            "AKS adds a route for each node. Deployed again as it stands, this takes them away."
        )
    yield from _resource("routeTable", _ROUTE_TABLE, table, *about)


def _network(plan: ModelPlan) -> Lines:
    subnets = settings.subnets(plan)
    about = [
        "The virtual network, with the subnets of others: a deployment takes away what is missing.",
        *(f"- {subnet.name}: {subnet.purpose}" for subnet in subnets),
    ]
    if settings.routes_by_aks(plan) and not settings.own_route_table(plan):
        about.append(
            "AKS links its route table to the node subnet. Deployed again as it stands, this "
            "undoes that: add that routeTable to the subnet first."
        )
    body = {
        "name": _Expression("vnetName"),
        "location": _LOCATION,
        "properties": {
            "addressSpace": {"addressPrefixes": [canonical(each) for each in plan.design.vnet]},
            "subnets": [_subnet(plan, subnet) for subnet in subnets],
        },
    }
    yield from _resource("vnet", _VNET, body, *about)


def _subnet(plan: ModelPlan, subnet: SubnetSetting) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if subnet.range is not None:
        found["addressPrefix"] = canonical(subnet.range)
    if subnet.ours and settings.own_nat_gateway(plan):
        found["natGateway"] = _id("natGateway")
    if subnet.ours and settings.own_route_table(plan):
        found["routeTable"] = _id("routeTable")
    if subnet.pods:
        # AKS delegates it by itself; what is not here would be taken away again
        service = {"serviceName": settings.DELEGATED_TO}
        found["delegations"] = [{"name": "aks", "properties": service}]
    return {"name": subnet.name, "properties": found}


def _identity(plan: ModelPlan) -> Lines:
    body = {"name": _Expression("'${clusterName}-identity'"), "location": _LOCATION}
    about = "Who the cluster is: an identity that may use the network."
    yield from _resource("identity", _IDENTITY, body, about)
    role = terms.role_id(settings.ROLE)
    yield ""
    yield from _comment(settings.ROLE)
    yield (
        "var roleDefinitionId = subscriptionResourceId("
        f"'Microsoft.Authorization/roleDefinitions', '{role}')"
    )
    yield from _assignment("networkRole", "vnet")
    if settings.own_route_table(plan):
        yield from _assignment("routeTableRole", "routeTable")


def _assignment(symbol: str, scope: str) -> Lines:
    body = {
        "name": _Expression(f"guid({scope}.id, identity.id, roleDefinitionId)"),
        "scope": _Expression(scope),
        "properties": {
            "roleDefinitionId": _Expression("roleDefinitionId"),
            "principalId": _Expression("identity.properties.principalId"),
            "principalType": "ServicePrincipal",
        },
    }
    yield from _resource(symbol, _ROLE, body)


def _cluster(plan: ModelPlan) -> Lines:
    design, first = plan.design, plan.design.pools[0]
    pool = {"name": first.name, "mode": "System", **_pool(plan, first)}
    properties: dict[str, Any] = {}
    if design.kubernetes:
        properties["kubernetesVersion"] = design.kubernetes
    properties["dnsPrefix"] = _Expression("dnsPrefix")
    properties["networkProfile"] = {**settings.network_profile(plan), **_outbound(plan)}
    properties["agentPoolProfiles"] = [pool]
    body = {
        "name": _Expression("clusterName"),
        "location": _LOCATION,
        "sku": {"name": "Base", "tier": design.tier},
        "identity": {"type": "SystemAssigned"},
        "properties": properties,
    }
    if design.own_network:
        users: dict[str, object] = {"${identity.id}": {}}
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": users}
        also = ["routeTableRole"] if settings.own_route_table(plan) else []
        body["dependsOn"] = [_Expression(each) for each in ("networkRole", *also)]
    about = [settings.NO_SURGE] if first.without_surge else []
    yield from _resource("cluster", _CLUSTER, body, "The cluster with its first pool.", *about)


def _outbound(plan: ModelPlan) -> dict[str, Any]:
    """The profile of the load balancer or of AKS's NAT gateway."""
    outbound = plan.design.outbound
    addresses = {"count": outbound.addresses}
    if settings.managed_load_balancer(plan):
        profile: dict[str, Any] = {"managedOutboundIPs": addresses}
        if outbound.ports_per_node:
            profile["allocatedOutboundPorts"] = outbound.ports_per_node
        return {"loadBalancerProfile": profile}
    if outbound.type == "managedNATGateway":
        return {"natGatewayProfile": {"managedOutboundIPProfile": addresses}}
    return {}


def _pools(plan: ModelPlan) -> Lines:
    for pool in plan.design.pools[1:]:
        body = {
            "parent": _Expression("cluster"),
            "name": pool.name,
            "properties": {"mode": "User", **_pool(plan, pool)},
        }
        yield from _resource(f"pool{pool.name.capitalize()}", _POOL, body)


def _pool(plan: ModelPlan, pool: Pool) -> dict[str, Any]:
    return {
        "type": _SCALE_SETS,
        "vmSize": _VM_SIZE,
        **settings.pool_profile(plan, pool, _subnet_id),
        "upgradeSettings": settings.upgrade_settings(plan, pool),
    }


# ---- how Bicep is written ----


def _id(symbol: str) -> dict[str, str]:
    return {"id": _Expression(f"{symbol}.id")}


def _subnet_id(name: str) -> str:
    return _Expression(f"'${{vnet.id}}/subnets/{name}'")


def _parameter(name: str, value: str, what: str) -> Lines:
    yield ""
    yield f"@description({_value(what)})"
    yield f"param {name} string = {_value(value)}"


def _resource(symbol: str, type_name: str, body: Mapping[str, object], *about: str) -> Lines:
    """A resource, after what there is to say about it."""
    resource = terms.resource(type_name)
    resource.check(body)
    yield ""
    for text in about:
        yield from _comment(text)
    yield f"resource {symbol} '{type_name}@{resource.api_version}' = {_value(body)}"


def _value(value: object, indent: str = "") -> str:
    """A value as Bicep has it.

    >>> print(_value({"name": "it's", "ports": [80, 443], "on": True}))
    {
      name: 'it\\'s'
      ports: [
        80
        443
      ]
      on: true
    }
    """
    if isinstance(value, Mapping):
        return _block("{}", [f"{_key(k)}: {_value(v, indent + '  ')}" for k, v in value.items()],
                      indent)  # fmt: skip
    if isinstance(value, list | tuple):
        return _block("[]", [_value(each, indent + "  ") for each in value], indent)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | _Expression):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    return f"'{text}'"


def _block(brackets: str, lines: list[str], indent: str) -> str:
    if not lines:
        return brackets
    inside = "".join(f"{indent}  {line}\n" for line in lines)
    return f"{brackets[0]}\n{inside}{indent}{brackets[1]}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else f"'{name}'"


def _comment(text: str) -> Lines:
    yield from settings.comment(text, "// ")
