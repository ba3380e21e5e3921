"""Runs inside fresh namespaces: tries what the lab needs there, and prints what came of it.

That is one line of JSON: for each part what was tried, and what was wrong with it: an empty text
where it went well.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from course.cni.configuration import NetworkConfiguration, parse
from course.cni.kubenet import containerd_list
from course.cni.runtime import Attachment, add, delete
from course.lab.probe.needs import Needs, ruleset
from course.machine import run

SECONDS = 5  # that the plugins may take
VARIANTS = ("iptables-legacy", "iptables-nft")

Wrong = dict[str, str]


def main() -> None:
    """Read the needs from the command line, try them, print the outcome."""
    needs = Needs(**json.loads(sys.argv[1]))
    settle()
    loaded = rules(needs.rules)
    print(
        json.dumps(
            {
                "links": links(needs),
                "rules": loaded,
                "variants": variants(needs) if all(loaded.values()) else {},
                "capture": capture(),
                "plugins": plugins(needs.plugin_folder) if needs.plugin_folder else {},
                "bridges": bridges(needs),
            }
        )
    )


def settle() -> None:
    """Find the programs of /usr/sbin, and have a /run of our own.

    Names of namespaces and the lock of iptables stand in /run.
    """
    os.environ["PATH"] = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    run("mount", "-t", "tmpfs", "tmpfs", "/run")


def wrong(*command: str, said: str = "") -> str:
    """What a command says that fails, or nothing. `said` is its standard input."""
    ran = run(*command, said=said)
    return "" if ran.returncode == 0 else ran.output or f"it ends with {ran.returncode}"


def links(needs: Needs) -> Wrong:
    """Make an interface of each kind."""
    return {
        kind: wrong("ip", "link", "add", f"try{at}", "type", kind)
        for at, kind in enumerate(needs.links)
    }


def rules(wanted: Mapping[str, tuple[str, str]], restore: str = "iptables-restore") -> Wrong:
    """Load a rule of each kind: all at once, and where that fails each alone."""
    if not wrong(restore, said=ruleset(wanted)):
        return dict.fromkeys(wanted, "")
    return {kind: wrong(restore, said=ruleset({kind: rule})) for kind, rule in wanted.items()}


def variants(needs: Needs) -> Wrong:
    """Load the rules with both variants of iptables: the one that is not in use may work."""
    return {name: wrong(f"{name}-restore", said=ruleset(needs.rules)) for name in VARIANTS}


def capture() -> Wrong:
    """Open a socket that sees every packet of a namespace."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM).close()
    except OSError as error:
        return {"AF_PACKET": error.strerror or str(error)}
    return {"AF_PACKET": ""}


def plugins(folder: str) -> Wrong:
    """Add a pod as a kubenet node does, and delete it."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    try:
        run("ip", "netns", "add", "pod")
        network, pod = kubenet(), Attachment("doctor", "/run/netns/pod")
        result = add(network, pod, folder)
        delete(network, pod, result, folder)
    except (OSError, ValueError) as error:  # a CniError is a ValueError
        return {"ADD and DEL": str(error)}
    finally:
        signal.alarm(0)
    return {"ADD and DEL": ""}


def kubenet() -> NetworkConfiguration:
    """kubenet's own list; addresses given away are kept in a folder that goes with us."""
    conflist = containerd_list(["10.244.0.0/24"])
    conflist["plugins"][0]["ipam"]["dataDir"] = "/run/cni"
    return parse(conflist)


def bridges(needs: Needs) -> Wrong:
    """Have packets that cross a bridge meet the rules of iptables."""
    try:
        Path(needs.bridge_setting).write_text("1")
    except OSError as error:
        return {"br_netfilter": error.strerror or str(error)}
    return {"br_netfilter": ""}


def _too_long(*_: object) -> None:
    raise TimeoutError(f"no answer within {SECONDS} seconds.")
