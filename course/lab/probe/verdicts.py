"""What was tried, as checks: for each part whether it works, or the cause and the cure."""

from __future__ import annotations

from collections.abc import Mapping

from course.lab.probe.needs import EXTRAS, PLUGIN_PACKAGE, PLUGINS, TOOLS, Needs
from course.lab.probe.refusals import Surroundings, refusal
from course.machine import Check, Ran, install

Wrong = Mapping[str, str]

NAMESPACES, PROGRAMS, CNI, LINKS, RULES, CAPTURE, BRIDGES = (
    f"Live lab: {part}"
    for part in (
        "namespaces", "programs", "CNI plugins", "interfaces", "iptables", "capture", "bridges",
    )
)  # fmt: skip
RECORDINGS = "lessons show recordings made on another machine instead."

# The kernel's modules behind kinds of rules, where their name is not xt_KIND.
MODULES = {"DNAT": "xt_nat", "SNAT": "xt_nat", "MARK": "xt_mark", "REJECT": "ipt_REJECT"}
ANOTHER_KERNEL = "; where that fails, run a kernel that has it (on WSL: wsl --update)."


def other_system_verdict(platform: str) -> Check:
    """The live lab on a system that is not Linux.

    >>> other_system_verdict("darwin").fix
    'Everything else works here. For the live lab: run the course in a Linux virtual machine.'
    """
    here = "run the course in a Linux virtual machine."
    if platform == "win32":
        here = "wsl --install, then set the course up there."
    fix = f"Everything else works here. For the live lab: {here}"
    return Check("Live lab: system", "limited", "namespaces are a part of Linux.", fix)


def programs_verdict(missing: tuple[str, ...]) -> Check:
    """Whether the programs that set up networks are there.

    >>> programs_verdict(("ip", "bridge")).says
    'missing: ip, bridge'
    """
    if not missing:
        return Check(PROGRAMS, "works", ", ".join(TOOLS))
    packages = dict.fromkeys(TOOLS[tool] for tool in missing)
    return Check(PROGRAMS, "limited", f"missing: {', '.join(missing)}", install(*packages))


def extras_verdict(missing: tuple[str, ...]) -> Check:
    """Whether the programs are there with which a learner looks around."""
    name = "Live lab: to look around"
    if not missing:
        return Check(name, "works", ", ".join(EXTRAS))
    says = f"missing: {', '.join(missing)}. The lab runs without."
    return Check(name, "limited", says, install(*(EXTRAS[tool] for tool in missing)))


def namespaces_verdict(ran: Ran, around: Surroundings) -> Check:
    """From what became of unshare: whether namespaces can be made, or why not.

    >>> off = Surroundings(switched_off=("user.max_user_namespaces",))
    >>> namespaces_verdict(Ran(1, "unshare: unshare failed: No space left on device"), off).says
    'Namespaces are switched off: user.max_user_namespaces is 0.'
    """
    if ran.returncode == 0:
        return Check(NAMESPACES, "works", "network namespaces can be made.")
    why = refusal(ran, around)
    return Check(NAMESPACES, "limited", why.cause, why.cure)


def kernel_verdicts(found: Mapping[str, Wrong]) -> tuple[Check, ...]:
    """What the kernel can do, from what course.lab.probe.trials printed; nothing without it."""
    if not found:
        return ()
    return (
        links_verdict(found["links"]),
        rules_verdict(found["rules"], found["variants"]),
        capture_verdict(found["capture"]),
        bridges_verdict(found["bridges"]),
    )


def links_verdict(wrong: Wrong) -> Check:
    """Whether the kernel makes the interfaces that hosts are joined with."""
    lacking = [kind for kind, said in wrong.items() if said]
    if not lacking:
        return Check(LINKS, "works", f"{', '.join(wrong)} can be made.")
    says = f"the kernel makes no {' and no '.join(lacking)}: {wrong[lacking[0]]}"
    return Check(LINKS, "limited", says, f"sudo modprobe -a {' '.join(lacking)}{ANOTHER_KERNEL}")


def rules_verdict(wrong: Wrong, variants: Wrong) -> Check:
    """Whether iptables loads every kind of rule that the lab writes.

    `variants` is what came of the same rules with each variant of iptables, if none could be loaded
    with the one in use.
    """
    lacking = [kind for kind, said in wrong.items() if said]
    if not lacking:
        return Check(RULES, "works", f"rules load: {', '.join(wrong)}")
    said = " ".join(wrong[lacking[0]].split())
    if len(lacking) < len(wrong):
        modules = " ".join(MODULES.get(kind, f"xt_{kind}") for kind in lacking)
        says = f"the kernel loads no rules of the kind {', '.join(lacking)}: {said}"
        return Check(RULES, "limited", says, f"sudo modprobe -a {modules}{ANOTHER_KERNEL}")
    says = f"iptables is there, but loads no rule: {said}"
    for variant, trouble in variants.items():
        if not trouble:
            fix = f"sudo update-alternatives --set iptables /usr/sbin/{variant}"
            return Check(RULES, "limited", f"{says} ({variant} does.)", fix)
    fix = f"sudo modprobe -a nf_tables nft_compat ip_tables{ANOTHER_KERNEL}"
    return Check(RULES, "limited", says, fix)


def capture_verdict(wrong: Wrong) -> Check:
    """Whether packets can be watched."""
    said = wrong["AF_PACKET"]
    if not said:
        return Check(CAPTURE, "works", "packets can be watched in a namespace (AF_PACKET).")
    if "not permitted" in said or "denied" in said:
        says = f"a container or sandbox forbids to watch packets (AF_PACKET): {said}"
        return Check(CAPTURE, "limited", says, "Run the course outside of it.")
    says = f"the kernel has no sockets that watch packets (AF_PACKET): {said}"
    return Check(CAPTURE, "limited", says, f"sudo modprobe af_packet{ANOTHER_KERNEL}")


def plugins_verdict(needs: Needs, wrong: Wrong) -> Check:
    """Whether the real CNI plugins are there, and run where that could be tried."""
    names, folder = ", ".join(PLUGINS), needs.plugin_folder
    if not folder:
        says = f"{names} are not all in {' or '.join(needs.plugin_folders)}."
        return Check(CNI, "limited", says, install(PLUGIN_PACKAGE))
    for operation, said in wrong.items():
        if said:
            says = f"{names} are in {folder}, but {operation} of a pod fails: {said}"
            return Check(CNI, "limited", says, f"{install(PLUGIN_PACKAGE)} --reinstall")
    return Check(CNI, "works", f"{names} in {folder}{', and they run' if wrong else ''}")


def bridges_verdict(wrong: Wrong) -> Check:
    """Whether packets that cross a bridge can meet the rules of iptables, as kubenet needs it."""
    said = wrong["br_netfilter"]
    if not said:
        says = "br_netfilter is loaded: what crosses a bridge can meet the rules of iptables."
        return Check(BRIDGES, "works", says)
    if said == "No such file or directory":
        cause = "br_netfilter is not loaded"
    else:
        cause = f"br_netfilter cannot be set in a namespace ({said})"
    says = f"{cause}: kubenet, whose pods are on a bridge, is shown as a recording only."
    fix = (
        "sudo modprobe br_netfilter (until the next start; a file in /etc/modules-load.d makes it "
        "last). An ordinary user cannot."
    )
    return Check(BRIDGES, "limited", says, fix)
