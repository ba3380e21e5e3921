"""What one submission may take of the machine that grades it."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Limits of one submission. Seconds are of the clock, sizes in bytes.

    >>> Limits().cell_seconds
    60
    """

    cell_seconds: float = 60
    total_seconds: float = 300
    grace_seconds: float = 2  # between an interrupt that is ignored and the kill
    memory: int = 2048 * MIB  # of all its processes together; also the address space of each
    cpu_seconds: int = 300  # of each process
    processes: int = 64  # threads count
    files: int = 256  # that a process may hold open
    disk: int = 64 * MIB  # of its folder, of /tmp and of /dev/shm; it is memory
    output: int = 4 * MIB  # of all cells together, in every form
    handed_in: int = 16 * MIB  # of all files of a submission
    notebook: int = 4 * MIB  # of one notebook as handed in
    cells: int = 1000
