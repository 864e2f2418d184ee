"""How the box listens: when the microphone is open to the service, what the local detector tells, sleep and waking.

Decides who hears what. A turn's beginning and end are `floor.py`'s; links are opened and closed by `core.py`.
"""

from __future__ import annotations

from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.doze import Doze
from voicebotd.conversation.ears import Ears
from voicebotd.conversation.floor import Floor
from voicebotd.conversation.policy import Policy
from voicebotd.conversation.standing import Standing
from voicebotd.conversation.states import NEEDS_SESSION, State
from voicebotd.conversation.visitor import Visitor

DETECTION_MS = 200
"""How long the local detector needs to notice a voice: 70 ms (median) to its first sure frame, 30 more to the next, and
the rest for what waits before us. Too much costs nothing but silence."""


class Listening:
    """Ears that doze when nobody speaks."""

    def __init__(self, policy: Policy, standing: Standing) -> None:
        self._policy = policy
        self._standing = standing
        self._doze = Doze()
        self._ears = Ears(held=policy.hold_input != "never")

    @property
    def dozing(self) -> bool:
        return self._doze.on

    def end(self) -> None:
        """There is no conversation any more."""
        self._doze = Doze()

    def fall_asleep(self) -> None:
        """Nobody spoke for long: the session is closed, and the box listens by itself."""
        self._doze.fall_asleep()

    def stir(self, event: ev.Event, now_s: float) -> bool:
        """Take note of what happens while the box dozes or wakes; say whether it wakes now."""
        if not (self._doze.on or self._doze.waking):
            return False
        match event:
            case ev.LocalTurnStarted():
                self._doze.turn_began()
            case ev.LocalTurnStopped(speech_ms=speech_ms):
                self._doze.turn_ended(speech_ms)
                return False
            case ev.VoiceStarted():
                pass
            case _ if type(event) not in NEEDS_SESSION:
                return False
        if not self._doze.on:
            return False
        self._doze.wake(now_s)
        return True

    def tell_what_was_heard(self, visitor: Visitor, now_s: float) -> list[fx.Effect]:
        """A session is there. Where the box detects turns by itself, it is told of those that came while it was opened.

        Where the service detects them, it finds them in what was kept, which it is sent when the microphone opens.
        """
        if not self._standing.is_local or not (self._doze.turn_is_open or self._doze.turn_ms):
            return []
        began = visitor.handle(ev.LocalTurnStarted(), now_s)
        if self._doze.turn_is_open:
            return began
        opened = fx.OpenMicrophone(open=True, preroll_ms=self._doze.kept_ms(now_s, self._margin_ms))
        ended = visitor.handle(ev.LocalTurnStopped(speech_ms=self._doze.turn_ms), now_s)
        return [opened, *began, *ended, fx.OpenMicrophone(open=False)]

    def keep(self, state: State, floor: Floor, *, ready: bool, talking: bool, now_s: float) -> list[fx.Effect]:
        """Follow the state. `talking`: the talk key is held."""
        microphone = ready and (talking or floor.local or not self._hears_turns_only)
        preroll_ms = self._margin_ms if floor.local else 0
        if ready and self._doze.waking:
            preroll_ms = self._doze.kept_ms(now_s, self._margin_ms)
        detect = self._detect(ready=ready, talking=talking)
        if not detect.voice:
            floor.evidence.silence()
        unheard = self._policy.hold_input != "never" and state in (State.OFF, State.CONNECTING)
        answering = state in (State.THINKING, State.SPEAKING)
        hold = unheard or (self._policy.hold_input == "while_answering" and answering)
        if ready:
            self._doze.ready()
        return self._ears.keep(microphone=microphone, preroll_ms=preroll_ms, detect=detect, hold=hold)

    @property
    def _hears_turns_only(self) -> bool:
        """A file without any detection is one turn, so all of it is heard."""
        if self._standing.is_local:
            return True
        return self._standing.turn_detection.type == "none" and self._policy.source != "file"

    @property
    def _margin_ms(self) -> int:
        return self._standing.turn_detection.prefix_padding_ms + DETECTION_MS

    def _detect(self, *, ready: bool, talking: bool) -> fx.Detect:
        """What the local detector is to tell. With push to talk no voice wakes the box: that takes the key."""
        asleep = self._doze.on or self._doze.waking
        detection = self._standing.turn_detection
        voice = (asleep and detection.type != "none") or (ready and self._standing.barge_in.mode == "confirm")
        local = not talking and (self._standing.is_local or (asleep and detection.type == "local"))
        rule = fx.TurnRule(threshold=detection.threshold, silence_duration_ms=detection.silence_duration_ms)
        return fx.Detect(voice=voice, turns=rule if local else None)
