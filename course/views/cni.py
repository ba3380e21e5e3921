"""The CNI contract in pictures: one call of a plugin, the addresses that host-local has given out;
and the configuration lists of AKS nodes, field by field."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from html import escape
from typing import Any

import ipywidgets as widgets
from netaddr import IPAddress, IPNetwork

from course.addresses import canonical, parse_range
from course.cni.aks import FIELDS, LISTS, fields
from course.cni.kubenet import containerd_list
from course.cni.runtime import PluginCall
from course.errors import InputError
from course.laboratory import Lab
from course.views.fields import LABEL_WIDTH
from course.views.html import note, table
from course.views.pictures import Picture
from course.views.svg import box, page, text, width_of

SHOWN = ("CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME")
# what a learner may choose from; each with where it was read
CHOICES: Mapping[str, Mapping[str, Any]] = {
    "kubenet, node range 10.244.0.0/24": containerd_list(["10.244.0.0/24"]),
    "Azure CNI, node subnet": LISTS["azure-linux"].conflist,
    "Azure CNI Overlay": LISTS["azure-linux-swift-overlay"].conflist,
    "Azure CNI powered by Cilium": LISTS["azilium"].conflist,
}


def plugin_call(call: PluginCall) -> Picture:
    """One call of a plugin: what the runtime hands in, which program it starts, what comes out.

    >>> from course.scenarios import small_cluster
    >>> from course.world import build
    >>> world = build(small_cluster("kubenet"))
    >>> print(plugin_call(world.calls["web-1"][0]).alt)
    The runtime starts the program bridge with an environment and a JSON document; bridge asks \
host-local for an address, prints a result, and ends.
    """
    columns = {
        "environment: what, and for whom": [
            f"{name}={_short(call.environment[name])}" for name in SHOWN
        ],
        "standard input: how": [*_written(call.stdin)],
        "standard output: the result": [*_made(call)],
    }
    ipam = call.stdin.get("ipam", {}).get("type", "")
    asks = f" asks {ipam} for an address," if ipam else ""
    alt = (
        f"The runtime starts the program {call.plugin} with an environment and a JSON document; "
        f"{call.plugin}{asks} prints a result, and ends."
    )
    told = [f"{title}: {'; '.join(lines)}." for title, lines in columns.items()]
    return Picture(_call_svg(columns, call.plugin, ipam), alt, told)


def reservations(
    lab: Lab, node: str, network: str, subnet: str, running: Collection[str] | None = None
) -> Picture:
    """The addresses of a range, and for whom host-local has reserved them: from the files on a
    node of a lab.

    `running` are the ids of the containers that run, if they are known: a reservation of anybody
    else is stale. Raises InputError for a range of more than 16 addresses.
    """
    read = (
        f"cd /var/lib/cni/networks/{network} && "
        "for file in *.*.*.*; do echo $file $(head -n 1 $file); done"
    )
    said = lab.run(node, ["sh", "-c", read])
    told = (line.split() for line in said.splitlines())
    return slots(subnet, {each[0]: each[1] for each in told if len(each) == 2}, running)


def slots(
    subnet: str, owners: Mapping[str, str], running: Collection[str] | None = None
) -> Picture:
    """The addresses of a small range, each as a box that says what it is.

    >>> print(slots("10.99.0.0/29", {"10.99.0.2": "mine"}, ["mine"]).alt)
    The 8 addresses of 10.99.0.0/29: 1 network, 1 gateway, 1 reserved, 4 free, 1 broadcast.
    """
    network = parse_range(subnet, version=4)
    if not 4 <= network.size <= 16:
        raise InputError(subnet, "is too large for this picture, or too small.", "Take a /28.")
    told = [(canonical(ip), *_kind(ip, network, owners, running)) for ip in network]
    kinds = [kind for _, kind, _ in told]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    width, height, across = 96, 62, min(8, network.size)
    drawn = _HATCHING
    for number, (address, kind, owner) in enumerate(told):
        x, y = 4 + number % across * width, 4 + number // across * height
        drawn += box(x, y, width - 6, height - 6, *LOOKS[kind])
        for line, said in enumerate((address, kind, owner)):
            drawn += text(x + 45, y + 17 + 16 * line, said, "middle", bold=not line, rim=True)
    rows = -(-network.size // across)
    words = [f"{address}: {kind} {owner}".rstrip() for address, kind, owner in told]
    alt = f"The {network.size} addresses of {canonical(network)}: {counts}."
    return Picture(page(across * width + 4, rows * height + 4, drawn), alt, words)


class ListExplorer(widgets.VBox):
    """A choice of configuration lists, and below it every field of the chosen one."""

    def __init__(self) -> None:
        self.choice = widgets.Dropdown(
            options=list(CHOICES), description="Configuration list",
            style={"description_width": LABEL_WIDTH}, layout=widgets.Layout(width="36em"),
        )  # fmt: skip
        self.result = widgets.HTML()
        super().__init__([self.choice, self.result])
        self.choice.observe(lambda _: self.update(), names="value")
        self.update()

    def update(self) -> None:
        """Show the fields of the chosen list."""
        rows = [
            [f"<code>{escape(path)}</code>", f"<code>{escape(value)}</code>", escape(meaning)]
            for path, value, meaning in explained(CHOICES[self.choice.value])
        ]
        head = ["field", "value", "what it says"]
        self.result.value = table(escape(self.choice.value), head, rows) + note(
            "Lists of Azure and AKS as they stand in the source of their makers."
        )


def list_explorer() -> ListExplorer:
    """The configuration lists of AKS nodes, field by field."""
    return ListExplorer()


def explained(conflist: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Every field of a list: its path, its value, what it says. Plugins are numbered.

    >>> next(explained({"plugins": [{"type": "bridge"}]}))
    ('plugin 1: type', 'bridge', "the plugin's program, looked up in /opt/cni/bin")
    """
    numbered = {key: value for key, value in conflist.items() if key != "plugins"}
    for path, value in fields(numbered):
        yield path, str(value), FIELDS.get(path, "")
    for number, plugin in enumerate(conflist.get("plugins", ()), 1):
        for path, value in fields({"plugins": [plugin]}):
            bare = path.removeprefix("plugins.")
            yield f"plugin {number}: {bare}", _value(value), FIELDS.get(path, "")


LOOKS = {
    "network": ("#d9d9d9",), "gateway": ("#d9d9d9",), "broadcast": ("#d9d9d9",),
    "free": ("#fff", 'stroke-dasharray="4 3"'), "reserved": ("#dbe8f5",),
    "stale": ("url(#stale)", 'stroke-width="3"'),
}  # fmt: skip
_HATCHING = (
    '<defs><pattern id="stale" width="8" height="8" patternUnits="userSpaceOnUse">'
    '<rect width="8" height="8" fill="#fff"/><path d="M0 8 L8 0" stroke="#555"/></pattern></defs>'
)


def _kind(
    ip: IPAddress, network: IPNetwork, owners: Mapping[str, str], running: Collection[str] | None
) -> tuple[str, str]:
    place = int(ip) - network.first
    kept = {0: "network", 1: "gateway", network.size - 1: "broadcast"}
    if place in kept:
        return kept[place], ""
    owner = owners.get(canonical(ip), "")
    if not owner:
        return "free", ""
    return ("reserved" if running is None or owner in running else "stale"), owner


def _written(stdin: Mapping[str, Any]) -> Iterator[str]:
    """The fields of a configuration that tell a plugin most."""
    for key in ("cniVersion", "name", "type", "bridge"):
        if key in stdin:
            yield f"{key}: {stdin[key]}"
    ipam = stdin.get("ipam", {})
    if ipam:
        yield f"ipam.type: {ipam['type']}"
    for ranges in ipam.get("ranges", ()):
        yield from (f"ipam range: {each['subnet']}" for each in ranges)
    if "prevResult" in stdin:
        yield "prevResult: what the plugin before printed"


def _made(call: PluginCall) -> Iterator[str]:
    """What a result tells most."""
    if not call.expected:
        yield "nothing"
        return
    for each in call.expected.interfaces:
        where = "in the pod" if each.sandbox else "on the node"
        yield f"interface {each.name or 'veth...'} {where}"
    for ip in call.expected.ips:
        yield f"address {ip.address}, gateway {ip.gateway}"


def _call_svg(columns: Mapping[str, list[str]], plugin: str, ipam: str) -> str:
    """What goes in at the left, the program in the middle, what comes out at the right."""
    wide = max(_width(title, lines) for title, lines in [*columns.items()][:2])
    first, second, result = (_table(*each, wide) for each in columns.items())
    middle = max(width_of(each, bold=True) for each in (plugin, ipam)) + 24
    at, right = wide + 56, wide + middle + 112
    height = max(first[1] + second[1] + 12, 150)
    here = height / 2
    drawn = _ARROW + first[0] + _moved(second[0], 0, first[1] + 12)
    drawn += _moved(result[0], right, here - result[1] / 2)
    drawn += box(at, here - 18, middle, 36, "#dbe8f5", 'rx="8" stroke-width="2"')
    drawn += text(at + middle / 2, here + 5, plugin, "middle", bold=True)
    drawn += _arrow(wide, first[1] / 2, at, here - 8) + _arrow(at + middle, here, right, here)
    drawn += _arrow(wide, first[1] + 12 + second[1] / 2, at, here + 8)
    if ipam:
        x, y = at + middle / 2, here + 74
        drawn += _arrow(x - 6, here + 18, x - 6, y - 16) + _arrow(x + 6, y - 16, x + 6, here + 18)
        drawn += box(at, y - 16, middle, 32, "#fff", 'rx="8" stroke-dasharray="5 3"')
        drawn += text(x, y + 5, ipam, "middle", bold=True)
        height = max(height, y + 20)
    out = [*columns.items()][2]
    return page(right + max(_width(*out), wide) + 4, height + 4, drawn)


def _width(title: str, lines: list[str]) -> float:
    """How wide a box of lines below a title is."""
    return max(width_of(title, bold=True), *map(width_of, lines)) + 20


def _table(title: str, lines: list[str], least: float) -> tuple[str, float]:
    """A box of lines below a title, and its height."""
    height = 30 + 18 * len(lines)
    wide = max(_width(title, lines), least)
    drawn = box(2, 2, wide - 4, height - 4) + text(10, 20, title, bold=True)
    for number, line in enumerate(lines):
        drawn += text(10, 40 + 18 * number, line)
    return drawn, height


def _moved(drawn: str, x: float, y: float) -> str:
    return f'<g transform="translate({x:.1f} {y:.1f})">{drawn}</g>'


def _arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    return (
        f'<path d="M{x:.1f} {y:.1f} L{to_x:.1f} {to_y:.1f}" stroke="#000" fill="none" '
        'marker-end="url(#tip-of-call)"/>'
    )


_ARROW = (
    '<defs><marker id="tip-of-call" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="8" '
    'markerHeight="8" orient="auto-start-reverse"><path d="M0 0 L10 5 L0 10 z"/></marker></defs>'
)


def _short(value: str) -> str:
    return value if len(value) <= 20 else f"{value[:12]}..."


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
