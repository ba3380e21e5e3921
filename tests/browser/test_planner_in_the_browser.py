"""The planner in a real browser: by keyboard alone, in both themes, with nothing leaving it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from course.planner import document

pytestmark = pytest.mark.browser

SECTIONS = ["Cluster", "Network", "Node pools", "Outbound and Services", "Policy and needs"]
SECTIONS += ["Where pages disagree"]
RESULTS = ["Compare", "Findings", "Working", "Growth", "Moving", "Export", "Load"]
RESULTS += ["Your own cluster"]


@pytest.fixture
def book(notebook):
    found = notebook("lessons/planner.ipynb")
    found.run_all()
    return found


@pytest.fixture
def app(book):
    return book.output("set-up")


def tab(app, title):
    """The tab of this title, whatever number of errors its title tells."""
    return app.get_by_role("tab", name=re.compile(rf"^{title}( \(|$)"))


def test_every_tab_is_accessible_in_the_light_and_in_the_dark_theme(book, app):
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        book.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme
        )
        expect(book.page.locator(f'body[data-jp-theme-name="{theme}"]')).to_be_attached()
        for title in SECTIONS + RESULTS:
            tab(app, title).click()
            expect(tab(app, title)).to_have_attribute("aria-selected", "true")
            assert book.violations() == [], (theme, title)
    assert book.errors() == []


def test_every_control_has_a_name(book, app):
    for title in SECTIONS + RESULTS:
        tab(app, title).click()
        for role in ("textbox", "checkbox", "combobox", "button"):
            for control in app.get_by_role(role).all():
                assert '"' in control.aria_snapshot(), control.evaluate("e => e.outerHTML")
    tab(app, "Compare").click()
    assert "10.240.0.0/16" in app.get_by_role("img").get_attribute("alt")


def test_a_plan_is_made_by_keyboard_alone(book, app):
    keyboard = book.page.keyboard
    tab(app, "Cluster").focus()
    for _ in range(2):
        keyboard.press("ArrowRight")
    keyboard.press("Enter")
    expect(tab(app, "Node pools")).to_have_attribute("aria-selected", "true")
    for _ in range(2):
        keyboard.press("Tab")
    expect(app.get_by_label("Nodes of pool system")).to_be_focused()
    keyboard.press("Control+A")
    keyboard.type("50")
    expect(app.get_by_role("table")).to_contain_text(": 1,705 of")

    app.get_by_label("Model", exact=True).focus()
    keyboard.type("kub")
    expect(app.get_by_role("status").first).to_contain_text("Chosen: kubenet")
    keyboard.press("Tab")
    expect(tab(app, "Node pools")).to_be_focused()
    tab(app, "Compare").focus()
    keyboard.press("ArrowRight")
    keyboard.press("Enter")
    expect(app.get_by_role("table")).to_contain_text("kubenet ends on 2028-03-31")


def test_the_result_follows_the_keys_and_a_slip_leaves_the_last_good_one(book, app):
    tab(app, "Network").click()
    vnet = app.get_by_label("Virtual network")
    vnet.press("End")
    vnet.press("Backspace")
    expect(app.get_by_role("alert").last).to_contain_text("bits set after its length")
    expect(app).to_contain_text("Not up to date.")
    expect(tab(app, "Network")).to_contain_text("(1 error)")
    expect(app.get_by_role("table")).to_contain_text("Azure CNI Overlay")
    assert book.violations() == []
    vnet.press("5")
    expect(app.get_by_role("alert")).to_have_count(0)
    expect(app.get_by_role("img")).to_have_attribute("alt", re.compile("10.240.0.0/15"))


def test_a_plan_is_saved_as_a_file_and_loaded_again(book, app, tmp_path):
    tab(app, "Export").click()
    app.get_by_label("Form", exact=True).select_option(label="JSON, to load again")
    expect(app.get_by_label("The plan", exact=True)).to_have_value(re.compile('"pools"'))
    with book.page.expect_download() as download:
        app.get_by_role("link", name="Save as aks.json").press("Enter")
    saved = Path(download.value.path()).read_text("utf-8")
    assert document.read(saved).name == "aks"

    tab(app, "Load").click()
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(json.loads(saved) | {"name": "shop"}))
    with book.page.expect_file_chooser() as chooser:
        app.get_by_role("button", name="Or choose files").press("Enter")
    chooser.value.set_files(file)
    expect(app.get_by_role("button", name="Or choose files (1)")).to_be_visible()
    app.get_by_role("button", name="Fill the form").press("Enter")
    expect(app).to_contain_text("The form holds this plan now.")
    tab(app, "Cluster").click()
    expect(app.get_by_label("Cluster name")).to_have_value("shop")
    app.get_by_role("button", name="Bring back").press("Enter")
    expect(app.get_by_label("Cluster name")).to_have_value("aks")


def test_a_running_cluster_is_pasted(book, app):
    tab(app, "Your own cluster").click()
    pool = {"name": "web", "count": 7, "maxPods": 60, "osType": "Linux"}
    paste = app.get_by_role("textbox", name="Paste here")
    paste.fill(json.dumps({"name": "shop", "agentPoolProfiles": [pool]}))
    app.get_by_role("button", name="Fill the form").click()
    expect(app.get_by_role("table")).to_contain_text("Which Kubernetes version does it run?")
    assert book.violations() == []
    paste.fill("no JSON")
    app.get_by_role("button", name="Fill the form").click()
    expect(app.get_by_role("alert")).to_contain_text("holds no JSON")


def test_pasting_again_and_again_always_reads_what_stands_in_the_box(book, app):
    tab(app, "Your own cluster").click()
    paste = app.get_by_role("textbox", name="Paste here")
    for nodes in range(5, 15):
        pool = {"name": "web", "count": nodes, "maxPods": 60, "osType": "Linux"}
        paste.fill(json.dumps({"name": f"shop{nodes}", "agentPoolProfiles": [pool]}))
        app.get_by_role("button", name="Fill the form").click()
        expect(paste).to_have_value("")
        tab(app, "Cluster").click()
        expect(app.get_by_label("Cluster name")).to_have_value(f"shop{nodes}")
    assert app.get_by_role("alert").count() == 0


def test_the_keyboard_goes_where_one_works_on_after_adding_and_removing_a_pool(book, app):
    tab(app, "Node pools").click()
    for name in ("user1", "user2"):
        app.get_by_role("button", name="Add a node pool").press("Enter")
        expect(app.get_by_label(f"Pool name of pool {name}")).to_be_focused()
    app.get_by_role("button", name="Remove pool user1").press("Enter")
    expect(app.get_by_role("button", name="Remove pool user2")).to_be_focused()
    book.page.keyboard.press("Enter")
    expect(app.get_by_role("button", name="Add a node pool")).to_be_focused()


def test_with_three_pools_the_verdict_is_seen_while_one_edits(book, app):
    tab(app, "Node pools").click()
    for _ in range(2):
        app.get_by_role("button", name="Add a node pool").click()
    field = app.get_by_label("Nodes of pool user2")
    field.scroll_into_view_if_needed()
    field.fill("7")
    expect(app.get_by_role("status").first).to_be_in_viewport()
    expect(field).to_be_in_viewport()


def test_a_narrow_window_cuts_no_title_and_no_table(book, app):
    book.page.set_viewport_size({"width": 900, "height": 900})
    tab(app, "Network").click()
    app.get_by_label("Virtual network").fill("10.240.0.0")
    expect(tab(app, "Network")).to_contain_text("(1 error)")
    for title in SECTIONS + RESULTS:
        tab(app, title).click()
        whole = (
            "e => [e, ...e.querySelectorAll('*')].every(e => e.scrollWidth <= e.clientWidth + 1)"
        )
        assert tab(app, title).evaluate(whole), title
        wide = "e => e.scrollWidth > e.clientWidth + 1"
        assert not app.locator(".aks-planner").evaluate(wide), title
    tab(app, "Compare").click()
    cut = """e => {
        const box = e.parentElement, pane = box.parentElement;
        return pane.scrollWidth > pane.clientWidth + 1;
    }"""
    assert not app.get_by_role("table").first.evaluate(cut)
    assert book.violations() == []
