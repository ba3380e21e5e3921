"""Pictures, each with a text that says what it shows and the same in words."""

from __future__ import annotations

import base64
from html import escape

import graphviz

from course.sizing.node_subnet import Plan, SubnetUse
from course.views.bar import bar_svg
from course.views.dot import NoRendererError, svg
from course.views.html import TEXT_COLOUR, Html

FONT = "Helvetica,Arial,DejaVu Sans,sans-serif"


class Picture(Html):
    """A picture with its alternative text and its content in words, a line for each thing.

    `drawing` is SVG; where it is empty the words stand alone.
    """

    def __init__(self, drawing: str, alt: str, words: list[str], caption: str = "") -> None:
        self.drawing, self.alt, self.words, self.caption = drawing, alt, words, caption
        lines = [alt, *(f"- {each}" for each in words), *([caption] if caption else [])]
        super().__init__(self._figure(), "\n".join(lines))

    @classmethod
    def of_graph(cls, graph: graphviz.Digraph, alt: str, words: list[str]) -> Picture:
        """A Graphviz graph as a picture; where nothing can draw it, its words."""
        try:
            return cls(svg(graph.source), alt, words)
        except NoRendererError:
            return cls("", alt, [*words, "No renderer was found: run python -m course doctor."])

    def _figure(self) -> str:
        items = "".join(f"<li>{escape(each)}</li>" for each in self.words)
        if not self.drawing:
            return f"<p>{escape(self.alt)}</p><ul>{items}</ul>"
        # as an <img>, which has an alternative text; JupyterLab shows a bare SVG without any
        data = base64.b64encode(self.drawing.encode("utf-8")).decode("ascii")
        return (
            f'<figure style="margin: 6px 0; color: {TEXT_COLOUR}">'
            f'<img alt="{escape(self.alt)}" src="data:image/svg+xml;base64,{data}" '
            f'style="max-width: 100%; box-sizing: border-box; background: white; padding: 4px">'
            f"<figcaption>{escape(self.caption)}<details><summary>The picture in words</summary>"
            f"<ul>{items}</ul></details></figcaption></figure>"
        )


def node_addresses(max_pods: int = 30, running: int = 3) -> Picture:
    """One node, its network interface and the addresses that stand on it before any pod exists."""
    graph = boxes("node", rankdir="LR")
    graph.node("subnet", "node subnet\n10.240.0.0/24", shape="cylinder")
    with graph.subgraph(name="cluster_node") as node:
        node.attr(label="node-1", style="rounded", fontname=FONT)
        node.node("primary", "node's own\n10.240.0.4")
        node.node("used", f"{running} addresses\nof running pods", peripheries="2")
        node.node("waiting", f"{max_pods - running} addresses\nthat wait for pods", style="dashed")
    graph.edge("subnet", "primary", label="1")
    graph.edge("subnet", "used", label=str(running))
    graph.edge("subnet", "waiting", label=str(max_pods - running))
    return Picture.of_graph(
        graph,
        f"A node takes {max_pods + 1} addresses from the node subnet: one of its own, {running} "
        f"for running pods, {max_pods - running} that wait.",
        [
            "The node subnet, 10.240.0.0/24, gives all of them to the network interface of node-1.",
            "1 address is the node's own: 10.240.0.4.",
            f"{running} addresses are in use by running pods.",
            f"{max_pods - running} addresses stand on the interface and wait for pods (dashed).",
            "Nobody else can have any of them.",
        ],
    )


def subnet_use(plan: Plan, prefix: int) -> Picture:
    """How full a subnet is at the peak, with a sentence that says whether it fits."""
    use = SubnetUse(plan, prefix)
    return subnet_bar(use, use.summary)


def subnet_bar(use: SubnetUse, caption: str = "") -> Picture:
    """The same as a picture alone: nodes, pods, surge, what Azure keeps, what is free."""
    ends = (
        "" if use.fits else f"; the subnet ends {-use.free:,} addresses before the end of the bar"
    )
    bar = f"A bar of the /{use.prefix} with its {use.total:,} addresses"
    alt = f"{bar}: {', '.join(use.words)}{ends}."
    return Picture(bar_svg(use.parts, use.total), alt, use.words, caption)


def boxes(name: str, **attributes: str) -> graphviz.Digraph:
    """An empty graph of boxes, in the looks that all of them have."""
    graph = graphviz.Digraph(name, graph_attr={"bgcolor": "white", "fontname": FONT, **attributes})
    # room at the sides: the reader's font may be wider than the one it was laid out with
    graph.attr("node", shape="box", fontname=FONT, fontsize="12", margin="0.3,0.1")
    graph.attr("edge", fontname=FONT, fontsize="11")
    return graph
