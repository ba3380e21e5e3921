"""The express path: who answers all its questions at the first try may skip the lesson."""

from __future__ import annotations

import pytest

from course import progress
from course.errors import InputError
from course.questions import Choice, Option
from course.views import express
from course.views.express import ExpressPath

YES, NO = Option("Yes", "is right.", True), Option("No", "is wrong.")
ASKED = [Choice(f"05.express-{n}", f"{n}?", (YES, NO), ("A hint.",)) for n in ("one", "two")]


@pytest.fixture
def path(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return ExpressPath("05", ASKED)


def commit(path, place, text):
    view = path.children[place]
    view.entry.value = text
    view.commit.click()


def test_nothing_is_asked_before_the_learner_opens_it(path):
    assert [type(child).__name__ for child in path.children] == ["HBox", "HTML"]
    assert "0 of 2" in path.said.value


def test_all_right_at_the_first_try_leads_to_the_exercise(path):
    path.opener.click()
    for place in (0, 1):
        commit(path, place, "Yes")
    assert "You may skip this lesson" in path.said.value
    assert "exercises/05-azure-cni/05-azure-cni.ipynb" in path.said.value


def test_a_wrong_first_answer_counts_also_after_it_is_mended(path):
    path.opener.click()
    for place, text in ((0, "No"), (0, "Yes"), (1, "Yes")):
        commit(path, place, text)
    assert "1 of 2 right at the first try" in path.said.value


def test_an_empty_commit_is_no_answer(path):
    path.opener.click()
    path.children[0].commit.click()
    assert "0 of 2" in path.said.value


def test_running_the_cell_again_loses_no_answer(path):
    path.opener.click()
    commit(path, 0, "Yes")
    assert progress.answers()
    assert "1 of 2" in ExpressPath("05", ASKED).said.value


def test_a_lesson_without_an_express_path_says_so():
    with pytest.raises(InputError, match="has no express path"):
        express("00")
