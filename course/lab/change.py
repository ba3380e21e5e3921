"""A World that stands, changed into another one: only what differs is touched.

Pods that are no more, or that are others now, are deleted by their plugins, and new ones are added
by theirs, as on a node. Hosts that stay keep what they remember, a Service's old connections too.
What a learner has changed by hand is taken back: whatever stands becomes what the new World says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from course.lab.alter import links as alter_links
from course.lab.alter import patch, ways
from course.lab.build import at_birth, in_parts, links, of_interfaces, serve
from course.lab.built import Built
from course.lab.construct import demand
from course.lab.namespaces import Command
from course.lab.pods import add_pods, delete_pods, without_pods
from course.lab.read_back import read_back
from course.linux.host import Host
from course.world import World

Hosts = Mapping[str, Host]


@dataclass(frozen=True)
class Changed:
    """A World that stands now; `anew` are the hosts that were made anew, and remember nothing."""

    built: Built
    anew: frozenset[str]


def change(built: Built, world: World) -> Changed:
    """Change what stands into another World. What fails on the way leaves it half changed.

    Raises Refused if a plugin does not make a pod; LabError with what a tool said, or with what
    stands and should not.
    """
    names = {host.name for host in world.hosts}
    found = read_back(built, *(name for name in built.world.by_name if name in names))
    stay = {name for name in found if not _is_another(built, world, found, name)}
    take_away(built, set(built.world.by_name) - stay)
    anew = names - stay
    built.namespaces.make({name: at_birth(world.host(name)) for name in anew})
    before, built = built, _without(built, world, stay)
    coming = {pod for pod in world.calls if pod in anew}
    wanted = {
        host.name: without_pods(world, host, coming, bridge=host.name in stay)
        for host in world.hosts
    }
    reshape(before, built, wanted)
    built = add_pods(built, coming)
    serve(built.namespaces, world.hosts)
    demand(built, *names)
    return Changed(built, frozenset(anew))


def _is_another(built: Built, world: World, found: Hosts, name: str) -> bool:
    """Whether a host of both Worlds is another one: a pod that other calls make, on another node,
    or one whose wire somebody has cut."""
    before = built.world
    if name not in before.calls and name not in world.calls:
        return False
    if before.calls.get(name) != world.calls.get(name) or name not in built.results:
        return True
    ends = [each.far_end(name, "eth0") for each in (before, world)]
    return ends[0] != ends[1] or not _hangs(before, found, name, "eth0")


def _hangs(before: World, found: Hosts, host: str, interface: str) -> bool:
    """Whether both ends of a wire are there."""
    far = before.far_end(host, interface)
    return far is not None and all(
        there in found and name in {link.name for link in found[there].interfaces}
        for there, name in ((host, interface), far)
    )


def take_away(built: Built, hosts: Iterable[str]) -> None:
    """Take hosts away: pods by their plugins, others with their wires."""
    leaving = [*hosts]
    results = {pod: built.results[pod] for pod in leaving if pod in built.results}
    delete_pods(built, results)
    commands = (
        Command(("ip", "-force", "-batch", "-"), name, _deleted(built.world.host(name)))
        for name in leaving
    )
    built.namespaces.run(*commands)  # a wire that is gone already is gone
    built.namespaces.unmake(leaving)


def _deleted(host: Host) -> str:
    return "".join(f"link del {link.name}\n" for link in host.interfaces if link.peer)


def _without(built: Built, world: World, stay: set[str]) -> Built:
    """What stands of the new World: names and results of the pods that stay."""
    names = {}
    for (host, real), name in built.names.items():
        far = built.world.far_end(host, name)
        if far and {host, far.host} <= stay:
            names[host, real] = name
    results = {pod: result for pod, result in built.results.items() if pod in stay}
    return Built(built.namespaces, world, names, results)


def reshape(before: Built, built: Built, wanted: Hosts) -> None:
    """Give hosts that stand the shape that is wanted, all that no plugin makes: settings, wires,
    what interfaces are, ways, rules. After each step they are read again, for the kernel takes away
    what depends on what is gone."""
    namespaces = built.namespaces
    found = _rewired(before, built, wanted)
    namespaces.set(
        {
            name: at_birth(host)
            | {built.spelled(name, path): value for path, value in of_interfaces(host).items()}
            for name, host in wanted.items()
        }
    )
    found |= _told(built, wanted, lambda host: alter_links(built, found[host.name], host))
    _told(built, wanted, lambda host: ways(built, found, host))
    patches = {name: patch(found[name].netfilter, host.netfilter) for name, host in wanted.items()}
    namespaces.must(
        *(
            Command(("iptables-restore", "--noflush"), name, in_parts(text))
            for name, text in patches.items()
            if text
        )
    )


def _rewired(before: Built, built: Built, wanted: Hosts) -> dict[str, Host]:
    """Hang hosts on the wires that are wanted and on no others, and read them back."""
    found = read_back(built, *wanted)
    kept = {
        name: [link for link in host.interfaces if _is_kept(before.world, found, host, link.name)]
        for name, host in wanted.items()
    }
    extra = {
        name: [each.name for each in found[name].interfaces if each.name not in {link.name for link in kept[name]}]
        for name in wanted
    }
    commands = [
        Command(
            ("ip", "-force", "-batch", "-"), name,
            "".join(f"link del {built.real_name(name, each)}\n" for each in extra[name]),
        )
        for name in wanted
        if extra[name]
    ]  # fmt: skip
    built.namespaces.run(*commands)  # with one end of a wire the other one goes
    missing = [
        replace(host, interfaces=tuple(link for link in host.interfaces if link not in kept[name]))
        for name, host in wanted.items()
    ]
    text = "".join(map(links, missing))
    if text:
        built.namespaces.must(Command(("ip", "-batch", "-"), given=text))
    return read_back(built, *wanted) if text or commands else found


def _is_kept(before: World, found: Hosts, host: Host, name: str) -> bool:
    """Whether an interface stands as it is wanted: a wire with its two ends, anything else so."""
    link = host.interface(name)
    if not link.peer:
        return any(each.name == name and each.kind == link.kind for each in found[host.name].interfaces)
    known = before.by_name.get(host.name)
    same = known and name in {each.name for each in known.interfaces}
    return bool(
        same
        and before.far_end(host.name, name) == (link.peer_host, link.peer)
        and _hangs(before, found, host.name, name)
    )


def _told(
    built: Built, wanted: Hosts, tell: Callable[[Host], Iterable[str]]
) -> dict[str, Host]:
    """Tell `ip` on each host what is to be told there, and read back those that were told."""
    texts = {
        name: "".join(f"{built.spelled(name, line)}\n" for line in tell(host))
        for name, host in wanted.items()
    }
    told = {name: text for name, text in texts.items() if text}
    built.namespaces.must(
        *(Command(("ip", "-batch", "-"), name, text) for name, text in told.items())
    )
    return read_back(built, *told)
