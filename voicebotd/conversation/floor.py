"""Who has the floor: the visitor, the reply, or both for a moment, until it is decided.

Owns the speech that goes on and everything that is decided about it: turn or noise, too long, unheard. The rule is in
`barge_in.py`, the shape of the reply meanwhile in `overlap.py`, what an interruption does to it in `dialogue.py`; which
event means what is `visitor.py`'s.

A turn is recorded when it is known to be one. Over a reply that is decided late, and of a noise nothing is recorded.
"""

from __future__ import annotations

from math import inf

from voicebotd.conversation import barge_in
from voicebotd.conversation import effects as fx
from voicebotd.conversation.context import Spoken
from voicebotd.conversation.deafness import Deafness, Speech
from voicebotd.conversation.dialogue import Dialogue
from voicebotd.conversation.evidence import TOLD_LATE_S, Evidence
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.overlap import Overlap
from voicebotd.conversation.responses import Request
from voicebotd.conversation.standing import Standing
from voicebotd.conversation.timers import Timers

CONFIRM = "overlap.confirm"
DEAF = "deaf"
EVIDENCE = "overlap.evidence"
LATEST = "overlap.latest"
RESUME = "overlap.resume"
SPEECH = "speech"
TIMERS = frozenset({CONFIRM, DEAF, EVIDENCE, LATEST, RESUME, SPEECH})

LONGEST_UNJUDGED_S = 60.0
SOON_S = 0.001
"""A timer may fire this much early."""


class Floor:
    """One conversation's floor. `longest_speech_s`: after that long a speech is cut off and answered."""

    def __init__(self, ids: Ids, standing: Standing, dialogue: Dialogue, *, longest_speech_s: float) -> None:
        self._ids = ids
        self._standing = standing
        self._dialogue = dialogue
        self._longest_speech_s = longest_speech_s
        self._timers = Timers()
        self._overlap = Overlap()
        self.evidence = Evidence()
        self.speech: Speech | None = None
        self.local = False
        """Whether the speech was detected by the box: the microphone is open for as long as it lasts."""
        self.deafness = Deafness()
        self.uncommitted = ""
        """A recorded speech of which the service has yet to make an item, under the announced name or another."""
        self.judged_until_s = -inf
        """Of everything that was heard until then it is decided what it was."""

    @property
    def visitors(self) -> bool:
        """The visitor speaks, or made a noise and may go on."""
        return self._dialogue.visitor_speaks or self._overlap.resuming

    @property
    def judged(self) -> Speech | None:
        """The speech of which it is not decided whether it is a turn."""
        return self.speech if self._overlap.judging else None

    def unjudged_ms(self, now_s: float) -> int:
        """How long it is since the visitor's last turn or noise was over: what came before that is dealt with."""
        return round(min(now_s - self.judged_until_s, LONGEST_UNJUDGED_S) * 1000)

    # What is decided.

    def begin(self, speech: Speech, told: fx.Effect, *, service_interrupts: bool) -> list[fx.Effect]:
        """Somebody speaks. Over a reply it may be a noise; with nothing to talk over it is a turn, however short."""
        dialogue, rule = self._dialogue, self._standing.barge_in
        self.speech = speech
        dialogue.visitor_speaks = True
        dialogue.responses.hold()
        if rule.mode == "confirm" and dialogue.in_play:
            return [told, *self._overlap.begin(sounding=dialogue.sounding, duck_db=rule.duck_db)]
        generating = dialogue.responses.generating
        plan = barge_in.speech_began(rule.mode, generating=generating, service_interrupts=service_interrupts)
        return [*dialogue.interrupt(plan), told, *self._release(), *self._record(speech)]

    def take(self) -> list[fx.Effect]:
        """What is judged is a turn: the reply is over. Nothing is judged: there is nothing to take."""
        speech = self.judged
        if speech is None:
            return []
        plan = barge_in.hard_stop(generating=self._dialogue.responses.generating)
        self._dialogue.owes_outputs = False
        return [*self._dialogue.interrupt(plan), *self._release(), *self._record(speech)]

    def noise(self) -> list[fx.Effect]:
        """It was no turn: the reply goes on after a moment, and what waited for the visitor's silence goes ahead."""
        self._overlap.noise()
        return self._silent()

    def _silent(self) -> list[fx.Effect]:
        self.speech = None
        return [*self._dialogue.settle_outputs(), *self._dialogue.end_of_speech(service_answers=False)]

    def end_of_turn(self, spoken: Spoken, *, service_answers: bool) -> list[fx.Effect]:
        """The turn is over and is answered, by the service or by us, unless answers are left to who asks for them.

        The service refuses its own answer while another response is being made; ours waits.
        """
        self.speech = None
        dialogue = self._dialogue
        dialogue.wants_answer(spoken)
        service_answers = service_answers and not dialogue.responses.generating
        dialogue.owes_outputs = False
        answer: list[fx.Effect] = []
        if not service_answers and self._standing.turn_detection.create_response:
            answer = dialogue.responses.answer(Request(event_id=self._ids.event()))
        return [*answer, *dialogue.end_of_speech(service_answers=service_answers)]

    def _too_long(self, now_s: float) -> list[fx.Effect]:
        """A radio must not hold the box: answer what was said so far.

        The service goes on hearing the rest, calls it a new speech, and would cancel the answer: so it keeps its hands
        off until the noise is over. What the box detects itself is not heard any more: its microphone closes.
        """
        speech = self.speech
        assert speech is not None
        effects = self.take()
        self.local, self.uncommitted = False, speech.item_id
        self.deafness.begin(speech.item_id)
        if self._standing.barge_in.mode == "confirm" and not self.evidence.sounding:
            self.deafness.quiet(now_s)
        told = fx.Publish(topic="turn", data={"event": "too_long", "item_id": speech.item_id or None})
        length = self._dialogue.turns.visitor_spoke(speech.item_id, round(self._longest_speech_s * 1000))
        hands_off = self._standing.hands_off(self._ids.event(), on=True)
        commit = fx.CommitInput(event_id=self._ids.event())
        spoken = Spoken(began_s=speech.began_s - TOLD_LATE_S, start_ms=speech.start_ms if speech.item_id else None)
        return [*effects, told, *length, *hands_off, commit, *self.end_of_turn(spoken, service_answers=False)]

    def quiet(self, now_s: float) -> None:
        """By the detection in force it is quiet. `semantic_vad` does not say for how long."""
        detection = self._standing.detection
        silence_ms = 0 if detection.type == "semantic_vad" else detection.silence_duration_ms
        if not self.evidence.sounding:
            self.deafness.quiet(now_s - silence_ms / 1000)

    def hear_again(self) -> list[fx.Effect]:
        """The noise that was cut off is over."""
        if not self.deafness.on:
            return []
        self.deafness.end()
        return self._standing.hands_off(self._ids.event(), on=False)

    def _hear_on(self) -> list[fx.Effect]:
        """There is nothing any more that the noise could interrupt: its rest is a speech like any other."""
        tail = self.deafness.tail
        if tail is not None:
            self.speech = tail
            self._dialogue.visitor_speaks = True
            self._dialogue.responses.hold()
        return self.hear_again()

    def _release(self) -> list[fx.Effect]:
        """Undo what was done to the reply; it goes on if there is anything left of it."""
        released = self._overlap.release(goes_on=self._dialogue.ledger.unfinished)
        return [*released, *self._dialogue.responses.in_order("noise")]

    def _record(self, speech: Speech) -> list[fx.Effect]:
        self._dialogue.visitor_says = speech.item_id
        return self._dialogue.turns.visitor_began(speech.item_id) if speech.item_id else []

    # What happens around it.

    def settle(self) -> list[fx.Effect]:
        """Look, after every event, whether there still is something to judge.

        A reply may be over while it is only ducked; then the speech is a turn, however short: a "yes" to the end of a
        question must not be taken for a cough. The mode may have been changed.
        """
        if self.local and not self._standing.is_local:
            return self.detection_anew()
        if self.deafness.on and not self._dialogue.in_play:
            return self._hear_on()
        if self.judged is None and not self._overlap.resuming:
            return []
        mode = self._standing.barge_in.mode
        if mode == "immediate" and self.judged is not None:
            return self.take()
        if mode != "confirm" or not self._dialogue.in_play:
            return self.stand_down()
        return []

    def stand_down(self) -> list[fx.Effect]:
        """Nothing is judged any more, and what is being said is a turn."""
        speech = self.judged
        return [*self._release(), *(self._record(speech) if speech is not None else [])]

    def stopped(self) -> list[fx.Effect]:
        """A person stopped the reply."""
        self._dialogue.owes_outputs = False
        return self.stand_down()

    def detection_anew(self) -> list[fx.Effect]:
        """Turn detection was changed: no end of this speech comes. If it goes on, it begins anew."""
        self.local = False
        if self.deafness.tail is not None:
            self.deafness.sounds()
        if self.speech is not None and not self._overlap.judging:
            self.uncommitted = self.speech.item_id
        return self.noise() if self._overlap.judging else self._silent()

    def lost(self) -> list[fx.Effect]:
        """No end of this speech comes, with the session gone or the talk key down. What plays goes on at once."""
        self.speech, self.local, self.uncommitted = None, False, ""
        return [*self._release(), *self.hear_again()]

    # Time.

    def keep_timers(self, now_s: float) -> list[fx.Effect]:
        rule, detection, judged = self._standing.barge_in, self._standing.detection, self.judged
        proof_due_s, deaf_until_s = self._proof_due_s(), self.deafness.due_s()
        latest_s = barge_in.latest_ms(rule, detection) / 1000
        speaking = self._dialogue.visitor_speaks and not self._dialogue.responses.key_is_held
        confirm, resume = judged is not None and not self._overlap.paused, self._overlap.resuming
        return [
            *self._timers.keep(CONFIRM, wanted=confirm, delay_s=rule.confirm_after_ms / 1000),
            *self._timers.keep(DEAF, wanted=deaf_until_s is not None, delay_s=_from_now_s(deaf_until_s, now_s)),
            *self._timers.keep(EVIDENCE, wanted=proof_due_s is not None, delay_s=_from_now_s(proof_due_s, now_s)),
            *self._timers.keep(LATEST, wanted=judged is not None, delay_s=latest_s),
            *self._timers.keep(RESUME, wanted=resume, delay_s=rule.resume_delay_ms / 1000),
            *self._timers.keep(SPEECH, wanted=speaking, delay_s=self._longest_speech_s),
        ]

    def fired(self, timer: str, now_s: float) -> list[fx.Effect]:
        if not self._timers.fired(timer):
            return []
        if timer == CONFIRM:
            return self._overlap.confirm()
        if timer == RESUME:
            return [*self._overlap.release(goes_on=True), *self._dialogue.responses.in_order("noise")]
        if timer == SPEECH:
            return self._too_long(now_s)
        due_s = self._proof_due_s() if timer == EVIDENCE else self.deafness.due_s() if timer == DEAF else now_s
        if due_s is None or due_s > now_s + SOON_S:
            return []  # a voice paused meanwhile, or sounded: the timer is set anew
        return self.hear_again() if timer == DEAF else self.take()

    def _proof_due_s(self) -> float | None:
        """When the evidence proves that what is judged is a turn, if the voice goes on."""
        if self.judged is None:
            return None
        return self.evidence.proof_due_s(self.judged.began_s, self._standing.barge_in.min_speech_ms / 1000)


def _from_now_s(due_s: float | None, now_s: float) -> float:
    return SOON_S if due_s is None else max(SOON_S, due_s - now_s)
