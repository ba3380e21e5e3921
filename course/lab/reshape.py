"""Hosts that stand, given another shape: wires, settings, what interfaces are, ways, rules.

One thing after the other, and in between hosts are read again: the kernel takes away what depends
on what is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from course.lab import alter
from course.lab.build import at_birth, in_parts, links, of_interfaces
from course.lab.built import Built
from course.lab.namespaces import Command
from course.lab.read_back import read_back
from course.linux.host import Host
from course.linux.interfaces import Interface
from course.world import End, World

Hosts = Mapping[str, Host]


def reshape(before: World, built: Built, wanted: Hosts) -> None:
    """Give hosts the shape that is wanted; `before` is the World that they were of.

    Raises LabError with what a tool said.
    """
    found = _rewired(before, built, wanted)
    built.namespaces.set({name: _settings(built, host) for name, host in wanted.items()})
    found |= _told(
        built, {name: alter.links(built, found[name], host) for name, host in wanted.items()}
    )
    _told(built, {name: alter.ways(built, found, host) for name, host in wanted.items()})
    patches = {
        name: alter.patch(found[name].netfilter, host.netfilter) for name, host in wanted.items()
    }
    restore = ("iptables-restore", "--noflush")
    built.namespaces.must(
        *(Command(restore, name, in_parts(text)) for name, text in patches.items() if text)
    )


def batches(built: Built, told: Mapping[str, Iterable[str]], *options: str) -> list[Command]:
    """A command for each host on which `ip` is told something, in the World's names."""
    texts = {
        host: "".join(f"{built.spelled(host, line)}\n" for line in lines)
        for host, lines in told.items()
    }
    return [
        Command(("ip", *options, "-batch", "-"), host, text) for host, text in texts.items() if text
    ]


def wires(world: World, found: Hosts) -> dict[End, End]:
    """The wires of a World that are there, by each of their ends."""
    there = {End(host.name, link.name) for host in found.values() for link in host.interfaces}
    ends = {end: far for pair in world.wires() for end, far in (pair, reversed(pair))}
    return {end: far for end, far in ends.items() if {end, far} <= there}


def _rewired(before: World, built: Built, wanted: Hosts) -> dict[str, Host]:
    """Hang hosts on the wires that are wanted, and on no others, and read them back."""
    found = read_back(built, *wanted)
    hanging = wires(before, found)
    kept = {
        name: {link.name for link in host.interfaces if _stands(link, found[name], hanging)}
        for name, host in wanted.items()
    }
    surplus = {
        name: [f"link del {link.name}" for link in host.interfaces if link.name not in kept[name]]
        for name, host in found.items()
    }
    cut = batches(built, surplus, "-force")  # with one end of a wire the other one goes
    built.namespaces.run(*cut)
    text = "".join(links(_only_without(host, kept[name])) for name, host in wanted.items())
    if text:
        built.namespaces.must(Command(("ip", "-batch", "-"), given=text))
    return read_back(built, *wanted) if cut or text else found


def _stands(link: Interface, found: Host, hanging: Mapping[End, End]) -> bool:
    """Whether an interface is there as it is wanted: a wire with both ends."""
    if link.peer:
        return hanging.get(End(found.name, link.name)) == (link.peer_host, link.peer)
    return (link.name, link.kind) in {(each.name, each.kind) for each in found.interfaces}


def _only_without(host: Host, kept: set[str]) -> Host:
    """A host with only those interfaces that are not there yet."""
    return replace(host, interfaces=tuple(x for x in host.interfaces if x.name not in kept))


def _settings(built: Built, host: Host) -> dict[str, int]:
    own = of_interfaces(host).items()
    return at_birth(host) | {built.spelled(host.name, path): value for path, value in own}


def _told(built: Built, told: Mapping[str, Iterable[str]]) -> dict[str, Host]:
    """Tell `ip` on each host what is to be told there, and read back those that were told."""
    commands = batches(built, told)
    built.namespaces.must(*commands)
    return read_back(built, *(command.host for command in commands))
