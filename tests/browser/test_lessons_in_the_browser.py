"""A learner's way through the lessons, in a real browser."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from course.curriculum import lessons
from course.questions import Number, Ordering, express_ids, question
from course.views.html import plain
from tests.conftest import ROOT

pytestmark = pytest.mark.browser

every_lesson = pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.slug)


@every_lesson
def test_a_lesson_runs_and_each_of_its_questions_is_answered_by_keyboard(notebook, lesson):
    book = notebook(lesson.file)
    book.run_all()
    assert book.errors() == []
    assert book.violations() == []
    for cell in json.loads((ROOT / lesson.file).read_text("utf-8"))["cells"]:
        for question_id in re.findall(r'\bask\("([^"]+)"\)', "".join(cell["source"])):
            output = book.output(cell["id"])
            answer(output, question(question_id))
            expect(output.get_by_role("status").last, question_id).to_contain_text("Right.")
        if "express(" in "".join(cell["source"]):
            walk_the_express_path(book.output(cell["id"]), lesson.number)
    assert book.violations() == []


def answer(output, asked):
    """Answer a question rightly, with keys alone."""
    if isinstance(asked, Number):
        field = output.get_by_role("textbox")
        field.press_sequentially(str(asked.solution))
        field.press("Tab")
    elif isinstance(asked, Ordering):
        for place, item in enumerate(asked.items, 1):
            output.get_by_label(plain(item), exact=True).select_option(str(place))
    else:
        role = "checkbox" if asked.several else "radio"
        for text in asked.solution:
            output.get_by_role(role, name=plain(text), exact=True).press("Space")
    output.get_by_role("button", name="Commit").press("Enter")


def walk_the_express_path(output, number):
    output.get_by_role("button", name="Show the questions").press("Enter")
    buttons = output.get_by_role("button", name="Commit")
    expect(buttons).to_have_count(5)
    for place, question_id in enumerate(express_ids(number)):
        answer(buttons.nth(place).locator("xpath=../.."), question(question_id))
    expect(output.get_by_role("status").last).to_contain_text("All right at the first try.")


def test_the_check_of_accessibility_finds_a_planted_bad_output(notebook):
    book = notebook("planted.ipynb")
    book.run_all()
    found = " ".join(book.violations())
    assert "color-contrast" in found
    assert "label" in found


def test_what_a_learner_does_is_heard_by_the_thread_of_the_cells_alone(notebook):
    book = notebook("heard.ipynb")
    book.run_all()
    output = book.output("heard")
    output.get_by_label("Field").press_sequentially("10.240.0.0/16", delay=50)
    expect(output).to_contain_text("10.240.0.0/16 heard by MainThread")
    assert "," not in output.inner_text()


def test_every_control_has_a_name_and_every_picture_says_what_it_shows(notebook):
    book = notebook("lessons/05-azure-cni.ipynb")
    book.run_all()
    for role in ("textbox", "spinbutton", "radio", "checkbox", "combobox", "button"):
        for control in book.page.locator(".jp-OutputArea-output").get_by_role(role).all():
            tree = control.aria_snapshot()
            assert '"' in tree, f"a {role} without a name: {control.evaluate('e => e.outerHTML')}"
    pictures = book.page.locator(".jp-OutputArea-output img")
    assert pictures.count() >= 3
    for picture in pictures.all():  # where there is no text, JupyterLab itself says "Image"
        assert len(picture.get_attribute("alt")) > 40


def test_a_prediction_is_told_only_after_it_was_committed(notebook):
    book = notebook("lessons/05-azure-cni.ipynb")
    book.run_all()
    asked = book.output("ask-taken")
    expect(asked).not_to_contain_text("1,550")

    asked.get_by_role("button", name="Commit").press("Enter")
    expect(asked.get_by_role("status")).to_contain_text("Not attempted")
    expect(asked).not_to_contain_text("1,550")

    field = asked.get_by_role("textbox")
    field.press_sequentially("110")
    field.press("Tab")
    book.page.keyboard.press("Enter")
    expect(asked.get_by_role("status")).to_contain_text("Not yet.")
    expect(asked.get_by_role("status")).to_contain_text("You counted what is in use")

    asked.get_by_role("button", name="Hint").press("Enter")
    expect(asked).to_contain_text("Hint 1 of")
    assert book.violations() == []

    field.fill("1,550")
    field.press("Tab")
    book.page.keyboard.press("Enter")
    expect(asked.get_by_role("status").last).to_contain_text("Right.")


def test_a_choice_is_made_by_keyboard_alone(notebook):
    book = notebook("lessons/05-azure-cni.ipynb")
    book.run_all()
    asked = book.output("ask-upgrade")
    commit = asked.get_by_role("button", name="Commit")
    asked.get_by_role("radio", name="The upgrade is refused").press("Space")
    for _ in asked.get_by_role("radio").all():
        if not commit.evaluate("e => e === document.activeElement"):
            book.page.keyboard.press("Tab")
    expect(commit).to_be_focused()
    book.page.keyboard.press("Enter")
    expect(asked.get_by_role("status")).to_contain_text("Right.")
    assert book.violations() == []


def test_several_options_are_chosen_by_keyboard(notebook):
    book = notebook("lessons/05-azure-cni.ipynb")
    book.run_all()
    asked = book.output("ask-takes")
    for name in ("A surge node", "A pod that a node may run", "An internal Service"):
        asked.get_by_role("checkbox", name=name).press("Space")
    asked.get_by_role("button", name="Commit").press("Enter")
    expect(asked.get_by_role("status")).to_contain_text("Right.")
    assert book.violations() == []


def test_the_arrow_keys_work_a_control_and_do_not_leave_it(notebook):
    book = notebook("lessons/05-azure-cni.ipynb")
    book.run_all()
    place = book.output("ask-cure").get_by_role("combobox").first
    place.focus()
    book.page.keyboard.press("ArrowDown")
    expect(place).to_be_focused()
    expect(place).to_have_value("1")
    options = book.output("ask-upgrade").get_by_role("radio")
    options.first.focus()
    book.page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_be_focused()


def test_hints_come_in_steps(notebook):
    book = notebook("lessons/05-azure-cni.ipynb")
    book.run_all()
    asked = book.output("ask-alone")
    asked.get_by_role("button", name="Hint").press("Enter")
    expect(asked).to_contain_text("Hint 1 of 3")
    expect(asked).not_to_contain_text("Hint 2 of 3")
    asked.get_by_role("button", name="Hint").press("Enter")
    expect(asked).to_contain_text("Hint 2 of 3")


def test_the_calculator_is_worked_by_keyboard_and_teaches_by_its_errors(notebook):
    book = notebook("lessons/05-azure-cni.ipynb")
    book.run_all()
    calculator = book.output("calculator")
    expect(calculator.get_by_role("status")).to_contain_text("It fits.")
    expect(calculator.get_by_role("table")).to_contain_text("1,581")

    nodes = calculator.get_by_label("Nodes", exact=True)
    nodes.focus()
    book.page.keyboard.press("Control+A")
    book.page.keyboard.type("100")
    book.page.keyboard.press("Enter")
    expect(calculator.get_by_role("status")).to_contain_text("3,131 addresses are needed")
    expect(calculator.get_by_role("img")).to_have_attribute(
        "alt", re.compile("ends 1,088 addresses before")
    )

    subnet = calculator.get_by_label("Node subnet")
    subnet.fill("10.240.0.1/21")
    subnet.press("Enter")
    expect(calculator.get_by_role("alert")).to_contain_text("bits set after its length")
    expect(calculator.get_by_role("status")).to_contain_text("3,131 addresses are needed")
    assert book.violations() == []

    subnet.fill("10.240.0.0/20")
    subnet.press("Enter")
    expect(calculator.get_by_role("alert")).to_have_count(0)
    expect(calculator.get_by_role("status")).to_contain_text("It fits.")


def test_the_map_of_lessons_leads_to_a_lesson(notebook):
    book = notebook("lessons/00-start.ipynb")
    book.run_all()
    book.output("map").get_by_role("link", name="05 Azure CNI").click()
    book.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.context?.path"
        " === 'lessons/05-azure-cni.ipynb'"
    )


def test_the_validate_button_of_the_exercise_tells_how_one_stands(notebook):
    book = notebook("exercises/05-azure-cni/05-azure-cni.ipynb")
    book.page.get_by_role("button", name="Validate").click()
    dialog = book.page.get_by_role("dialog")
    expect(dialog).to_contain_text("failed", timeout=60_000)


def test_the_launcher_offers_only_the_kernel_in_which_one_writes(notebook):
    book = notebook("lessons/00-start.ipynb")
    book.page.evaluate("() => window.jupyterapp.commands.execute('launcher:create')")
    kernels = book.page.locator('.jp-LauncherCard[data-category="Notebook"]')
    expect(kernels).to_have_text(["Python 3 (ipykernel)"])
