"""The learner's copy: the course moves on, and nothing a learner wrote is ever lost."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from course.errors import InputError
from course.personal_copy import reset, solution, update

LESSON = "lessons/05-azure-cni.ipynb"
EXERCISE = "exercises/05-azure-cni/05-azure-cni.ipynb"
SOLUTION = "solutions/05-azure-cni/05-azure-cni.ipynb"
START = "lessons/00-start.ipynb"
NOON = datetime(2026, 11, 20, 12, 0, 0)


def write(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


@pytest.fixture
def root(tmp_path):
    """A small course, before anybody has opened it."""
    for file in (START, LESSON, EXERCISE, SOLUTION):
        write(tmp_path / file, f"first {file}".encode())
    return tmp_path


@pytest.fixture
def mine(root):
    """The copy, after the first update."""
    update(root)
    return root / "my-course"


def words(outcomes):
    return {each.file: each.what for each in outcomes}


def files(folder):
    found = (file for file in folder.rglob("*") if file.is_file() and ".given" not in file.parts)
    return sorted(file.relative_to(folder).as_posix() for file in found)


def a_notebook(*sources, output=None):
    """A notebook with these cells, as it stands in a file; with an output if it was run."""
    outputs = [{"output_type": "stream", "name": "stdout", "text": output}] if output else []
    cells = [
        {"cell_type": "code", "source": source, "outputs": outputs, "execution_count": None}
        for source in sources
    ]
    return json.dumps({"cells": cells, "metadata": {"widgets": output}}).encode()


# ---- update ----


def test_a_notebook_that_was_only_run_is_brought_up_to_date_and_the_run_is_kept(root):
    write(root / LESSON, a_notebook("1 + 1"))
    update(root)
    mine = root / "my-course"
    write(mine / LESSON, a_notebook("1 + 1", output="2"))
    write(root / LESSON, a_notebook("1 + 2"))
    (outcome,) = update(root, now=NOON)
    assert outcome.what == "updated"
    assert (mine / LESSON).read_bytes() == a_notebook("1 + 2")
    backup = mine / "backup" / "05-azure-cni-20261120-120000.ipynb"
    assert backup.read_bytes() == a_notebook("1 + 1", output="2")
    assert backup.relative_to(root).as_posix() in outcome.says


@pytest.mark.parametrize(
    "changed", [a_notebook("1 + 1", "my note"), a_notebook("1 + 3"), b"{}", b"[]", b"{broken"]
)
def test_a_notebook_with_a_changed_cell_stays(root, changed):
    write(root / LESSON, a_notebook("1 + 1"))
    update(root)
    write(root / "my-course" / LESSON, changed)
    write(root / LESSON, a_notebook("1 + 2"))
    assert words(update(root)) == {LESSON: "kept yours"}
    assert (root / "my-course" / LESSON).read_bytes() == changed


def test_the_first_update_hands_out_lessons_and_exercises_and_no_solution(root):
    assert words(update(root)) == {START: "new", LESSON: "new", EXERCISE: "new"}
    assert files(root / "my-course") == sorted([START, LESSON, EXERCISE])
    assert (root / "my-course" / LESSON).read_bytes() == (root / LESSON).read_bytes()


def test_what_lies_beside_a_notebook_is_handed_out_and_what_tools_leave_is_not(root):
    picture = "lessons/pictures/subnet.svg"
    write(root / picture, b"<svg/>")
    write(root / "lessons/.ipynb_checkpoints/00-start-checkpoint.ipynb", b"old")
    write(root / "lessons/__pycache__/x.pyc", b"x")
    assert set(words(update(root))) == {START, LESSON, EXERCISE, picture}


def test_a_second_update_has_nothing_to_say(root, mine):
    assert update(root) == []


def test_an_untouched_lesson_is_brought_up_to_date(root, mine):
    write(root / LESSON, b"second")
    assert words(update(root)) == {LESSON: "updated"}
    assert (mine / LESSON).read_bytes() == b"second"


def test_a_touched_lesson_stays_and_the_new_version_is_laid_beside_it_once(root, mine):
    write(mine / LESSON, b"my notes")
    write(root / LESSON, b"second")
    (outcome,) = update(root)
    assert outcome.what == "kept yours"
    assert "my-course/lessons/05-azure-cni.new.ipynb" in outcome.says
    assert (mine / LESSON).read_bytes() == b"my notes"
    assert (mine / "lessons/05-azure-cni.new.ipynb").read_bytes() == b"second"
    assert update(root) == []


def test_a_touched_lesson_without_a_new_version_is_nobodys_business(root, mine):
    write(mine / LESSON, b"my notes")
    assert update(root) == []
    assert files(mine) == sorted([START, LESSON, EXERCISE])


def test_a_name_that_is_taken_is_never_written_over(root, mine):
    write(mine / LESSON, b"my notes")
    write(mine / "lessons/05-azure-cni.new.ipynb", b"my other notes")
    write(root / LESSON, b"second")
    (outcome,) = update(root)
    assert "05-azure-cni.new-2.ipynb" in outcome.says
    assert (mine / "lessons/05-azure-cni.new.ipynb").read_bytes() == b"my other notes"
    assert (mine / "lessons/05-azure-cni.new-2.ipynb").read_bytes() == b"second"


def test_a_learner_who_has_the_new_version_already_is_left_in_peace(root, mine):
    write(root / LESSON, b"second")
    write(mine / LESSON, b"second")
    assert update(root) == []
    write(root / LESSON, b"third")
    assert words(update(root)) == {LESSON: "updated"}


def test_a_deleted_lesson_stays_deleted_and_is_told_how_to_come_back(root, mine):
    (mine / LESSON).unlink()
    assert update(root) == []
    write(root / LESSON, b"second")
    (outcome,) = update(root)
    assert outcome.what == "deleted"
    assert "python -m course reset 05" in outcome.says
    assert not (mine / LESSON).exists()
    assert update(root) == []
    reset("05", root)
    assert (mine / LESSON).read_bytes() == b"second"


def test_a_copy_whose_history_is_lost_counts_as_touched(root, mine):
    shutil.rmtree(mine / ".given")
    write(root / LESSON, b"second")
    assert words(update(root)) == {LESSON: "kept yours"}
    assert update(root) == []


def test_a_file_of_the_learners_is_not_replaced_by_a_new_one_of_the_same_name(root, mine):
    write(mine / "lessons/06-overlay.ipynb", b"my own lesson")
    write(root / "lessons/06-overlay.ipynb", b"the course's lesson")
    assert words(update(root)) == {"lessons/06-overlay.ipynb": "kept yours"}
    assert (mine / "lessons/06-overlay.ipynb").read_bytes() == b"my own lesson"


def test_a_lesson_that_the_course_gives_up_stays_with_the_learner(root, mine):
    (root / LESSON).unlink()
    assert update(root) == []
    assert (mine / LESSON).exists()


def test_a_copy_that_is_partly_there_is_completed(root):
    write(root / "my-course" / "notes.txt", b"mine")
    write(root / "my-course" / START, (root / START).read_bytes())
    assert words(update(root)) == {LESSON: "new", EXERCISE: "new"}


def test_a_course_that_may_only_be_read_gives_a_copy_that_may_be_written(root):
    (root / LESSON).chmod(0o444)
    update(root)
    assert (root / "my-course" / LESSON).stat().st_mode & 0o200


# ---- what a learner may have put in the way ----


def test_no_link_is_written_through(root, mine, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "thesis.ipynb"
    outside.write_bytes((root / LESSON).read_bytes())
    (mine / LESSON).unlink()
    (mine / LESSON).symlink_to(outside)
    write(root / LESSON, b"second")
    assert words(update(root)) == {LESSON: "kept yours"}
    assert (mine / LESSON).is_symlink()
    reset("05", root)
    assert outside.read_bytes() == f"first {LESSON}".encode()
    assert (mine / LESSON).read_bytes() == b"second"


def test_no_folder_that_is_a_link_is_followed(root, mine, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    shutil.move(mine / "lessons", outside / "lessons")
    (mine / "lessons").symlink_to(outside / "lessons")
    write(root / LESSON, b"second")
    assert words(update(root))[LESSON] == "failed"
    assert reset("05", root).what == "failed"
    assert (outside / LESSON).read_bytes() == f"first {LESSON}".encode()


def test_a_folder_with_a_lessons_name_stays(root, mine):
    (mine / LESSON).unlink()
    write(mine / LESSON / "note.txt", b"my notes")
    write(root / LESSON, b"second")
    assert words(update(root)) == {LESSON: "kept yours"}
    assert (mine / LESSON / "note.txt").read_bytes() == b"my notes"
    reset("05", root, NOON)
    backup = mine / "backup" / "05-azure-cni-20261120-120000.ipynb"
    assert (backup / "note.txt").read_bytes() == b"my notes"


def test_one_file_in_the_way_keeps_no_other_back(root):
    write(root / "my-course" / "exercises", b"a file where a folder should be")
    outcomes = update(root)
    assert words(outcomes) == {START: "new", LESSON: "new", EXERCISE: "failed"}


def test_something_else_of_the_copys_name_is_told(root):
    write(root / "my-course", b"notes")
    with pytest.raises(InputError, match="Give it another name"):
        update(root)
    assert (root / "my-course").read_bytes() == b"notes"


def test_a_course_without_lessons_says_to_clone_it(tmp_path):
    for act in (update, lambda root: reset("05", root), lambda root: solution("05", root)):
        with pytest.raises(InputError):
            act(tmp_path)
    with pytest.raises(InputError, match="Clone the course's repository"):
        update(tmp_path)
    assert files(tmp_path) == []


def test_a_full_disk_leaves_every_file_whole_and_the_next_update_completes(root, mine):
    write(root / LESSON, b"second")
    with mock.patch.object(os, "fsync", side_effect=OSError(28, "No space left on device")):
        assert words(update(root)) == {LESSON: "failed"}
    assert (mine / LESSON).read_bytes() == f"first {LESSON}".encode()
    assert files(mine) == sorted([START, LESSON, EXERCISE])
    assert words(update(root)) == {LESSON: "updated"}


# ---- reset and solution ----


def test_reset_puts_lesson_and_exercise_back_and_keeps_what_stood_there(root, mine):
    write(mine / LESSON, b"my notes")
    write(mine / EXERCISE, b"my answers")
    outcome = reset("05", root, NOON)
    assert outcome.what == "reset"
    for name, content in {
        "05-azure-cni-20261120-120000.ipynb": b"my notes",
        "05-azure-cni-exercise-20261120-120000.ipynb": b"my answers",
    }.items():
        assert (mine / "backup" / name).read_bytes() == content
        assert f"my-course/backup/{name}" in outcome.says
    assert (mine / LESSON).read_bytes() == (root / LESSON).read_bytes()
    assert (mine / EXERCISE).read_bytes() == (root / EXERCISE).read_bytes()
    assert update(root) == []


def test_two_resets_in_one_second_keep_two_backups(root, mine):
    for content in (b"one", b"two"):
        write(mine / LESSON, content)
        reset("05", root, NOON)
    kept = sorted(file.read_bytes() for file in (mine / "backup").iterdir())
    assert kept == [b"one", b"two"]


def test_reset_of_an_untouched_lesson_makes_no_backup(root, mine):
    assert "moved" not in reset("5", root).says
    assert files(mine) == sorted([START, LESSON, EXERCISE])


def test_reset_touches_no_other_lesson(root, mine):
    write(mine / START, b"my notes")
    reset("05", root)
    assert (mine / START).read_bytes() == b"my notes"


def test_reset_works_before_the_first_update(root):
    reset("00", root)
    assert files(root / "my-course") == [START]


@pytest.mark.parametrize("act", [reset, solution])
def test_an_unknown_number_names_the_lessons(root, act):
    with pytest.raises(InputError, match=r"Lessons: 00, .*05"):
        act("77", root)


def test_a_lesson_without_an_exercise_has_no_solution(root):
    with pytest.raises(InputError, match=r"There is one of .*05"):
        solution("00", root)


def test_a_solution_comes_on_request_and_again_after_it_was_deleted(root, mine):
    for _ in range(2):
        assert solution("05", root).what == "new"
        assert (mine / SOLUTION).read_bytes() == (root / SOLUTION).read_bytes()
        (mine / SOLUTION).unlink()


def test_a_solution_with_the_learners_notes_stays(root, mine):
    solution("05", root)
    write(mine / SOLUTION, b"my notes")
    assert solution("05", root).what == "unchanged"
    write(root / SOLUTION, b"second")
    assert solution("05", root).what == "kept yours"
    assert (mine / SOLUTION).read_bytes() == b"my notes"


# ---- whatever happens ----


class Learner(RuleBasedStateMachine):
    """Whatever learner, course and disk do, in any order: no bytes the learner wrote are lost."""

    handed_out = st.sampled_from([LESSON, EXERCISE, SOLUTION])
    beside = st.sampled_from([".new", ".new-2"])
    acts = st.sampled_from(
        [update, lambda root: reset("05", root, NOON), lambda root: solution("05", root)]
    )

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.copy = self.root / "my-course"
        self.written: dict[bytes, Path] = {}
        self.count = 0
        for file in (LESSON, EXERCISE, SOLUTION):
            write(self.root / file, a_notebook("course 0"))

    def teardown(self):
        shutil.rmtree(self.root)

    def place(self, file, beside):
        path = self.copy / file
        return path.with_name(f"{path.stem}{beside}{path.suffix}")

    def forget(self, path):
        """The learner deletes or overwrites what stands there, of their own will."""
        self.written = {text: at for text, at in self.written.items() if at != path}

    @rule(file=handed_out)
    def the_learner_writes(self, file):
        self.the_learner_writes_beside(file, "")

    @rule(file=handed_out, beside=beside)
    def the_learner_writes_beside(self, file, beside):
        path = self.place(file, beside)
        self.find_again()
        self.forget(path)
        self.count += 1
        write(path, a_notebook(f"learner {self.count}"))
        self.written[path.read_bytes()] = path

    @rule(file=handed_out)
    def the_learner_runs(self, file):
        path = self.copy / file
        self.find_again()
        if path.exists():
            self.forget(path)
            self.count += 1
            (cell,) = json.loads(path.read_bytes())["cells"]
            write(path, a_notebook(cell["source"], output=f"run {self.count}"))
            self.written[path.read_bytes()] = path

    @rule(file=handed_out)
    def the_learner_deletes(self, file):
        path = self.copy / file
        self.find_again()
        self.forget(path)
        path.unlink(missing_ok=True)

    @rule(file=handed_out, beside=beside)
    def the_learner_renames(self, file, beside):
        old, new = self.copy / file, self.place(file, beside)
        self.find_again()
        if old.exists() and old != new:
            self.forget(new)
            old.rename(new)

    @rule()
    def the_history_is_lost(self):
        shutil.rmtree(self.copy / ".given", ignore_errors=True)

    @rule(file=handed_out, version=st.integers(0, 3))
    def the_course_changes(self, file, version):
        write(self.root / file, a_notebook(f"course {version}"))

    @rule(act=acts)
    def the_learner_asks_for(self, act):
        act(self.root)

    @rule(act=acts, writes=st.integers(0, 5))
    def it_is_cut_short(self, act, writes):
        """The disk is full after so many writes."""
        real, left = os.replace, [None] * writes

        def replace(*paths):
            if not left:
                raise OSError(28, "No space left on device")
            left.pop()
            real(*paths)

        with mock.patch.object(os, "replace", replace):
            act(self.root)

    def find_again(self):
        """Where the learner's bytes are by now: a reset moves them to a backup."""
        for path in sorted(self.copy.rglob("*")):
            if path.is_file() and ".given" not in path.parts and path.read_bytes() in self.written:
                self.written[path.read_bytes()] = path

    @invariant()
    def nothing_the_learner_wrote_is_lost(self):
        there = {
            file.read_bytes()
            for file in self.copy.rglob("*")
            if file.is_file() and ".given" not in file.parts
        }
        assert set(self.written) <= there

    @invariant()
    def no_half_written_file_is_left(self):
        assert list(self.root.rglob("*.part")) == []


TestWhateverHappens = Learner.TestCase
TestWhateverHappens.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
