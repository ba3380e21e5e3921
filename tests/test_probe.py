"""Whether the live lab can run: each thing in its way is made for real, and told with its cure."""

from __future__ import annotations

import errno
import shutil
import sys

import pytest

from course import machine
from course.lab.probe import kernel, readiness, refusals, report, verdicts
from course.lab.probe.kernel import Bridging, Kernel, kernel_checks
from course.lab.probe.needs import EXTRAS, PLUGINS, RULES, TOOLS, Needs
from course.lab.probe.refusals import DEBIAN, UBUNTU, Surroundings
from course.machine import Check, Ran
from course.networks import all_models
from course.scenarios import small_cluster
from course.world import build
from tests.surroundings import (
    AF_NETLINK,
    AF_PACKET,
    NETLINK_NETFILTER,
    OF_OUR_OWN,
    WITHOUT_POWERS,
    examine,
    in_own_namespaces,
)

ALL = [model.id for model in all_models()]
DENIED = "unshare: unshare failed: Operation not permitted"
OFF = "Namespaces are switched off"
ONLY_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")


@pytest.fixture(autouse=True)
def debian(monkeypatch):
    """Packages are installed as on Debian, whatever runs this test."""
    monkeypatch.setattr(verdicts, "install", lambda *names: f"sudo apt install {' '.join(names)}")


def limited(verdict, part):
    """What is said of a part that does not work, and the cure."""
    if part not in verdict.parts:
        pytest.skip(f"cannot be provoked here: {verdict.parts}")
    check = verdict.parts[part]
    assert check.state == "limited", check
    return check.says, check.fix


def refusal(said, around=None):
    """Cause and cure of what unshare says."""
    why = refusals.refusal(Ran(1, said), around or Surroundings())
    return why.cause, why.cure


# ---- namespaces that are refused, for real ----


@ONLY_LINUX
@pytest.mark.parametrize("kind", ["user", "net", "pid", "mnt"])
def test_a_limit_that_is_0_is_named_with_its_setting(kind):
    limit = f"echo 0 > /proc/sys/user/max_{kind}_namespaces"
    verdict = examine(*in_own_namespaces(limit), *WITHOUT_POWERS)
    cause, cure = limited(verdict, verdicts.NAMESPACES)
    assert cause == f"{OFF}: user.max_{kind}_namespaces is 0."
    assert cure.startswith(f"sudo sysctl user.max_{kind}_namespaces=10000")
    assert (verdict.models, verdict.unshare) == ([], [])


@ONLY_LINUX
def test_a_filter_of_system_calls_is_told_from_a_chroot():
    verdict = examine(first=f"forbid('unshare', {errno.EPERM})")
    cause, cure = limited(verdict, verdicts.NAMESPACES)
    assert "seccomp" in cause
    assert "--privileged" in cure


@ONLY_LINUX
@pytest.mark.parametrize("is_mount", [True, False])
def test_a_chroot_is_told_from_a_filter_of_system_calls(tmp_path, is_mount):
    root = str(tmp_path)
    if is_mount:
        script = f"mount --rbind / {root}"
    else:
        script = f"""
            mount -t tmpfs tmpfs {root}; mkdir {root}/root
            for each in /*; do
                if [ -L $each ]; then cp -P $each {root}/root/
                elif [ -d $each ]; then mkdir {root}/root$each; mount --rbind $each {root}/root$each
                fi
            done"""
        root += "/root"
    around = (*in_own_namespaces(script), "chroot", root, *WITHOUT_POWERS)
    cause, cure = limited(examine(*around), verdicts.NAMESPACES)
    assert "chroot" in cause
    assert cure == "Run the course outside the chroot."


@ONLY_LINUX
def test_a_container_that_hides_parts_of_proc_is_told():
    around = in_own_namespaces("mount --bind /dev/null /proc/version")
    cause, cure = limited(examine(*around, *WITHOUT_POWERS), verdicts.NAMESPACES)
    assert cause.startswith("A container or sandbox around the course forbids mounts: unshare: ")
    assert "--privileged" in cure


@ONLY_LINUX
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
def test_a_kernel_without_namespaces_is_told(number):
    cause, _ = limited(examine(first=f"forbid('unshare', {number})"), verdicts.NAMESPACES)
    assert cause.startswith("The kernel is built without user or network namespaces")


@ONLY_LINUX
def test_root_who_may_not_make_namespaces_makes_them_as_root_of_its_own():
    verdict = examine(*OF_OUR_OWN, "setpriv", "--bounding-set", "-sys_admin")
    assert verdict.parts[verdicts.NAMESPACES].state == "works"
    assert "--user" in verdict.unshare


@ONLY_LINUX
def test_root_who_may_not_even_be_root_of_its_own_is_no_case_of_apparmor():
    verdict = examine(*OF_OUR_OWN, "setpriv", "--bounding-set", "-all")
    cause, cure = limited(verdict, verdicts.NAMESPACES)
    assert "CAP_SETFCAP" in cause
    assert "ordinary user" in cure


# ---- namespaces that are refused, by what unshare says elsewhere ----


def test_apparmor_of_ubuntu_is_told_by_what_unshare_cannot_write():
    cause, cure = refusal("unshare: write failed /proc/self/uid_map: Operation not permitted")
    assert "AppArmor" in cause
    assert cure.startswith(f"sudo sysctl {UBUNTU}=0")


@pytest.mark.parametrize(("setting", "value"), [(DEBIAN, "0"), (UBUNTU, "1")])
def test_a_setting_that_forbids_user_namespaces_is_read(tmp_path, setting, value):
    file = tmp_path / "sys" / setting.replace(".", "/")
    file.parent.mkdir(parents=True)
    file.write_text(f"{value}\n")
    (tmp_path / "self").mkdir()
    (tmp_path / "self/status").write_text("Name:\tpython\nSeccomp:\t2\n")
    around = refusals.surroundings(tmp_path)
    assert around == Surroundings(seccomp=True, switched_off=(setting,))
    assert setting in refusal(DENIED, around)[1]
    file.write_text("1\n" if value == "0" else "0\n")
    assert setting not in refusal(DENIED, refusals.surroundings(tmp_path))[1]


def test_where_nobody_can_tell_all_that_it_may_be_is_named(tmp_path):
    cause, _ = refusal(DENIED, refusals.surroundings(tmp_path))
    assert cause == "A container, sandbox or chroot around the course forbids namespaces."


def test_a_limit_of_a_container_around_is_told_where_our_own_is_not_0():
    cause, _ = refusal("unshare: unshare failed: No space left on device")
    assert cause.startswith("A limit on namespaces is reached")


@pytest.mark.parametrize(
    "said",
    [
        "unshare: unrecognized option '--kill-child'",
        "unshare: failed to execute x: Permission denied",
    ],
)
def test_an_unknown_refusal_is_told_in_its_own_words(said):
    assert refusal(said)[0] == f"No namespaces can be made: {said}."


def test_a_trial_that_breaks_is_no_refusal_of_namespaces():
    cause, _ = refusal("Traceback\n  ...\nModuleNotFoundError: No module named 'netaddr'")
    assert cause == "A trial in them fails: ModuleNotFoundError: No module named 'netaddr'."


# ---- programs and plugins ----


@ONLY_LINUX
@pytest.mark.parametrize(
    ("hidden", "missing", "package"),
    [
        ("unshare", "unshare", "util-linux"),
        ("ip", "ip", "iproute2"),
        ("bridge", "bridge", "iproute2"),
        ("iptables", "iptables, iptables-save, iptables-restore", "iptables"),
    ],
)
def test_a_missing_program_is_named_with_its_package(hidden, missing, package):
    hide = f"file=$(readlink -f $(command -v {hidden})); mount --bind /dev/null $file"
    verdict = examine(*in_own_namespaces(hide))
    says, cure = limited(verdict, verdicts.PROGRAMS)
    assert says == f"missing: {missing}"
    assert cure.endswith(package)
    assert verdict.models == []


def test_conntrack_is_for_the_learner_and_its_absence_is_no_fault_of_the_lab():
    assert not set(EXTRAS) & set(TOOLS)
    check = verdicts.extras_verdict(("conntrack",))
    assert (check.state, check.fix) == ("limited", "sudo apt install conntrack")


@ONLY_LINUX
def test_a_folder_without_all_the_plugins_is_no_folder_of_plugins(tmp_path):
    (tmp_path / "bridge").touch()
    verdict = examine(plugin_folders=[str(tmp_path)])
    says, cure = limited(verdict, verdicts.CNI)
    assert says == f"{', '.join(PLUGINS)} are not all in {tmp_path}."
    assert cure == "sudo apt install containernetworking-plugins" or sys.platform != "linux"
    assert verdict.models == []


@ONLY_LINUX
@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("not a program of this processor", "Exec format error"),
        ('#!/bin/sh\necho \'{"code": 7, "msg": "no such mode"}\'; exit 1', "no such mode"),
        ("#!/bin/sh\necho broken >&2; exit 1", "broken"),
    ],
)
def test_plugins_that_are_there_but_do_not_run_are_told_with_their_own_words(
    tmp_path, program, said
):
    for plugin in PLUGINS:
        file = tmp_path / plugin
        file.write_text(program)
        file.chmod(0o755)
    verdict = examine(plugin_folders=[str(tmp_path)])
    if verdicts.LINKS not in verdict.parts:
        pytest.skip("namespaces or programs are missing here")
    says, cure = limited(verdict, verdicts.CNI)
    assert "ADD and DEL of a pod fails" in says
    assert said in says
    assert "--reinstall" in cure


@ONLY_LINUX
def test_the_real_plugins_need_all_of_each_other(tmp_path):
    real = Needs().plugin_folder
    if not real:
        pytest.skip("no CNI plugins: apt install containernetworking-plugins")
    for plugin in PLUGINS:
        (tmp_path / plugin).symlink_to(f"{real}/{plugin}")
    assert examine(plugin_folders=[str(tmp_path)]).parts[verdicts.CNI].state == "works"
    (tmp_path / "host-local").unlink()
    (tmp_path / "host-local").write_text("no program")
    says, _ = limited(examine(plugin_folders=[str(tmp_path)]), verdicts.CNI)
    assert "host-local" in says.partition("fails:")[2]


# ---- the kernel ----


@ONLY_LINUX
def test_an_iptables_that_loads_no_rule_is_told_and_the_variant_that_does():
    if "nf_tables" not in machine.run(machine.which("iptables") or "iptables", "-V").output:
        pytest.skip("iptables is not the variant that speaks to nf_tables")
    first = f"""forbid(
        "socket", {errno.EPROTONOSUPPORT}, {{0: {AF_NETLINK}, 2: {NETLINK_NETFILTER}}})"""
    verdict = examine(first=first)
    says, cure = limited(verdict, verdicts.RULES)
    assert "Failed to initialize nft: Protocol not supported" in says
    assert "iptables-legacy" in cure or "nf_tables" in cure
    assert verdict.models == []


def test_an_iptables_without_another_variant_wants_modules_of_the_kernel():
    said = "iptables-restore: unable to initialize table 'nat'"
    check = verdicts.rules_verdict(dict.fromkeys(RULES, said), {"iptables-nft": said})
    assert said in check.says
    assert check.fix.startswith("sudo modprobe -a nf_tables")


@ONLY_LINUX
def test_a_kind_of_rule_that_the_kernel_does_not_load_is_named_alone():
    nobody_counts = ("filter", "-A FORWARD -m nfacct --nfacct-name nobody -j DROP")
    verdict = examine(rules=RULES | {"nfacct": nobody_counts})
    says, cure = limited(verdict, verdicts.RULES)
    assert says.startswith("the kernel loads no rules of the kind nfacct: iptables-restore")
    assert cure.startswith("sudo modprobe -a xt_nfacct;")


@pytest.mark.parametrize("model", ALL)
def test_every_kind_of_rule_that_the_lab_writes_is_tried(model):
    tried = set(RULES) | {"", "tcp", "udp", "ACCEPT", "DROP", "RETURN"}
    for host in build(small_cluster(model)).hosts:
        for chains in host.netfilter.tables.values():
            for rule in (rule for chain in chains.values() for rule in chain.rules):
                used = {match.module for match in rule.matches}
                if rule.target and not rule.target.is_chain:
                    used.add(rule.target.name)
                assert used <= tried, rule


@ONLY_LINUX
@pytest.mark.parametrize(
    ("number", "cause", "cure"),
    [
        (errno.EAFNOSUPPORT, "the kernel has no sockets", "modprobe af_packet"),
        (errno.EPERM, "a container or sandbox forbids", "outside"),
    ],
)
def test_packets_that_cannot_be_watched_are_told(number, cause, cure):
    verdict = examine(first=f"forbid('socket', {number}, {{0: {AF_PACKET}}})")
    says, fix = limited(verdict, verdicts.CAPTURE)
    assert cause in says
    assert cure in fix
    assert verdict.models == []


@ONLY_LINUX
def test_a_kind_of_interface_that_the_kernel_lacks_is_named():
    says, cure = limited(examine(links=["veth", "no-such-kind"]), verdicts.LINKS)
    assert says == "the kernel makes no no-such-kind: Error: Unknown device type."
    assert cure.startswith("sudo modprobe -a no-such-kind;")


@ONLY_LINUX
def test_without_br_netfilter_kubenet_alone_is_a_recording():
    verdict = examine(bridge_setting="/proc/sys/net/bridge/none")
    says, cure = limited(verdict, verdicts.BRIDGES)
    assert "br_netfilter is not loaded: kubenet" in says
    assert cure.startswith("sudo modprobe br_netfilter")
    others = [part for name, part in verdict.parts.items() if name != verdicts.BRIDGES]
    if all(part.state == "works" for part in others):
        assert verdict.models == [model for model in ALL if model != "kubenet"]


# ---- the verdict ----


def test_the_verdict_of_this_machine_names_every_cause_or_there_is_none():
    verdict = readiness.examined()
    faults = [part for part in verdict.parts if part.state != "works"]
    assert (list(verdict.models) == ALL) == (not faults)
    assert len(verdict.why_not.splitlines()) == len(faults)
    assert all(part.fix and part.fix in verdict.why_not for part in faults)


def test_what_works_is_remembered_until_the_doctor_looks_again():
    first = readiness.readiness()
    if not first.can_run:
        pytest.skip(first.why_not)
    assert readiness.readiness() is first
    report.live_lab_checks()
    assert readiness.readiness() is not first


def test_what_does_not_work_is_tried_again_once_it_may_be_mended(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not readiness.readiness(anew=True).can_run
    monkeypatch.undo()
    verdict = readiness.readiness()
    assert verdict == readiness.examined()


@pytest.mark.parametrize(("platform", "way"), [("win32", "wsl --install"), ("darwin", "machine")])
def test_elsewhere_than_on_linux_the_lab_wants_a_linux(monkeypatch, platform, way):
    monkeypatch.setattr(sys, "platform", platform)
    verdict = readiness.examined()
    assert not verdict.can_run
    assert way in verdict.why_not


def test_without_a_live_lab_a_learner_sees_recordings():
    check = report.summary_verdict(readiness.Readiness((), ()))
    assert check.state == "limited"
    assert "lessons show recordings made on another machine instead." in check.says


# ---- how this kernel behaves ----


@ONLY_LINUX
def test_what_crosses_a_bridge_meets_postrouting_exactly_where_br_netfilter_says_so():
    shown = measured()
    if len(shown.bridging) < 2:
        pytest.skip("br_netfilter is not loaded: sudo modprobe br_netfilter")
    assert {each.setting: each.postrouting for each in shown.bridging} == {1: True, 0: False}


@ONLY_LINUX
def test_with_hairpin_on_a_pod_reaches_itself_whatever_the_kernel():
    for each in measured().bridging:
        assert each.arrives["hairpin"], each


@ONLY_LINUX
def test_without_br_netfilter_it_is_measured_once_and_nothing_is_set():
    (shown,) = measured("/proc/sys/net/bridge/none").bridging
    assert shown.setting is None
    assert shown.when == "without br_netfilter"


def measured(*setting):
    """What the kernel shows; skips where no namespaces can be made."""
    if not readiness.readiness().can_run or not shutil.which("unshare"):
        pytest.skip(readiness.readiness().why_not)
    return kernel.measured(*setting)


def test_how_a_kernel_behaves_is_never_a_fault(monkeypatch):
    nothing = dict.fromkeys(("hairpin", "neither", "promiscuous"), False)
    shown = (Bridging(1, nothing, False), Bridging(0, nothing, False))
    assert {check.state for check in kernel_checks(Kernel("6.8", "", shown))} == {"works"}

    def refuse():
        raise OSError("no such luck")

    monkeypatch.setattr(report, "measured", refuse)
    (check,) = report.kernel_lines()
    assert check == Check("This kernel", "works", "its bridges cannot be measured: no such luck")
