"""How a fault is written: its name, its argument, its moment, how often.

    NAME[=ARG][@MOMENT[#K][+MS]][/HOW_OFTEN]

    close=1011:restarting@speaking+800/3      close so, 800 ms of audio into an answer, three times
    rst@response.done#2                       reset after the second response.done of a session
    expire=20                                 every session ends after 20 s

Owns the reading of it, and the list that `--fault list` prints. The names are in fault_table.py. Pure.
"""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches

from voicebotd.errors import VoicebotError
from voicebotd.rehearsal.fault_table import KINDS, Kind, number_within
from voicebotd.rehearsal.faults import Fault, When
from voicebotd.rehearsal.moments import ANY, MOMENTS
from voicebotd.rehearsal.saboteur import LATEST_RANDOM, RANDOM


class FaultWordsError(VoicebotError):
    """A fault cannot be read: the message names what is wrong, the hint what is known."""


# --- Reading ---------------------------------------------------------------------------------------------------------

_WORDS = re.compile(
    r"(?P<name>[a-z-]+)(?:=(?P<argument>[^@/]*))?"
    r"(?:@(?P<moment>[a-z_.]+)(?:#(?P<kth>\d{1,6}))?(?:\+(?P<plus_ms>\d{1,6}))?)?(?:/(?P<often>[a-z0-9.]+))?"
)
_SECONDS = r"\d{0,5}[1-9](?:\.\d{1,3})?|\d{1,5}0(?:\.\d{1,3})?|0\.\d{1,3}"
_OFTEN = re.compile(
    rf"(?P<word>once|always)|(?P<times>[1-9]\d{{0,5}})|after(?P<after_s>{_SECONDS})s|every(?P<every_s>{_SECONDS})s"
)


def parse_fault(text: str) -> Fault:
    """Read one fault. Raises FaultWordsError."""
    words = _WORDS.fullmatch(text)
    if words is None:
        raise FaultWordsError(f"{text!r} is not a fault", hint="NAME[=ARG][@MOMENT[#K][+MS]][/HOW_OFTEN]")
    name = words["name"]
    kind = KINDS.get(name)
    if kind is None:
        raise FaultWordsError(f"there is no fault {name!r}", hint=_did_you_mean(name, list(KINDS)))
    argument = kind.usual if words["argument"] is None else words["argument"]
    try:
        effect = kind.make(argument)
        when = _usual_when(kind, argument)
    except ValueError:
        expected = kind.argument or "no argument"
        raise FaultWordsError(f"{name}={argument} cannot be read", hint=f"{name} takes {expected}") from None
    if words["moment"] is not None:
        _check_moment(name, kind, words["moment"])
        times = 1 if kind.timed else when.times
        when = When(moment=words["moment"], kth=int(words["kth"] or 0), plus_ms=int(words["plus_ms"] or 0), times=times)
    if words["often"] is not None:
        when = _often(when, words["often"], has_moment=words["moment"] is not None)
    return Fault(name=text, effect=effect, when=when)


def _check_moment(name: str, kind: Kind, moment: str) -> None:
    if not kind.anywhere and moment != kind.when.moment:
        place = f"only at {kind.when.moment}" if kind.when.moment else "at no moment of a session, only at its times"
        raise FaultWordsError(f"{name}@{moment} cannot be", hint=f"{name} acts {place}")
    known = [*MOMENTS, RANDOM, ANY]
    if moment not in known and "." not in moment and moment != "error":
        raise FaultWordsError(
            f"there is no moment {moment!r}", hint=f"{_did_you_mean(moment, known)}; or the type of an event"
        )


def _usual_when(kind: Kind, argument: str) -> When:
    return When(after_s=number_within(argument, 0, 86_400), times=None) if kind.timed else kind.when


def _often(when: When, text: str, *, has_moment: bool) -> When:
    often = _OFTEN.fullmatch(text)
    if often is None:
        raise FaultWordsError(f"{text!r} is not how often", hint="once, a number from 1, always, after20s or every20s")
    if often["word"] is not None:
        return replace(when, times=1 if often["word"] == "once" else None)
    if often["times"] is not None:
        return replace(when, times=int(often["times"]))
    if not has_moment and when.moment != "handshake":
        when = replace(when, moment="", plus_ms=0)
    if often["after_s"] is not None:
        return replace(when, after_s=float(often["after_s"]))
    return replace(when, every_s=float(often["every_s"]), times=None)


def _did_you_mean(given: str, known: list[str]) -> str:
    nearest = get_close_matches(given, known, n=1, cutoff=0.5)
    return f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(known)}"


# --- The list --------------------------------------------------------------------------------------------------------


def list_of_faults() -> str:
    """All there is to know for who wants to write one."""
    lines = ["NAME[=ARG][@MOMENT[#K][+MS]][/HOW_OFTEN]", "", "faults, with the usual argument and moment:"]
    for name, kind in KINDS.items():
        lines.append(f"  {name + ('=' + kind.usual if kind.usual else ''):<28} {kind.meaning} ({_usually(kind)})")
        if kind.argument:
            lines.append(f"  {'':<28} argument: {kind.argument}")
    lines += [
        "",
        "moments (#K: only the K-th time in a session; +MS: so long after it, while speaking: of audio sent):",
    ]
    lines += [f"  {name:<28} {meaning}" for name, meaning in MOMENTS.items()]
    lines.append(f"  {ANY:<28} any event was sent")
    lines.append(
        f"  {RANDOM:<28} some event of each session, up to the {LATEST_RANDOM}th; --seed makes it the same again"
    )
    lines.append(f"  {'TYPE, as response.done':<28} an event of that type was sent, or has come from the client")
    lines += ["", "how often: once, a number, always; after20s and every20s count from the session's begin"]
    return "\n".join(lines)


def _usually(kind: Kind) -> str:
    if kind.timed:
        return "every session"
    when = kind.when
    moment = f"@{when.moment}{f'+{when.plus_ms}' if when.plus_ms else ''}" if when.moment else "from the start"
    return f"{moment}, {'always' if when.times is None else 'once'}"
