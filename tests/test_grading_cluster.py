"""Grading on a Dask cluster: a real scheduler and workers, one of which is killed in mid-batch."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest

from course import sandbox
from tests.class_of_twenty import CLASS, HONEST, POINTS
from tests.conftest import free_port
from tests.rooms import (
    GRADE,
    PYTHON_PATH,
    answered,
    environment,
    grade,
    hand_in,
    new_room,
    scores,
)

pytestmark = pytest.mark.nbgrader
STUDENTS = 40


@pytest.fixture(autouse=True, scope="module")
def sandboxes():
    pytest.importorskip("distributed", reason="no Dask")
    if why := sandbox.why_not():
        pytest.skip(why)


@contextmanager
def running(program: str, *words: str, folder, first: str = ""):
    """A program of Dask, until the test ends, in a folder where no course is."""
    code = f"{first}\nfrom distributed.cli.dask_{program} import main\nmain()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=folder,
        env=os.environ | {"PYTHONPATH": PYTHON_PATH, "HOME": str(folder)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def cluster(folder, workers: int, first: str = "", keys: dict[str, str] | None = None):
    """The address of a scheduler with workers, and the processes of these.

    `first` is code that a worker runs before it is one; `keys` make it one with encryption.
    """
    address = f"{'tls' if keys else 'tcp'}://127.0.0.1:{free_port()}"
    own = [word for pair in (keys or {}).items() for word in pair]
    with ExitStack() as stack:
        host, port = ("--host", address.rpartition(":")[0]), ("--port", address.rpartition(":")[2])
        words = ("scheduler", *host, *port, "--no-dashboard", *own)
        stack.enter_context(running(*words, folder=folder))
        words = ("worker", address, "--no-nanny", "--nthreads", "1", "--no-dashboard", *own)
        processes = [
            stack.enter_context(running(*words, folder=folder, first=first)) for _ in range(workers)
        ]
        wait_for(address, workers, keys)
        yield address, processes


def wait_for(address: str, workers: int, keys: dict[str, str] | None) -> None:
    from distributed import Client, Security

    security = None
    if keys:
        authority, certificate, key = keys.values()
        security = Security(
            tls_ca_file=authority, tls_client_cert=certificate, tls_client_key=key,
            require_encryption=True,
        )  # fmt: skip
    for _ in range(60):
        try:
            with Client(address, security=security, timeout=2) as client:
                client.wait_for_workers(workers, timeout=60)
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError("the cluster does not start")


@pytest.fixture
def room(tmp_path):
    course = new_room(tmp_path)
    for number in range(STUDENTS):
        name = HONEST[number % len(HONEST)]
        hand_in(course, f"s{number:02}-{name}", answered(course, CLASS[name]))
    return course


def due(name: str) -> dict[str, float]:
    return {task: CLASS[name].due(task) if task != "explanation" else 0 for task in POINTS}


def test_killing_a_worker_in_mid_batch_changes_no_score(room, tmp_path):
    with cluster(tmp_path, 2) as (address, (one, _)):
        process = subprocess.Popen(
            [sys.executable, "-c", GRADE, str(room), "05-azure-cni", "--scheduler", address],
            cwd=room, env=environment(room), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        while not list(room.glob("autograded/s*")):
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.05)
        one.send_signal(signal.SIGKILL)
        said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert f"{STUDENTS} graded now, 0 unchanged, 0 could not be graded." in said
    found = scores(room)
    assert len(found) == STUDENTS
    for student, tasks in found.items():
        assert {task: score or 0 for task, score in tasks.items()} == due(student[4:])


def test_between_machines_work_goes_encrypted_to_who_has_the_key(room, tmp_path):
    for name in ("class", "stranger"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
             "-out", f"{name}.pem"],
            cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip
    authority, certificate, key = (str(tmp_path / f"class.{end}") for end in ("pem", "pem", "key"))
    ours = {"--tls-ca-file": authority, "--tls-cert": certificate, "--tls-key": key}
    with cluster(tmp_path, 1, keys=ours) as (address, _):
        words = ("--scheduler", address, "--tls-ca", authority, "--student", "s00-all-right")
        stranger = [str(tmp_path / f"stranger.{end}") for end in ("pem", "key")]
        said = grade(room, *words, "--tls-cert", stranger[0], "--tls-key", stranger[1], status=2)
        assert "cannot be reached." in said
        assert not list(room.glob("autograded/s*"))
        said = grade(room, *words, "--tls-cert", certificate, "--tls-key", key)
    assert "1 graded now, 0 unchanged, 0 could not be graded." in said
    assert {task: score or 0 for task, score in scores(room)["s00-all-right"].items()} == due(
        "all-right"
    )


def test_a_worker_without_the_course_is_found_before_anything_is_sent(room, tmp_path):
    with cluster(tmp_path, 1, first="import sys\nsys.modules['course'] = None") as (address, _):
        said = grade(room, "--scheduler", address, status=2)
    assert re.search(r"has version none of the course, not \d", said)
    assert not list(room.glob("autograded/s*"))


def test_nothing_goes_to_another_machine_in_the_clear(room):
    said = grade(room, "--scheduler", "tcp://10.0.0.4:8786", status=2)
    assert "is another machine, without encryption." in said
    assert "cannot be reached." in grade(
        room, "--scheduler", f"tcp://127.0.0.1:{free_port()}", status=2
    )
