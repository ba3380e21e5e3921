"""nbgrader's Formgrader over a class that the course's command has graded: what a grader does."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from course import sandbox
from tests.browser.conftest import LOOPBACK
from tests.browser.serving import serving
from tests.class_of_twenty import CLASS, EXERCISE, RIGHT, Student
from tests.hostile.kinds import KINDS
from tests.rooms import PYTHON_PATH, answered, grade, hand_in, new_room, scores

pytestmark = [pytest.mark.browser, pytest.mark.nbgrader]


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A class of three after grading: right, wrong, and one whose code shows a program."""
    if why := sandbox.why_not():
        pytest.skip(why)
    course = new_room(tmp_path_factory.mktemp("formgrader"))
    hand_in(course, "ann", answered(course, CLASS["all-right"]))
    hand_in(course, "bob", answered(course, CLASS["hard-coded"]))
    notebook = answered(course, Student(RIGHT))
    shown = KINDS["shows a program"].end.replace('fetch("/api")', "window.taken = 1")
    for cell in notebook.cells:
        if cell.id == "explanation":
            cell.source = "<script>window.taken = 1</script> <img src=x onerror='window.taken = 1'>"
    notebook.cells[3].update(cell_type="code", source=shown, outputs=[], execution_count=None)
    hand_in(course, "eve", notebook)
    grade(course)
    return course


@pytest.fixture(scope="module")
def page(room, tmp_path_factory, chromium):
    """A page that may ask nothing of another machine, in a JupyterLab on the course's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", PYTHON_PATH)
        patch.setenv("NBGRADER_EXCHANGE", str(room / "exchange"))
        words = (f"--ServerApp.root_dir={room}",)
        with serving(room, tmp_path_factory.mktemp("home"), *words) as url:
            opened = chromium.new_page(base_url=url)
            opened.set_default_timeout(60_000)
            left: list[str] = []
            opened.on("request", lambda request: left.append(request.url))
            yield opened
            opened.close()
            assert [each for each in left if not LOOPBACK.match(each)] == []


def row(page, student):
    return page.get_by_role("row").filter(has_text=student)


def submission_of(page, student):
    """Open what a student handed in, to be graded by hand."""
    page.goto(f"/formgrader/manage_students/{student}/{EXERCISE}")
    page.get_by_role("link", name=EXERCISE).last.click()
    expect(page.locator("#explanation")).to_be_visible()
    page.wait_for_load_state("networkidle")  # the grades are there, and will be saved


def test_the_formgrader_shows_the_grades_of_the_courses_command(room, page):
    page.goto(f"/formgrader/manage_submissions/{EXERCISE}")
    for student, score in (("ann", "13"), ("bob", "0"), ("eve", "13")):
        expect(row(page, student)).to_contain_text(f"{score} / 15")


def test_a_grade_that_a_person_gives_there_stays_when_it_is_graded_again(room, page):
    submission_of(page, "ann")
    page.locator("#explanation").fill("1.5")
    page.locator("#explanation").press("Tab")
    wait_for(lambda: scores(room)["ann"]["explanation"] == 1.5, page)

    page.goto(f"/formgrader/manage_submissions/{EXERCISE}")
    row(page, "ann").locator(".autograde a").click()  # nbgrader's own, in a sandbox
    expect(page.locator(".modal-dialog")).to_contain_text("Successfully autograded")
    assert scores(room)["ann"]["explanation"] == 1.5
    grade(room, "--force")
    assert scores(room)["ann"]["explanation"] == 1.5
    page.reload()
    expect(row(page, "ann")).to_contain_text("14.5 / 15")


def wait_for(true, page) -> None:
    for _ in range(50):
        if true():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it did not come about")


def test_a_program_in_what_a_student_shows_is_not_run_by_who_grades(page):
    submission_of(page, "eve")
    expect(page.locator("body")).to_contain_text("window.taken")  # its text, in the cell
    assert page.evaluate("window.taken === undefined")
