"""Of what the visitor said, how much a session that is gone took with it. All of that rule, and nothing else.

Three things are unheard: a speech that goes on, turns that were to be answered, and voices of which the service said
nothing because it heard nothing. Pure: no clock, no state.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebotd.conversation.context import Unanswered
from voicebotd.conversation.deafness import Speech
from voicebotd.conversation.effects import Since
from voicebotd.conversation.evidence import TOLD_LATE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """`since` None: nothing. `turn_is_open`: the box detects a turn that goes on; `turn_ms`: how long others were."""

    since: Since | None = None
    turn_is_open: bool = False
    turn_ms: int = 0


def unheard(
    *,
    speech: Speech | None,
    unanswered: Unanswered | None,
    voice_since_s: float | None,
    key_since_s: float | None,
    local: bool,
) -> Unheard:
    """Return from when on everything must be heard again.

    `speech`: what the visitor is saying. `unanswered`: what is over and to be answered. `voice_since_s`: the first
    voice that the service may not have heard. `key_since_s`: the talk key is held, since then. `local`: the box detects
    the speech by itself.

    Where the service stamped the beginning, that is the place; where nobody did, the time when it was noticed.
    """
    times = [] if key_since_s is None else [key_since_s]
    places: list[int] = []
    if voice_since_s is not None and key_since_s is None:
        times.append(voice_since_s - TOLD_LATE_S)
    for began_s, start_ms in _beginnings(speech, unanswered, local=local):
        if start_ms is None:
            times.append(began_s)
        else:
            places.append(start_ms)
    since = Since(at_s=min(times, default=None), place_ms=min(places, default=None)) if times or places else None
    return Unheard(
        since=since,
        turn_is_open=local and speech is not None,
        turn_ms=0 if unanswered is None else unanswered.speech_ms,
    )


def _beginnings(speech: Speech | None, unanswered: Unanswered | None, *, local: bool) -> list[tuple[float, int | None]]:
    found = []
    if speech is not None:
        found.append((speech.began_s - TOLD_LATE_S, None if local else speech.start_ms))
    if unanswered is not None:
        found.append((unanswered.began_s, unanswered.start_ms))
    return found
