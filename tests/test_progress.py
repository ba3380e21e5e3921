"""Progress: kept for the learner, outside of the course, and never in the way."""

from __future__ import annotations

import json
import os

import pytest

from course import progress
from course.personal_copy import ROOT


def test_an_answer_is_kept_in_the_users_data_folder_and_never_in_the_course(own_data_folder):
    assert progress.record("05", "05.taken", 1550, "right") == ""
    assert progress.folder().is_relative_to(own_data_folder)
    assert not progress.folder().is_relative_to(ROOT)
    (event,) = progress.events()
    assert (event.question, event.answer, event.outcome) == ("05.taken", 1550, "right")


def test_without_a_file_there_is_no_progress():
    assert progress.events() == []
    assert progress.last_lesson() is None
    assert "not started" in progress.report()


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\x00\xff\xfe",
        b"{",
        b"[1, 2]\n",
        b'{"at": 1}\n',
        b'{"at": 1, "lesson": [], "x": 2}\n',
        b"[" * 200_000 + b"\n",
        b'{"at": "", "lesson": "05", "question": "05.taken", "outcome": null}\n',
    ],
)
def test_a_broken_file_breaks_nothing_and_loses_no_later_answer(broken):
    progress.folder().mkdir(parents=True)
    (progress.folder() / progress.FILE_NAME).write_bytes(broken)
    assert progress.events() == []
    assert progress.record("05", "05.taken", 1550, "right") == ""
    assert [event.question for event in progress.events()] == ["05.taken"]
    progress.report()


def test_a_line_torn_by_a_crash_costs_only_itself():
    progress.record("05", "05.taken", 1550, "right")
    file = progress.folder() / progress.FILE_NAME
    file.write_bytes(file.read_bytes() + b'\n{"at": "2026-')
    progress.record("05", "05.sum", 1581, "right")
    assert [event.question for event in progress.events()] == ["05.taken", "05.sum"]


def test_a_folder_that_cannot_be_written_is_told_and_not_raised(own_data_folder):
    progress.folder().write_text("a file where the folder should be")
    assert "could not be kept" in progress.record("05", "05.taken", 1550, "right")
    assert progress.events() == []


def test_standing_tells_the_first_try_from_the_later_ones():
    for outcome in ("wrong", "right"):
        progress.record("05", "05.taken", 1, outcome)
    progress.record("05", "05.sum", 1581, "right")
    found = progress.standing("05")
    assert (found.answered, found.right, found.right_at_once) == (2, 2, 1)
    assert "2 right (1 at the first try)" in str(found)


def test_one_goes_back_to_the_lesson_where_one_stopped():
    progress.record("05")
    progress.record("00")
    assert progress.last_lesson() == "05"


def test_progress_can_be_exported(tmp_path):
    progress.record("05", "05.taken", 1550, "right")
    assert progress.export(tmp_path / "mine.json") == 1
    assert json.loads((tmp_path / "mine.json").read_text())[0]["answer"] == 1550


def test_a_reset_begins_anew_and_keeps_the_old_file():
    progress.record("05", "05.taken", 1550, "right")
    kept = progress.reset()
    assert progress.events() == []
    assert "05.taken" in kept.read_text()
    assert progress.reset() is None


@pytest.mark.skipif(os.name == "nt", reason="no fork on Windows")
def test_two_notebooks_may_write_at_the_same_time():
    children = []
    for _ in range(4):
        child = os.fork()
        if not child:
            for number in range(50):
                progress.record("05", "05.taken", number, "wrong")
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    assert len(progress.events()) == 200
