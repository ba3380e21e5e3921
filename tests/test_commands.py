"""`python -m course`: what a learner types, and what comes of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from course import doctor, exercises, personal_copy, progress
from course.commands import lab_command, main
from course.machine import Check
from tests.conftest import ROOT, free_port

COMMANDS = (
    *("lab", "resume", "update", "reset", "solution"),
    *("doctor", "facts", "exercises", "progress", "plan", "planner"),
)
LESSON = "lessons/05-azure-cni.ipynb"
EXERCISE = "exercises/05-azure-cni/05-azure-cni.ipynb"
NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def root(tmp_path):
    """A small course, before anybody has opened it."""
    solution = EXERCISE.replace("exercises", "solutions")
    for file in ("lessons/00-start.ipynb", LESSON, EXERCISE, solution):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(NOTEBOOK)
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    return tmp_path


@pytest.fixture
def started(monkeypatch):
    """What would become of this process, instead of becoming it."""
    found = []
    monkeypatch.setattr(os, "chdir", lambda folder: found.append(folder))
    monkeypatch.setattr(os, "execve", lambda *words: found.extend(words))
    monkeypatch.setattr(subprocess, "call", lambda *_, **__: 0)
    return found


def options(command):
    return dict(word.split("=", 1) for word in command if word.startswith("--") and "=" in word)


# ---- opening JupyterLab ----


def test_jupyterlab_serves_the_copy_and_opens_the_start_notebook(root):
    command = lab_command(root, [])
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert options(command)["--ServerApp.root_dir"] == str(root / "my-course")
    assert options(command)["--LabApp.default_url"] == "/lab/tree/lessons/00-start.ipynb"


def test_every_word_after_lab_goes_to_jupyterlab_untouched(root, started):
    words = ["--no-browser", "-y", "--port=8899", "--help", "update", "--ServerApp.ip=::1", ""]
    main(["lab", *words], root)
    folder, program, command, _ = started
    assert folder == root
    assert program == sys.executable
    assert command[-len(words) :] == words


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (["--ServerApp.root_dir=/x"], "--ServerApp.root_dir"),
        (["--ServerApp.root_dir", "/x"], "--ServerApp.root_dir"),
        (["--notebook-dir=/x"], "--ServerApp.root_dir"),
        (["--LabApp.default_url=/lab"], "--LabApp.default_url"),
        (["--LabApp.news_url=https://example.org"], "--LabApp.news_url"),
    ],
)
def test_a_word_of_the_learner_replaces_ours(root, words, ours):
    command = lab_command(root, words)
    before = command[: -len(words)]
    assert command[-len(words) :] == words
    assert ours not in options(before)


def test_root_is_allowed_and_others_need_no_permission(root, monkeypatch):
    for uid, allowed in ((0, True), (1000, False)):
        monkeypatch.setattr(os, "getuid", lambda uid=uid: uid, raising=False)
        assert ("--allow-root" in lab_command(root, [])) is allowed


def test_opening_tells_only_what_changed(root, started, capsys):
    main(["lab"], root)
    assert capsys.readouterr().out == "my-course: 3 new.\n"
    main(["lab"], root)
    assert capsys.readouterr().out == ""
    (root / "my-course" / LESSON).write_text("my notes")
    for file in (LESSON, EXERCISE):
        (root / file).write_text("second")
    main(["lab"], root)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "my-course: 1 updated."
    assert second.startswith(f"my-course/{LESSON} has your changes and stays.")


def test_resume_opens_the_lesson_where_the_learner_was(root, started):
    main(["resume", "--no-browser"], root)
    assert options(started[2])["--LabApp.default_url"].endswith("/lessons/00-start.ipynb")
    started.clear()
    progress.record("05")
    main(["resume", "--no-browser"], root)
    assert options(started[2])["--LabApp.default_url"] == f"/lab/tree/{LESSON}"
    assert started[2][-1] == "--no-browser"


def test_python_in_jupyterlabs_terminals_is_the_courses(root, started):
    main(["lab"], root)
    environment = started[3]
    assert environment["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def get(url, server):
    """What a server that may still be starting answers."""
    for _ in range(150):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError:
            raise
        except OSError:
            assert server.poll() is None, "JupyterLab has ended"
            time.sleep(0.1)
    raise AssertionError("JupyterLab did not start")


@pytest.fixture
def lab(root, tmp_path_factory):
    """Starts `python -m course lab` for a small course; gives its address and its process."""
    home = tmp_path_factory.mktemp("home")
    code = (
        "import sys; from pathlib import Path; from course.commands import main;"
        "sys.exit(main(sys.argv[2:], Path(sys.argv[1])))"
    )
    port = free_port()
    words = ["lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--IdentityProvider.token="]
    own = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    server = subprocess.Popen(
        [sys.executable, "-c", code, str(root), *words],
        env=own | {"HOME": str(home), "XDG_DATA_HOME": str(home)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield f"http://127.0.0.1:{port}", server
    server.terminate()
    server.wait(timeout=15)


def test_jupyterlab_really_starts_on_the_copy_and_asks_nothing(root, lab):
    url, server = lab
    page = get(f"{url}/lab/tree/lessons/00-start.ipynb", server)
    config = json.loads(page.split('id="jupyter-config-data"')[1].split(">", 1)[1].split("<")[0])
    assert config["serverRoot"] == str(root / "my-course")
    assert config["news"] == {"disabled": True}
    listed = json.loads(get(f"{url}/api/contents/lessons", server))["content"]
    assert sorted(file["path"] for file in listed) == ["lessons/00-start.ipynb", LESSON]
    asked = "@jupyterlab/apputils-extension:notification"
    schema = json.loads(get(f"{url}/lab/api/settings/{asked}", server))["schema"]["properties"]
    assert (schema["fetchNews"]["default"], schema["checkForUpdates"]["default"]) == (
        "false",
        False,
    )


# ---- the other commands ----


def test_update_reset_and_solution_tell_what_they_did(root, capsys):
    assert main(["update"], root) == 0
    assert f"my-course/{LESSON} is new." in capsys.readouterr().out
    assert main(["update"], root) == 0
    assert capsys.readouterr().out == "my-course is up to date.\n"
    (root / "my-course" / LESSON).write_text("my notes")
    assert main(["reset", "05"], root) == 0
    assert "Yours was moved to my-course/backup/05-azure-cni-" in capsys.readouterr().out
    assert main(["solution", "5"], root) == 0
    assert "my-course/solutions/05-azure-cni" in capsys.readouterr().out


def test_what_could_not_be_written_is_a_failure(root, capsys):
    (root / "my-course").mkdir()
    (root / "my-course" / "lessons").write_text("a file where a folder should be")
    assert main(["update"], root) == 1
    assert "could not be brought to my-course" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["reset", "77"], ["reset", "../05"], ["solution", "00"], ["facts", "no.such"]]
)
def test_a_wrong_value_gets_its_rule_and_way_out_and_no_traceback(root, words, capsys):
    assert main(words, root) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(repr(words[1]))
    assert "Traceback" not in told.err


def test_a_course_without_lessons_says_to_clone_it(tmp_path, capsys):
    for words in (["lab"], ["update"], ["reset", "05"]):
        assert main(words, tmp_path) == 2
        assert "Clone the course's repository" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["no-such-command"], ["reset"], ["update", "05"]])
def test_words_that_mean_nothing_get_the_usage(root, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words, root)
    assert ended.value.code == 2
    assert "usage: python -m course" in capsys.readouterr().err


def test_help_names_every_command_and_comes_without_words_too(root, capsys):
    for words in ([], ["--help"]):
        with pytest.raises(SystemExit) as ended:
            main(words, root)
        assert ended.value.code == 0
        told = capsys.readouterr().out
        for name in COMMANDS:
            assert f"\n    {name}" in told


def test_the_doctor_fails_only_where_something_is_broken(root, monkeypatch, capsys):
    for state, status in (("works", 0), ("limited", 0), ("broken", 1)):
        monkeypatch.setattr(doctor, "examine", lambda _, state=state: (Check("A", state, "b"),))
        assert main(["doctor"], root) == status
        assert state in capsys.readouterr().out


def test_facts_are_listed_by_age_or_cited(root, capsys):
    assert main(["facts"], root) == 0
    assert "azure.reserved_per_subnet" in capsys.readouterr().out
    assert main(["facts", "azure.reserved_per_subnet"], root) == 0
    assert "https://learn.microsoft.com/" in capsys.readouterr().out


def test_progress_is_shown_exported_and_begun_anew(root, tmp_path, capsys):
    progress.record("05", "05.taken", 1550, "right")
    for words in (["progress"], ["progress", "show"]):
        assert main(words, root) == 0
        assert "Azure CNI" in capsys.readouterr().out
    assert main(["progress", "export", str(tmp_path / "mine.json")], root) == 0
    assert json.loads((tmp_path / "mine.json").read_text())[0]["answer"] == 1550
    assert main(["progress", "reset"], root) == 0
    assert progress.events() == []
    capsys.readouterr()
    assert main(["progress", "reset"], root) == 0
    assert capsys.readouterr().out == "Nothing is kept yet.\n"


def test_progress_that_cannot_be_exported_says_why(root, tmp_path, capsys):
    assert main(["progress", "export", str(tmp_path / "no" / "mine.json")], root) == 2
    assert "No such file or directory" in capsys.readouterr().err


def test_ctrl_c_is_quiet(root, monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(personal_copy, "update", interrupted)
    assert main(["update"], root) == 130
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_wants_no_more_is_no_error():
    command = f"{sys.executable} -m course facts | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


# ---- exercises ----


@pytest.fixture
def real(root):
    """A course with a real solution."""
    shutil.rmtree(root / "solutions")
    shutil.copytree(ROOT / "solutions" / "05-azure-cni", root / "solutions" / "05-azure-cni")
    return root


@pytest.mark.nbgrader
def test_exercises_are_made_from_the_solutions_and_orphans_go(real, capsys):
    (real / "exercises" / "04-gone").mkdir()
    assert main(["exercises"], real) == 0
    told = capsys.readouterr()
    assert told.out == "05-azure-cni: written\n04-gone: removed, it has no solution\n"
    assert told.err == ""
    assert "BEGIN SOLUTION" not in (real / EXERCISE).read_text("utf-8")
    assert not (real / "exercises" / "04-gone").exists()
    assert not (real / "gradebook.db").exists()
    assert main(["exercises"], real) == 0
    assert capsys.readouterr().out == "05-azure-cni: unchanged\n"


@pytest.mark.nbgrader
def test_exercises_can_be_made_elsewhere(real, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert main(["exercises", "--into", str(elsewhere)], real) == 0
    assert [folder.name for folder in elsewhere.iterdir()] == ["05-azure-cni"]
    assert (real / EXERCISE).read_text() == NOTEBOOK


@pytest.mark.nbgrader
def test_what_nbgrader_refuses_is_told_in_its_words_and_changes_nothing(real, capsys):
    solution = real / EXERCISE.replace("exercises", "solutions")
    solution.write_text(solution.read_text("utf-8").replace("### END SOLUTION", "### END"), "utf-8")
    assert main(["exercises"], real) == 1
    told = capsys.readouterr().err
    assert "05-azure-cni could not be made" in told
    assert "No end solution statement found" in told
    assert (real / EXERCISE).read_text() == NOTEBOOK


def test_without_solutions_no_exercise_is_removed(root, capsys):
    shutil.rmtree(root / "solutions")
    assert main(["exercises"], root) == 2
    assert "holds no solutions" in capsys.readouterr().err
    assert (root / EXERCISE).exists()


def test_only_numbered_folders_are_solutions(root):
    (root / "solutions" / "drafts").mkdir()
    assert exercises.solutions(root) == ["05-azure-cni"]


# ---- nbgrader's own commands ----


@pytest.mark.nbgrader
def test_nbgrader_works_from_the_root_without_an_activated_environment(real, tmp_path_factory):
    """Where `python` and nbgrader's helper programs are not on the path."""
    (real / "exercises" / "05-azure-cni" / "05-azure-cni.ipynb").unlink()
    own = {"HOME": str(tmp_path_factory.mktemp("home")), "PATH": os.defpath}
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", "05-azure-cni", "--force"]
    done = subprocess.run(command, cwd=real, env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (real / EXERCISE).exists()
    assert (real / "gradebook.db").exists()
    assert (real / "exchange").is_dir()
