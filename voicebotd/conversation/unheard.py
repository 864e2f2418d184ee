"""Of what the visitor said, how much a session that is gone took with it. All of that rule, and nothing else.

Three things are unheard: a speech that goes on, turns that were to be answered, and voices of which the service said
nothing because it heard nothing. Pure: no clock, no state.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

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
    judged_until_s: float = -inf,
    local: bool,
) -> Unheard:
    """Return from when on everything must be heard again.

    `speech`: what the visitor is saying. `unanswered`: what is over and to be answered. `voice_since_s`: the first
    voice that the service may not have heard. `key_since_s`: the talk key is held, since then. `judged_until_s`: of
    what was heard before that it is decided what it was. `local`: the box detects the speech by itself.

    Where the service stamped the beginning, that is the place; where nobody did, the time when it was noticed.
    """
    times = [] if key_since_s is None else [key_since_s]
    places: list[int] = []
    if voice_since_s is not None and key_since_s is None:
        times.append(max(voice_since_s - TOLD_LATE_S, judged_until_s))
    if speech is not None and local:
        times.append(max(speech.began_s - TOLD_LATE_S, judged_until_s))
    elif speech is not None:
        places.append(speech.start_ms)
    if unanswered is not None and unanswered.start_ms is not None:
        places.append(unanswered.start_ms)
    elif unanswered is not None:
        times.append(unanswered.began_s)
    since = Since(at_s=min(times, default=None), place_ms=min(places, default=None)) if times or places else None
    return Unheard(
        since=since,
        turn_is_open=local and speech is not None,
        turn_ms=0 if unanswered is None else unanswered.speech_ms,
    )
