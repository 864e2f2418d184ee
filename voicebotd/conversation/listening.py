"""How the box listens: when the microphone is open to the service, what the local detector tells, sleep and waking.

Decides who hears what, and what a new session hears of the time before it. A turn's beginning and end are `floor.py`'s;
links are opened and closed by `core.py`.
"""

from __future__ import annotations

from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.absence import Absence
from voicebotd.conversation.ears import Ears
from voicebotd.conversation.floor import Floor
from voicebotd.conversation.policy import Policy
from voicebotd.conversation.standing import Standing
from voicebotd.conversation.states import NEEDS_SESSION, State
from voicebotd.conversation.unheard import Unheard
from voicebotd.conversation.visitor import Visitor

DETECTION_MS = 200
"""How long the local detector needs to notice a voice: 70 ms (median) to its first sure frame, 30 more to the next, and
the rest for what waits before us. Too much costs nothing but silence."""

LONGEST_GAP_MS = 10_000
"""Of what is heard between two sessions the first of which goes on after all."""


class Listening:
    """Ears that doze when nobody speaks."""

    def __init__(self, policy: Policy, standing: Standing) -> None:
        self._policy = policy
        self._standing = standing
        self._absence = Absence()
        self._ears = Ears(held=policy.hold_input != "never")

    @property
    def dozing(self) -> bool:
        return self._absence.dozing

    def words_follow(self, now_s: float) -> bool:
        """Whether a session that is there now is going to hear something that the visitor said before it."""
        if not self._absence.is_recent(now_s):
            self._absence.over()
        return self._absence.since is not None

    def begin(self) -> None:
        """A conversation begins, or there is none any more."""
        self._absence = Absence()

    def fall_asleep(self) -> None:
        """Nobody spoke for long: the session is closed, and the box listens by itself."""
        self._absence.fall_asleep()

    def lost(self, unheard: Unheard, now_s: float) -> None:
        """There is no session any more; this is what the next one must hear."""
        if unheard.since is not None:
            self._absence.unheard(unheard.since, now_s)
        if unheard.turn_is_open:
            self._absence.turn_began()
        self._absence.turn_ms += unheard.turn_ms

    def stir(self, event: ev.Event, now_s: float, *, judged_until_s: float) -> bool:
        """Take note of what happens while there is no session; say whether a box that dozed wakes now.

        `judged_until_s`: of what was heard until then it is decided what it was.
        """
        match event:
            case ev.LocalTurnStopped(speech_ms=speech_ms):
                self._absence.turn_ended(speech_ms)
                return False
            case ev.VoiceStarted() | ev.LocalTurnStarted():
                if isinstance(event, ev.LocalTurnStarted):
                    self._absence.turn_began()
                since_s = max(now_s - self._margin_ms / 1000, judged_until_s)
                self._absence.unheard(fx.Since(at_s=since_s), now_s)
            case _ if type(event) not in NEEDS_SESSION:
                return False
        woken = self._absence.dozing
        self._absence.wake()
        return woken

    def tell_what_was_heard(self, visitor: Visitor, now_s: float) -> list[fx.Effect]:
        """A session is there. Where the box detects turns by itself, it is told of those that came before it was.

        Where the service detects them, it finds them in what was kept, which it is sent when the microphone opens.
        """
        self._ears.new_session()
        if not self._standing.is_local or not (self._absence.turn_is_open or self._absence.turn_ms):
            return []
        began = visitor.handle(ev.LocalTurnStarted(), now_s)
        if self._absence.turn_is_open:
            return began
        opened = self._ears.open(self._margin_ms, self._absence.since)
        ended = visitor.handle(ev.LocalTurnStopped(speech_ms=self._absence.turn_ms), now_s)
        return [opened, *began, *ended, fx.OpenMicrophone(open=False)]

    def open_again(self) -> list[fx.Effect]:
        """The shell closed it for a session that did not come: open it, with what was heard meanwhile."""
        return self._ears.open_again(LONGEST_GAP_MS)

    def open_once(self) -> list[fx.Effect]:
        """Have a new session hear what was kept, and nothing of what follows."""
        return [self._ears.open(0, self._absence.since)]

    def keep(self, state: State, floor: Floor, *, ready: bool, talking: bool, now_s: float) -> list[fx.Effect]:
        """Follow the state. `talking`: the talk key is held."""
        microphone = ready and (talking or floor.local or not self._hears_turns_only)
        detect = self._detect(state, ready=ready, talking=talking)
        if not detect.voice:
            floor.evidence.silence()
        unheard = self._policy.hold_input != "never" and state in (State.OFF, State.CONNECTING)
        answering = state in (State.THINKING, State.SPEAKING)
        hold = unheard or (self._policy.hold_input == "while_answering" and answering)
        since = self._absence.since
        if ready:
            self._absence.over()
        preroll_ms = (
            0 if talking else self._margin_ms if floor.local else min(self._margin_ms, floor.unjudged_ms(now_s))
        )
        return self._ears.keep(microphone=microphone, preroll_ms=preroll_ms, since=since, detect=detect, hold=hold)

    @property
    def _hears_turns_only(self) -> bool:
        """A file without any detection is one turn, so all of it is heard."""
        if self._standing.is_local:
            return True
        return self._standing.turn_detection.type == "none" and self._policy.source != "file"

    @property
    def _margin_ms(self) -> int:
        return self._standing.turn_detection.prefix_padding_ms + DETECTION_MS

    def _detect(self, state: State, *, ready: bool, talking: bool) -> fx.Detect:
        """What the local detector is to tell. With push to talk no voice matters: that takes the key.

        Voices are told also where nothing depends on them yet: a link that dies silently is noticed seconds later, and
        what the visitor said meanwhile is known by nothing else.
        """
        on, detection = state is not State.OFF, self._standing.turn_detection
        voice = on and (detection.type != "none" or (ready and self._standing.barge_in.mode == "confirm"))
        local = not talking and (self._standing.is_local or (on and not ready and detection.type == "local"))
        rule = fx.TurnRule(threshold=detection.threshold, silence_duration_ms=detection.silence_duration_ms)
        return fx.Detect(voice=voice, turns=rule if local else None)
