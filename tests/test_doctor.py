"""The doctor: every cause has its own words and its own cure, and nothing makes it fall over."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from course import doctor, machine, sandbox
from course.doctor import examine, report
from course.machine import Check, Ran


@pytest.fixture
def root(tmp_path):
    """A course with a copy."""
    for folder in ("lessons", "my-course/lessons"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "00-start.ipynb").write_text("{}")
    return tmp_path


@pytest.fixture
def debian(monkeypatch):
    """A Linux machine with apt, whatever runs this test."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(shutil, "which", lambda program, **_: f"/usr/bin/{program}")
    monkeypatch.setattr(sys, "prefix", "/usr")


def state_and_fix(check):
    return check.state, check.fix


# ---- the whole ----


def test_everything_is_examined_and_has_a_name_of_its_own(root):
    names = [check.name for check in examine(root)]
    assert names[:4] == ["Python", "Packages", "Pictures", "nbgrader in JupyterLab"]
    assert len(set(names)) == len(names)


def test_what_is_needed_works_where_these_tests_run(root):
    checks = {check.name: check for check in examine(root)}
    for name in ("Python", "Packages", "Pictures", "nbgrader in JupyterLab", "Your copy"):
        assert checks[name].state == "works", checks[name]


def test_examining_changes_nothing(root, own_data_folder):
    before = sorted(root.rglob("*")), sorted(own_data_folder.rglob("*"))
    examine(root)
    assert (sorted(root.rglob("*")), sorted(own_data_folder.rglob("*"))) == before


def test_whatever_breaks_becomes_a_check(root, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no such luck")

    for name in vars(doctor).copy():
        if name.endswith(("_check", "_checks")):
            monkeypatch.setattr(doctor, name, broken)
    for check in examine(root):
        assert check.state == "limited"
        assert check.says == "could not be examined: RuntimeError: no such luck"


def test_a_machine_without_any_program_is_examined_too(root, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    checks = {check.name: check for check in examine(root)}
    assert "built-in" in checks["Pictures"].says
    assert "broken" not in {check.state for check in checks.values()}


def test_the_report_is_aligned_tells_states_by_word_and_sums_up():
    lines = report(
        [Check("A", "works", "1"), Check("Long", "limited", "2", "mend"), Check("B", "broken", "3")]
    ).splitlines()
    assert lines == [
        "works    A     1",
        "limited  Long  2",
        "               What to do: mend",
        "broken   B     3",
        "",
        "1 works, 1 limited, 1 broken. Mend what is broken first.",
    ]


# ---- what every lesson needs ----


@pytest.mark.parametrize(
    ("found", "state"),
    [((3, 10, 14), "broken"), ((3, 11, 0), "works"), ((3, 14, 1), "works"), ((4, 0, 0), "works")],
)
def test_python_must_be_new_enough(found, state):
    assert doctor.python_check(found).state == state


def test_a_missing_package_is_named_with_the_way_to_install_it():
    check = doctor.packages_verdict({"jupyterlab": "4.6.6", "nbgrader": None})
    assert check.state == "broken"
    assert check.says == "missing: nbgrader"
    assert "requirements.lock" in check.fix


def test_pictures_are_drawn_by_dot_or_built_in_or_appear_as_text(debian):
    dot = doctor.pictures_verdict("dot - graphviz version 2.43.0 (0)", built_in=True)
    assert (dot.state, "2.43.0" in dot.says) == ("works", True)
    built_in = doctor.pictures_verdict("", built_in=True)
    assert (built_in.state, "built-in" in built_in.says) == ("works", True)
    neither = doctor.pictures_verdict("", built_in=False)
    assert state_and_fix(neither) == ("limited", "sudo apt install graphviz")


@pytest.mark.parametrize(
    ("platform", "command"),
    [("darwin", "brew install graphviz"), ("linux", "sudo apt install graphviz")],
)
def test_graphviz_is_installed_in_the_platforms_own_way(debian, monkeypatch, platform, command):
    monkeypatch.setattr(sys, "platform", platform)
    assert machine.install("graphviz") == command


def test_graphviz_is_installed_by_conda_in_a_conda_environment(tmp_path, monkeypatch):
    (tmp_path / "conda-meta").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert machine.install("graphviz") == "conda install graphviz"


def test_a_copy_that_is_not_made_yet_is_one_command_away(root):
    shutil.rmtree(root / "my-course")
    check = doctor.copy_check(root)
    assert state_and_fix(check) == ("limited", "python -m course update")


def test_a_course_without_lessons_says_to_clone_it(tmp_path):
    check = doctor.copy_check(tmp_path)
    assert check.state == "broken"
    assert "Clone" in check.fix


def test_a_copy_that_cannot_be_written_is_broken(root):
    shutil.rmtree(root / "my-course")
    (root / "my-course").write_text("a file where the folder should be")
    assert doctor.copy_check(root).state == "broken"


def test_a_read_only_copy_is_broken(root, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)  # root may write everywhere
    check = doctor.copy_check(root)
    assert check.state == "broken"
    assert "Permission denied" in check.says


def test_progress_that_cannot_be_kept_is_told(own_data_folder):
    assert doctor.progress_check().state == "works"
    (own_data_folder / "aks-networking-course").write_text("a file where the folder should be")
    assert doctor.progress_check().state == "limited"


# ---- what classes need ----

ENABLED = dict.fromkeys(doctor.SERVER_EXTENSIONS, True)


def test_nbgrader_works_where_all_its_extensions_are_on():
    assert doctor.nbgrader_verdict(True, {"@other/thing": True}, ENABLED).state == "works"


@pytest.mark.parametrize(
    ("present", "disabled", "servers", "fix"),
    [
        (False, {}, ENABLED, "install"),
        (True, {"@jupyter/nbgrader": True}, ENABLED, "labextension enable @jupyter/nbgrader"),
        (True, {"@jupyter/nbgrader:x": True}, ENABLED, "labextension enable @jupyter/nbgrader:x"),
        (
            True,
            {"@jupyter/nbgrader": False},
            {**ENABLED, "nbgrader.server_extensions.formgrader": False},
            "server extension enable nbgrader.server_extensions.formgrader",
        ),
        (True, {}, {}, "server extension enable nbgrader.server_extensions.assignment_list"),
    ],
)
def test_nbgrader_is_limited_where_a_part_of_it_is_off(present, disabled, servers, fix):
    check = doctor.nbgrader_verdict(present, disabled, servers)
    assert check.state == "limited"
    assert fix in check.fix


def test_what_jupyter_is_told_to_disable_is_seen(tmp_path, monkeypatch):
    labs, servers = tmp_path / "labconfig", tmp_path / "jupyter_server_config.d"
    formgrader = "nbgrader.server_extensions.formgrader"
    for file, content in {
        labs / "page_config.json": {"disabledExtensions": {"@jupyter/nbgrader": True}},
        servers / "x.json": {"ServerApp": {"jpserver_extensions": {formgrader: False}}},
    }.items():
        file.parent.mkdir()
        file.write_text(json.dumps(content))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path))
    assert "labextension enable" in doctor.nbgrader_check().fix
    shutil.rmtree(labs)
    assert f"enable {formgrader}" in doctor.nbgrader_check().fix


def test_the_exchange_is_where_nbgrader_looks_for_it(root, tmp_path, monkeypatch):
    assert doctor.exchange_check(root).says == str(root / "exchange")
    monkeypatch.setenv("NBGRADER_EXCHANGE", str(tmp_path / "class"))
    assert doctor.exchange_check(root).says == str(tmp_path / "class")


def test_an_exchange_that_cannot_be_written_limits_classes_only(root):
    (root / "exchange").write_text("a file where the folder should be")
    check = doctor.exchange_check(root)
    assert check.state == "limited"
    assert "only classes" in check.says


# ---- the live lab (more of it in test_probe.py) ----


def test_the_live_lab_is_summed_up_first(root):
    names = [check.name for check in examine(root) if check.name.startswith("Live lab")]
    assert names[0] == "Live lab"


@pytest.mark.parametrize(("platform", "way"), [("win32", "wsl --install"), ("darwin", "machine")])
def test_elsewhere_than_on_linux_the_live_lab_wants_a_linux(root, monkeypatch, platform, way):
    monkeypatch.setattr(sys, "platform", platform)
    summary, cause = (check for check in examine(root) if check.name.startswith("Live lab"))
    assert "recordings" in summary.says
    assert cause.state == "limited"
    assert way in cause.fix


# ---- running things ----


def test_a_command_is_asked_in_english(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    ran = machine.run(sys.executable, "-c", "import os; print(os.environ['LC_ALL'])")
    assert ran == Ran(0, "C")


ECHO = (sys.executable, "-c", "print(input())")
SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


def test_a_command_reads_what_it_is_told():
    assert machine.run(*ECHO, said="filter") == Ran(0, "filter")


def test_programs_are_found_where_ordinary_shells_do_not_look(monkeypatch):
    asked = []
    monkeypatch.setattr(shutil, "which", lambda name, path=None: asked.append(path))
    machine.which("iptables")
    assert asked == [None, "/usr/sbin:/sbin"]


def test_a_command_that_hangs_or_is_missing_comes_to_an_end():
    assert machine.run("/no/such/program").returncode is None
    ran = machine.run(*SLEEP, seconds=0.1)
    assert ran == Ran(None, f"{sys.executable} does not end within 0.1 seconds")


def test_nothing_is_started_when_the_module_is_imported():
    code = (
        "import sys, subprocess; subprocess.Popen = None; import course.doctor;"
        "print('jupyter_server' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    assert done.stdout.strip() == "False"


# ---- who grades ----


def test_without_bubblewrap_only_grading_is_missed(monkeypatch, debian):
    monkeypatch.setattr(shutil, "which", lambda program, **_: None if program == "bwrap" else "x")
    sandbox.why_not.cache_clear()
    try:
        check = sandbox.sandbox_check()
    finally:
        sandbox.why_not.cache_clear()
    assert check.state == "limited"
    assert "only who grades misses them" in check.says
    assert "sudo apt install bubblewrap" in check.says
