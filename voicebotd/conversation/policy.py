"""What the owner of the box decided before the conversation began. Plain data, stdlib only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from voicebotd.conversation.budget import Limits, NoTariff, Tariff
from voicebotd.conversation.effects import FunctionTool
from voicebotd.conversation.events import (
    BargeIn,
    Speaker,
    TurnDetection,
)

HoldInput = Literal["never", "until_connected", "while_answering"]
"""A microphone is never held. A file waits until it is heard; one that is sent faster than real time also waits for
each answer, as a visitor would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The configured behaviour; what people change while the daemon runs lives in `standing.py`."""

    instructions: str
    turn_detection: TurnDetection
    barge_in: BargeIn = field(default_factory=BargeIn)
    tools: tuple[FunctionTool, ...] = ()
    speaks_first: Speaker = "user"
    greeting: str = ""
    provider: str = ""
    source: str = "microphone"
    hold_input: HoldInput = "never"
    """When a file in the place of the microphone waits."""

    confirm_within_s: float = 5.0
    """How long a change may take to be confirmed; the service answers within one round trip."""
    answer_within_s: float = 8.0
    """After this long without `response.created` the answer that was due is given up."""
    begins_within_s: float = 12.0
    """An active response of which nothing came for this long is not made. A model that thinks hard takes longer."""
    signs_within_s: float = 15.0
    """One of which nothing more came for this long has stopped."""
    longest_talk_s: float = 60.0
    """Push to talk is let go after this long: whoever held the key may be gone, and nobody else could be heard."""
    longest_speech_s: float = 60.0
    """After this long what was said is answered: a radio that plays on must not hold the box."""
    idle_hangup_s: float | None = None
    """After this long in which nobody spoke the session, which is paid for, is closed until a voice is heard."""
    limits: Limits = field(default_factory=Limits)
    tariff: Tariff = field(default_factory=NoTariff)
    farewell_within_s: float = 120.0
    """When a cap is reached: after so long the conversation ends even if something is still being said."""
    fill_after_s: float = 2.0
    """After so long a silence while a function runs the visitor is told that it takes a while."""
    approve_within_s: float = 30.0
    """How long a call that the service makes waits for somebody's approval."""
    context_turns: int = 20
    """How many turns a new session is told of what was said before it."""
    limit_s: float = 5.0
    """How long to wait where the rate limit is reached and the service does not say until when."""
    longest_limit_s: float = 60.0
    """A rate limit that asks for more is asked again all the same."""
    file_failures: int = 5
    """A file waits for a lost session no longer than so many attempts: who processes it wants an answer."""
    quiet_after_input_s: float = 1.5
    """When a file has ended: silence beyond `silence_duration_ms` after which nobody will speak any more."""
