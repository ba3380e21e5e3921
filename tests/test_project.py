"""The project's own files: locks without addresses, conda beside pip, a README that is true."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest
import yaml

from course.curriculum import lessons, projects
from course.prose import problems
from tests.conftest import ROOT

LOCKS = ["requirements.lock", "requirements-test.lock"]
README = (ROOT / "README.md").read_text("utf-8")


def pins(lock):
    text = (ROOT / lock).read_text("utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", text, re.MULTILINE))


def wanted(extra=None):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return [re.match(r"[A-Za-z0-9._-]+", line)[0].lower() for line in lines]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_every_package_by_hash_and_names_no_address(lock):
    text = (ROOT / lock).read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"--(extra-)?index-url|--find-links", text)
    entries = re.split(r"^(?=\S)", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE), flags=re.M)
    assert all("--hash=sha256:" in entry for entry in entries if entry.strip())


def test_the_locks_hold_what_the_project_asks_for_and_agree():
    course, test = map(pins, LOCKS)
    assert set(wanted()) <= set(course)
    assert {name.lower() for name in wanted("test")} <= {name.lower() for name in test}
    assert course.items() <= test.items()


def test_no_file_names_the_host_of_a_package_registry():
    hosts = "|".join(["pypi" + r"\.org", "pythonhosted" + r"\.org", "npmjs" + r"\.(org|com)"])
    found = subprocess.run(
        ["git", "grep", "-nIE", hosts], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.stdout == ""


def test_conda_users_get_the_same_versions():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    lines = [line for line in environment["dependencies"] if isinstance(line, str)]
    (pip,) = [line["pip"] for line in environment["dependencies"] if isinstance(line, dict)]
    stated = dict(
        re.match(r"([a-z0-9-]+) *=+ *([\d.]+)", line).groups()
        for line in lines + pip
        if "=" in line and not line.startswith("python >")
    )
    assert "-e ." in pip  # pip reads these lines as a file: it takes few options there
    names = {"python-graphviz": "graphviz"}
    locked = pins(LOCKS[0])
    assert {names.get(name, name): version for name, version in stated.items()} == {
        name: locked[name] for name in wanted()
    }
    assert "graphviz" in lines  # the dot program


@pytest.mark.parametrize("list_", ["apt.txt", "apt-test.txt"])
def test_every_system_package_has_its_reason(list_):
    lines = [line for line in (ROOT / list_).read_text().splitlines() if line[:1] not in ("#", "")]
    assert lines
    assert all(re.fullmatch(r"[a-z0-9.+-]+ +# .+", line) for line in lines)


def test_the_readme_lists_every_lesson_as_the_curriculum_does():
    for lesson in lessons():
        row = f"| [{lesson.number} {lesson.title}]({lesson.file}) | {lesson.minutes} min | "
        assert row + lesson.afterwards in README
        assert not lesson.exercise or f"]({lesson.exercise_file}) |" in README
    for project in projects():
        assert f"| [{project.name}]({project.file}) | {project.minutes} min | " in README


def test_each_door_of_the_readme_has_at_most_five_commands():
    for door in ("Study alone", "Run a workshop", "Grade a class"):
        section = re.search(rf"^## {door}\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)[1]
        commands = re.search(r"```\n(.*?)```", section, re.DOTALL)[1].splitlines()
        assert 1 <= len(commands) <= 5


def test_the_readme_states_no_limit_without_its_fact():
    assert problems(README) == []


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#\s]+)\)", README):
        if not re.match(r"https://|fact:|calc:|given:", target):
            assert (ROOT / target).exists(), target


def test_pictures_and_commands_of_the_makefile_are_documented():
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    for target in targets.split():
        said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
        assert target == "help" or f"make {target}" in said


def test_the_python_of_the_readme_runs_and_a_real_packet_goes_as_predicted(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(code, names)
    names["lab"].close()
    said = capsys.readouterr().out
    assert "\nTrue\n" in said
    assert "IP-MASQ-AGENT" in said
