"""%%lab: commands on the hosts of a live lab, as one types them on a real node.

    %%lab node1
    ip route
    conntrack -L | grep 8080

`begin` brings it to a lesson; in a notebook of your own, write `%load_ext course.views.lab`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from IPython.core.error import UsageError
from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from course.errors import InputError
from course.lab.namespaces import LabError
from course.laboratory import Lab

OPEN_ONE = 'Open one: lab = Lab(small_cluster("overlay"))'
BEHIND = "is an option behind the host."
BEFORE = "Options stand before it: %%lab --timeout 60 node1"
OPEN_AGAIN = "Run the cell again that opens one."
NOT_FOUND = re.compile(r"^sh: (?:line )?\d+: ([^\s/]+): (?:command )?not found$", re.MULTILINE)


def load_magics() -> None:
    """Bring %%lab to the notebook in which this runs; nothing happens elsewhere."""
    shell = get_ipython()
    if shell and shell.extension_manager:
        shell.extension_manager.load_extension(__name__)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """What `%load_ext course.views.lab` does."""
    magics = LabMagics(shell)
    shell.register_magics(magics)
    shell.events.register("post_run_cell", magics.let_go)


@magics_class
class LabMagics(Magics):
    """%lab and %%lab, for the labs that the variables of a notebook hold."""

    shell: InteractiveShell

    @magic_arguments()
    @argument("--in", dest="lab", metavar="LAB", help="the lab; without it, the one opened last")
    @argument("--timeout", type=float, default=10, help="seconds for each command (default 10)")
    @argument("hosts", metavar="HOST", help="a host, or several: node1,node2")
    @argument("command", nargs="...", help="a command, as a shell reads it")
    @line_cell_magic
    def lab(self, line: str, cell: str = "") -> None:
        """Run commands on hosts of a live lab, and print what they print.

        Each line of the cell is a command of its own, on each host in turn.
        """
        asked: Any = parse_argstring(self.lab, line)
        hosts = [name for name in asked.hosts.split(",") if name]
        try:
            lab = self.present(asked.lab)
            for name in hosts:
                lab.world.host(name)
            wanted = list(commands(" ".join(asked.command), cell))
            if asked.command and asked.command[0].startswith("--"):
                raise InputError(asked.command[0], BEHIND, BEFORE)
            if not wanted:
                raise InputError(line, "names no command.", "Write one: %lab node1 ip route")
            for command in wanted:
                for host in hosts:
                    run(lab, host, command, asked.timeout)
        except (InputError, LabError) as error:
            raise UsageError(str(error)) from None

    def labs(self) -> dict[str, Lab]:
        """The labs that variables hold, by name."""
        held = self.shell.user_ns.items()
        return {k: v for k, v in held if isinstance(v, Lab) and not k.startswith("_")}

    def present(self, name: str | None) -> Lab:
        """The lab of a name, or the open one that was opened last.

        Raises UsageError where there is none.
        """
        labs = self.labs()
        if name and name not in labs:
            raise UsageError(f"{name} is no lab. Labs here: {', '.join(labs) or 'none'}.")
        found = [lab for each, lab in labs.items() if name in (None, each) and not lab.closed]
        if not found:
            which = f"{name} is closed." if name else "No lab is open."
            raise UsageError(f"{which} {OPEN_AGAIN if labs else OPEN_ONE}")
        return max(found, key=lambda lab: lab.opened)

    def let_go(self, result: Any) -> None:
        """Take a lab that was shown out of the history of outputs.

        There it would live on after its variable holds another one.
        """
        shown = result.result
        if isinstance(shown, Lab):
            held = {name: lab for name, lab in self.labs().items() if lab is shown}
            self.shell.push({"_": shown})
            self.shell.del_var("_")
            self.shell.push(held)


def commands(first: str, cell: str) -> Iterator[str]:
    """What is to be run: what stands behind the host, and each line of the cell.

    A line goes on after a backslash; comments are left out.

    >>> list(commands("", "ip route\\n\\n# who is there?\\nping -c 1 \\\\\\n 10.0.0.4\\n"))
    ['ip route', 'ping -c 1  10.0.0.4']
    """
    for line in (first, *cell.replace("\\\n", "").splitlines()):
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def run(lab: Lab, host: str, command: str, timeout: float) -> None:
    """Print a command as it is typed on a host, and then what it prints."""
    print(f"{host}$ {command}", flush=True)
    said = lab.run(host, ["sh", "-c", command], timeout)
    if said.strip():
        print(said.rstrip("\n"), flush=True)
    if missing := NOT_FOUND.search(said):
        print(f"(hosts have the tools of your machine, and {missing[1]} is not among them)")
