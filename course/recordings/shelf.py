"""The tapes that come with the course: a file each, beside this module, read when it is asked for.

A file is named after the network models of the World and its digest: kubenet-01acc6eae39bc8bf.json.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from course.errors import InputError
from course.recordings.digest import digest
from course.recordings.tape import Tape
from course.world import World

FOLDER = resources.files("course.recordings")


def find(world: World, folder: Traversable | Path = FOLDER) -> Tape | None:
    """What was recorded in a World, or None. Raises InputError for a file that is broken."""
    wanted = digest(world)
    for file in folder.iterdir():
        if file.name.endswith(f"-{wanted}.json"):
            return _read(file, wanted)
    return None


def file_name(world: World) -> str:
    """The name of the file for what is recorded in a World."""
    models = dict.fromkeys(cluster.model for cluster in world.topology.clusters)
    return "-".join((*models, digest(world))) + ".json"


def _read(file: Traversable | Path, wanted: str) -> Tape:
    try:
        tape = Tape.from_json(file.read_text("utf-8"))
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise _broken(file, f"cannot be read ({type(error).__name__}: {error}).") from error
    if tape.world != wanted:
        raise _broken(file, "holds the recording of another cluster.")
    return tape


def _broken(file: Traversable | Path, how: str) -> InputError:
    return InputError(
        file.name, how, "Bring it back (git checkout course/recordings), or make recordings anew."
    )
