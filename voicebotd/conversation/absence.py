"""The time without a session: what the next one must hear of the visitor's words.

There is none while one is opened, after one was lost, and while the box sleeps because nobody talks to it. Owns from
when on the visitor was unheard. Where the box detects turns by itself, whole turns may pass meanwhile. Knows no link.
"""

from __future__ import annotations

from voicebotd.conversation.effects import Since

KEPT_S = 30.0
"""Words that waited longer for a session are not replayed: whoever said them has asked again, or gone."""


class Absence:
    """`dozing`: no session is wanted, until somebody stirs."""

    def __init__(self) -> None:
        self.dozing = False
        self.turn_is_open = False
        self.turn_ms = 0
        self.since: Since | None = None
        """None: nothing was said."""
        self._noted_s = 0.0

    def fall_asleep(self) -> None:
        self.dozing = True

    def wake(self) -> None:
        self.dozing = False

    def unheard(self, since: Since, now_s: float) -> None:
        """The visitor spoke from then on. What came first counts: the rest comes after it."""
        if self.since is None:
            self.since, self._noted_s = since, now_s

    def is_recent(self, now_s: float) -> bool:
        """Whether there is something to be heard that is worth an answer yet, and is still kept."""
        return self.since is not None and now_s - self._noted_s <= KEPT_S

    def turn_began(self) -> None:
        self.turn_is_open = True

    def turn_ended(self, speech_ms: int) -> None:
        """Several turns become one: they are told together."""
        self.turn_is_open = False
        self.turn_ms += speech_ms

    def over(self) -> None:
        """A session is there, and was told."""
        self.since, self.turn_is_open, self.turn_ms = None, False, 0
