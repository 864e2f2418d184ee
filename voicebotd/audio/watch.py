"""Judges the audio process by its signs of life, and says when to try again. PURE: time and chance are arguments.

Only callbacks that stop coming show that a stream died: PortAudio's `active` stays True and no error comes when a
sound server freezes or a card is pulled.
"""

from __future__ import annotations

import math
import random
from typing import Literal

OPEN_DEADLINE_S = 3.0
"""From asking to open until both callbacks ran. Opening takes under 0.3 s, or hangs in a frozen sound server."""
SILENCE_DEADLINE_MS = 300
"""Both callbacks must come at least this often; the worst gap of a healthy stream under load was 51 ms."""
BEAT_DEADLINE_S = 0.5
"""Five heartbeats missed: the audio process itself is frozen."""
STEADY_S = 2.0
"""A stream that lived so long was a success: the back-off begins anew."""

REOPEN_LIMIT = 100
"""Attempts in one process. Each leaks 12 KB inside alsa-lib where there is no card (measured, 1.2.8)."""

PATIENCE = 10
"""How much longer a file may be silent than a sound card: its clock waits, and begun anew it would say things twice."""

Verdict = Literal["well", "reopen", "worn_out", "opening_hangs", "silent", "frozen"]


class Watch:
    """One audio process, from its spawn to its end."""

    def __init__(self) -> None:
        self._open_by_s = math.inf
        self._reopen_at_s = math.inf
        self._attempts = 0
        self._patience = 1
        self._beat_by_s = math.inf
        self._silent = False

    def opening(self, now_s: float, *, patient: bool = False) -> None:
        """It was asked to open. `patient`: what it opens can wait, so a busy machine is no reason to begin anew."""
        self._patience = PATIENCE if patient else 1
        self._attempts += 1
        self._open_by_s = now_s + OPEN_DEADLINE_S
        self._reopen_at_s = math.inf

    def open_failed(self, now_s: float, *, retry_in_s: float) -> None:
        """It answered that it cannot open; it lives and can be asked again."""
        self._open_by_s = math.inf
        self._reopen_at_s = now_s + retry_in_s

    def heartbeat(self, *, silent_ms: int, now_s: float) -> None:
        """It lives, and its callbacks were last called `silent_ms` ago. The first one says that the stream runs."""
        self._open_by_s = math.inf
        self._beat_by_s = now_s + BEAT_DEADLINE_S * self._patience
        self._silent = silent_ms > SILENCE_DEADLINE_MS * self._patience

    def verdict(self, now_s: float) -> Verdict:
        if now_s >= self._open_by_s:
            return "opening_hangs"
        if now_s >= self._reopen_at_s:
            return "reopen" if self._attempts < REOPEN_LIMIT else "worn_out"
        if self._silent:
            return "silent"
        return "frozen" if now_s >= self._beat_by_s else "well"


class Retry:
    """How long to wait before the next attempt: full jitter over a ceiling that doubles.

    For the first minute the ceiling stays low, so that sound is back within a second of a sound server that is being
    restarted; a box without a sound card is then asked less often. An attempt costs 10 to 30 ms of CPU.
    """

    FLOOR_S = 0.05
    FIRST_CEILING_S = 0.1
    QUICK_CEILING_S = 0.5
    SLOW_CEILING_S = 5.0
    QUICK_FOR_S = 60.0

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._attempts = 0
        self._failing_since_s: float | None = None

    def failed(self, now_s: float) -> float:
        """One more failure: the seconds to wait."""
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        patient = now_s - self._failing_since_s >= self.QUICK_FOR_S
        ceiling_s = min(
            self.SLOW_CEILING_S if patient else self.QUICK_CEILING_S, self.FIRST_CEILING_S * 2 ** min(self._attempts, 8)
        )
        self._attempts += 1
        return self._rng.uniform(self.FLOOR_S, ceiling_s)

    def ended(self, *, lived_s: float) -> None:
        """A stream ended after it had lived `lived_s`; one that lived long enough had been a success."""
        if lived_s >= STEADY_S:
            self._attempts = 0
            self._failing_since_s = None
