"""What the visitor does, event by event: speaks, stops, is understood. For the service's detection and the box's own.

Knows what each event means; what is decided about a speech is `floor.py`'s. A noise leaves no trace: its item is
deleted from the conversation, and its transcript is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from voicebotd.conversation import barge_in
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.context import Spoken
from voicebotd.conversation.deafness import Speech
from voicebotd.conversation.dialogue import Dialogue
from voicebotd.conversation.evidence import HANGOVER_S, TOLD_LATE_S
from voicebotd.conversation.floor import Floor
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.noises import Noises
from voicebotd.conversation.responses import Request
from voicebotd.conversation.standing import Standing

MIN_COMMIT_MS = 100
"""The service refuses to commit less audio (`input_audio_buffer_commit_empty`)."""


class Visitor:
    """One conversation's visitor. Events in, effects out."""

    def __init__(self, ids: Ids, standing: Standing, dialogue: Dialogue, floor: Floor) -> None:
        self._ids = ids
        self._standing = standing
        self._dialogue = dialogue
        self._floor = floor
        self._noises = Noises()
        self._heard_until_ms = -1
        self._judged_exists = False
        self._local_ms = 0
        """The length of the turn that was committed last, until its item is known."""

    # The service's detection.

    def speech_started(self, event: ev.SpeechStarted, now_s: float) -> list[fx.Effect]:
        crowded = event.audio_start_ms <= self._heard_until_ms
        speech = Speech(began_s=now_s, item_id=event.item_id, start_ms=event.audio_start_ms, crowded=crowded)
        if self._dialogue.responses.key_is_held:
            return []  # on its way when the key went down and the service's own detection was switched off
        self._name(event.item_id)
        told = self._told("speech_started", event.item_id)
        if self._floor.deafness.on:
            self._floor.deafness.sounds(speech)
            return [told, *self._dialogue.turns.visitor_began(event.item_id)]
        self._noises.forget(event.item_id)
        self._judged_exists = False
        return self._floor.begin(speech, told, service_interrupts=self._standing.service_interrupts)

    def speech_stopped(self, event: ev.SpeechStopped, now_s: float) -> list[fx.Effect]:
        if self._dialogue.responses.key_is_held:
            return []
        told = self._told("speech_stopped", event.item_id)
        self._heard_until_ms = event.audio_end_ms
        self._floor.judged_until_s = now_s
        deafness = self._floor.deafness
        judged, speech = self._floor.judged, deafness.tail or self._floor.speech
        if deafness.on:
            deafness.tail = None
            self._floor.quiet(now_s)
        if event.item_id == deafness.cut_off:
            return [told]  # what was said until then is answered already
        if judged is not None and not barge_in.is_turn(self._length_ms(judged, event, now_s), self._standing.barge_in):
            return [told, *self._noise(event.item_id)]
        began_ms = event.audio_end_ms if speech is None else speech.start_ms
        over = self._floor.take()
        length = self._dialogue.turns.visitor_spoke(event.item_id, max(0, event.audio_end_ms - began_ms))
        began_s = now_s if speech is None else speech.began_s
        spoken = Spoken(began_s=began_s - TOLD_LATE_S, start_ms=began_ms, end_ms=event.audio_end_ms)
        answer = self._floor.end_of_turn(spoken, service_answers=self._standing.service_answers)
        return [told, *over, *length, *answer]

    def _length_ms(self, speech: Speech, event: ev.SpeechStopped, now_s: float) -> int:
        told = barge_in.Told(
            start_ms=speech.start_ms,
            end_ms=event.audio_end_ms,
            wall_ms=round((now_s - speech.began_s) * 1000),
            crowded=speech.crowded,
            voiced_ms=self._floor.evidence.extent_ms(speech.began_s, now_s),
        )
        return barge_in.speech_ms(told, self._standing.detection)

    def _noise(self, item_id: str) -> list[fx.Effect]:
        self._noises.add(item_id)
        self._dialogue.responses.wait_for("noise")
        deleted = self.item_added(item_id) if self._judged_exists else []
        return [_turn("noise", item_id), *deleted, *self._floor.noise()]

    # The box's own detection.

    def local_turn_started(self, _: ev.LocalTurnStarted, now_s: float) -> list[fx.Effect]:
        if not self._standing.is_local or self._dialogue.responses.key_is_held:
            return []
        if self._floor.deafness.on:
            self._floor.deafness.sounds()
            return []
        self._floor.local = True
        return self._floor.begin(Speech(began_s=now_s), _turn("speech_started", None), service_interrupts=False)

    def local_turn_stopped(self, event: ev.LocalTurnStopped, now_s: float) -> list[fx.Effect]:
        """Commit the turn and have it answered. A noise is not committed, so no item of it ever exists."""
        if not self._floor.local:
            self._floor.quiet(now_s)  # what was cut off for its length, if anything was
            return []
        self._floor.local = False
        judged_before_s, self._floor.judged_until_s = self._floor.judged_until_s, now_s
        speech = self._floor.speech
        told = _turn("speech_stopped", None)
        clear = fx.ClearInput(event_id=self._ids.event())
        if self._floor.judged is not None and not barge_in.is_turn(event.speech_ms, self._standing.barge_in):
            return [told, clear, _turn("noise", None), *self._floor.noise()]
        over = self._floor.take()
        if event.speech_ms < MIN_COMMIT_MS:
            return [told, *over, clear, *self._floor.detection_anew()]
        self._local_ms = event.speech_ms
        commit = fx.CommitInput(event_id=self._ids.event())
        began_s = now_s - event.speech_ms / 1000 if speech is None else speech.began_s
        spoken = Spoken(began_s=max(began_s - TOLD_LATE_S, judged_before_s), speech_ms=event.speech_ms)
        return [told, *over, commit, *self._floor.end_of_turn(spoken, service_answers=False)]

    # The local detector's evidence.

    def voice_started(self, _: ev.VoiceStarted, now_s: float) -> list[fx.Effect]:
        self._floor.evidence.started(now_s)
        if self._floor.deafness.tail is None:
            self._floor.deafness.sounds()
        return []

    def voice_stopped(self, _: ev.VoiceStopped, now_s: float) -> list[fx.Effect]:
        """Perhaps also the end of a noise that was cut off, unless the service hears it still."""
        self._floor.evidence.stopped(now_s)
        if self._floor.deafness.tail is None:
            self._floor.deafness.quiet(now_s - HANGOVER_S)
        return []

    # What the service makes of it.

    def committed(self, event: ev.InputCommitted, _now_s: float) -> list[fx.Effect]:
        if self._is_no_turn(event.item_id):
            return self.item_added(event.item_id)
        self._name(event.item_id)
        local_ms, self._local_ms = self._local_ms, 0
        began = self._dialogue.turns.visitor_began(event.item_id)
        length = self._dialogue.turns.visitor_spoke(event.item_id, local_ms) if local_ms else []
        return [self._told("committed", event.item_id), *began, *length]

    def _told(self, what: str, item_id: str) -> fx.Effect:
        return _turn(what, self._dialogue.turns.name(item_id))

    def _name(self, item_id: str) -> None:
        """What comes after a speech was cut off, or begun anew, is that speech, whatever the service calls it."""
        cut_off, self._floor.uncommitted = self._floor.uncommitted, ""
        if cut_off:
            self._dialogue.turns.rename(item_id, cut_off)

    def item_added(self, item_id: str) -> list[fx.Effect]:
        """An item exists now: if it is a noise's, delete it."""
        judged = self._floor.judged
        self._judged_exists = self._judged_exists or (judged is not None and judged.item_id == item_id)
        due = self._noises.exists(item_id)
        if not due:
            return []
        deleted = fx.DeleteItem(event_id=self._ids.event(), item_id=item_id)
        return [deleted, *self._dialogue.responses.in_order("noise")]

    def timed_out(self, event: ev.InputTimedOut, _now_s: float) -> list[fx.Effect]:
        """The service commits the silence and answers it by itself, whatever it was told about creating responses.

        One that was told to create none may keep to that, so the box creates the answer if none comes in time.
        """
        otherwise = None if self._standing.service_answers else Request(event_id=self._ids.event())
        self._dialogue.responses.expect(otherwise)
        return [_turn("idle_timeout", event.item_id)]

    def transcript(self, event: ev.UserTranscriptDelta, _now_s: float) -> list[fx.Effect]:
        if self._is_no_turn(event.item_id):
            return []
        item_id = self._dialogue.turns.name(event.item_id)
        data = {"item_id": item_id, "role": "user", "delta": event.delta, "final": False}
        return [fx.Publish(topic="transcript", data=data)]

    def transcribed(self, event: ev.UserTranscriptDone, _now_s: float) -> list[fx.Effect]:
        if self._is_no_turn(event.item_id):
            return []
        return self._dialogue.turns.visitor_said(event.item_id, event.transcript)

    def transcript_failed(self, event: ev.UserTranscriptFailed, _now_s: float) -> list[fx.Effect]:
        if self._is_no_turn(event.item_id):
            return []
        told = fx.Publish(topic="error", data={"code": "transcription_failed", "message": event.message})
        return [told, *self._dialogue.turns.visitor_unintelligible(event.item_id)]

    def _is_no_turn(self, item_id: str) -> bool:
        """A noise's item, or one of which it is not decided: a transcript comes after the end of its speech."""
        judged = self._floor.judged
        return item_id in self._noises or (judged is not None and judged.item_id == item_id)

    def lost(self) -> None:
        """The session is gone, and with it its items and its clock."""
        self._noises = Noises()
        self._heard_until_ms, self._local_ms = -1, 0

    def handle(self, event: ev.Event, now_s: float) -> list[fx.Effect]:
        """Take an event that is about nothing but what the visitor does (`HANDLES`)."""
        return self._HANDLERS[type(event)](self, event, now_s)

    _HANDLERS: ClassVar[dict[type[ev.Event], Callable[[Visitor, Any, float], list[fx.Effect]]]] = {
        ev.SpeechStarted: speech_started,
        ev.SpeechStopped: speech_stopped,
        ev.LocalTurnStarted: local_turn_started,
        ev.LocalTurnStopped: local_turn_stopped,
        ev.VoiceStarted: voice_started,
        ev.VoiceStopped: voice_stopped,
        ev.InputCommitted: committed,
        ev.InputTimedOut: timed_out,
        ev.UserTranscriptDelta: transcript,
        ev.UserTranscriptDone: transcribed,
        ev.UserTranscriptFailed: transcript_failed,
    }
    HANDLES: ClassVar[frozenset[type[ev.Event]]] = frozenset(_HANDLERS)


def _turn(event: str, item_id: str | None) -> fx.Effect:
    return fx.Publish(topic="turn", data={"event": event, "item_id": item_id})
