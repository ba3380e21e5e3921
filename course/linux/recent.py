"""`-m recent`: lists of addresses that were seen, with the times at which they were.

kube-proxy makes a Service's session affinity of it: the rule that chooses an endpoint also notes
the client (--set), and the next packet of that client finds itself noted (--rcheck --seconds).

Source: Linux net/netfilter/xt_recent.c. A list keeps as many times of an address as a rule may ask
for with --hitcount: 255 in every kernel. Left out: that Linux keeps no more than 100 addresses in a
list, unless told otherwise (ip_list_tot, a parameter of the module), and then forgets the one that
was not seen for longest; here a list keeps all.
"""

from __future__ import annotations

from collections.abc import Mapping

from netaddr import IPAddress

from course.addresses import canonical
from course.linux.packet import number
from course.linux.passage import Passage
from course.linux.rule import Match, Option

_ACTIONS = ("--set", "--rcheck", "--update", "--remove")
_TIMES_KEPT = 255


def recent(match: Match, passage: Passage) -> bool:
    """Whether the list agrees, and note in it what the match says is to be noted."""
    options = {option.flag: option for option in match.options}
    name, mask = options["--name"].values[0], options["--mask"].values[0]
    packet = passage.packet
    address = packet.destination if "--rdest" in options else packet.source
    address = canonical(IPAddress(number(address) & number(mask), 4))
    listed = dict(passage.recent.get(name, {}))
    known = address in listed
    action = next(options[flag] for flag in _ACTIONS if flag in options)
    fits = known or action.flag == "--set"
    if known and action.flag in ("--rcheck", "--update"):
        fits = _seen_lately(options, listed, address, passage.now)
    if known and action.flag == "--remove":
        del listed[address]
    agrees = fits != action.negated
    if action.flag == "--set" or (action.flag == "--update" and known and agrees):
        times = (*listed.pop(address, ()), passage.now)
        listed[address] = times[-_TIMES_KEPT:]  # at the end: it was seen last
    passage.recent = {**passage.recent, name: listed}
    return agrees


def _seen_lately(
    options: Mapping[str, Option], listed: dict[str, tuple[float, ...]], address: str, now: float
) -> bool:
    seconds, hits = (options.get(flag) for flag in ("--seconds", "--hitcount"))
    since = now - int(seconds.values[0]) if seconds else float("-inf")
    newer = [time for time in listed[address] if time >= since]
    if "--reap" in options:
        _reap(listed, since)
    return len(newer) >= max(1, int(hits.values[0]) if hits else 1)


def _reap(listed: dict[str, tuple[float, ...]], since: float) -> None:
    """Forget the address that was not seen for longest, if that is too long ago."""
    oldest = next(iter(listed), None)
    if oldest is not None and listed[oldest][-1] < since:
        del listed[oldest]
