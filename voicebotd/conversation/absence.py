"""The time without a session: what the next one must hear of the visitor's words.

There is none while one is opened, after one was lost, and while the box sleeps because nobody talks to it. Owns from
when on the visitor was unheard. Where the box detects turns by itself, whole turns may pass meanwhile. Knows no link.
"""

from __future__ import annotations

from collections import deque

from voicebotd.conversation.effects import Since

KEPT_S = 30.0
"""Words that waited longer for a session are not replayed: whoever said them has asked again, or gone."""


class Absence:
    """`dozing`: no session is wanted, until somebody stirs."""

    MAX_MOMENTS = 128
    """Of the time that is kept; nobody begins to speak four times a second. The oldest is forgotten first."""

    def __init__(self) -> None:
        self.dozing = False
        self.turn_is_open = False
        self.turn_ms = 0
        self._moments: deque[tuple[float, Since]] = deque(maxlen=self.MAX_MOMENTS)
        """When it was noted that the visitor speaks, and since when."""

    def fall_asleep(self) -> None:
        self.dozing = True

    def wake(self) -> None:
        self.dozing = False

    def unheard(self, since: Since, now_s: float) -> None:
        """The visitor spoke from then on."""
        self._moments.append((now_s, since))

    def is_recent(self, now_s: float) -> bool:
        """Whether there is something to be heard that is worth an answer yet, and is still kept."""
        while self._moments and now_s - self._moments[0][0] > KEPT_S:
            self._moments.popleft()
        return bool(self._moments)

    @property
    def since(self) -> Since | None:
        """What came first counts, because the rest comes after it. None: nothing was said."""
        return self._moments[0][1] if self._moments else None

    def turn_began(self) -> None:
        self.turn_is_open = True

    def turn_ended(self, speech_ms: int) -> None:
        """Several turns become one: they are told together."""
        self.turn_is_open = False
        self.turn_ms += speech_ms

    def over(self) -> None:
        """A session is there, and was told."""
        self.turn_is_open, self.turn_ms = False, 0
        self._moments.clear()
