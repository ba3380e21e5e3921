"""The project as a learner does it: the planner's form is filled in, and its export handed in."""

from __future__ import annotations

import ast
import re

import pytest
from playwright.sync_api import expect

from tests.test_capstone import lost

pytestmark = pytest.mark.browser

# what is typed, by the labels of the fields
SYSTEM = {"Nodes": "3", "max-pods": "50", "max-surge (or %)": "1", "Pods expected": "24"}
WORK = {"Nodes": "12", "Autoscaler, most": "40", "max-pods": "110", "max-surge (or %)": "33%"}
WORK |= {"Pods expected": "24"}
SERVICES = {"Service range": "10.16.0.0/20", "DNS address": "10.16.0.10"}
DESIGNS = {
    "Azure CNI Overlay": {"Pod range": "10.64.0.0/16", "Subnets": "nodes=10.250.16.0/24"},
    "Azure CNI, pod subnet (dynamic)": {
        "Subnets": "nodes=10.250.16.0/25\npods=10.250.24.0/21",
    },
}
# the address that the databases see
SOURCES = {"Azure CNI Overlay": "B", "Azure CNI, pod subnet (dynamic)": "A"}


def choose(app, title):
    """Open the tab of this title, whatever number of errors its title tells."""
    tab = app.get_by_role("tab", name=re.compile(rf"^{title}( \(|$)"))
    tab.press("Enter")
    expect(tab).to_have_attribute("aria-selected", "true")


def fill(app, fields, of=""):
    """Type into fields in place of what stands there."""
    for label, text in fields.items():
        field = app.get_by_label(f"{label}{of}", exact=True)
        field.press("Control+A")
        field.press_sequentially(text)


def pasted(exported):
    """The lines that the project tells to copy out of the planner's JSON."""
    model = re.search(r'"model": (".*?")', exported)[1]
    ranges = re.search(r'"vnet".*"dns_address": ".*?"', exported, re.DOTALL)[0]
    pools = re.search(r'"pools": (\[.*?\n  \])', exported, re.DOTALL)[1]
    parts = {"model": model, "ranges": f"{{{ranges}}}", "pools": pools}
    return {name: ast.literal_eval(part) for name, part in parts.items()}


@pytest.mark.parametrize("model", DESIGNS)
def test_what_the_form_exports_gets_all_points_of_the_project(notebook, model):
    book = notebook("exercises/capstone/capstone.ipynb")
    book.run("company")
    book.run("planner")
    app = book.output("planner")
    expect(app.get_by_role("status").first).to_contain_text("works in no model")

    choose(app, "Node pools")
    fill(app, SYSTEM, of=" of pool system")
    app.get_by_role("button", name="Add a node pool").press("Enter")
    expect(app.get_by_label("Pool name of pool user1")).to_be_focused()
    fill(app, {"Pool name": "work"}, of=" of pool user1")
    fill(app, WORK, of=" of pool work")
    choose(app, "Network")
    fill(app, SERVICES | DESIGNS[model])
    app.get_by_label("Model", exact=True).select_option(label=model)
    expect(app.get_by_role("status").first).to_contain_text(f"Chosen: {model}. The design works")
    expect(app.get_by_role("alert")).to_have_count(0)

    choose(app, "Export")
    app.get_by_label("Form", exact=True).select_option(label="JSON, to load again")
    plan = app.get_by_label("The plan", exact=True)
    expect(plan).to_have_value(re.compile('"today": "2029-12-31"'))
    assert lost(**pasted(plan.input_value()), source=SOURCES[model]) == []
