"""A service, a loudspeaker and a visitor around a conversation: they obey its effects at once, and check them.

Owns what each of them does when it is told to. Who does what when is for the tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from errands import Errands
from talkbox import PCM_100_MS, PREFIX_MS, SILENCE_MS, Box, part

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.states import State

STEP_MS = 50


@dataclass(slots=True)
class Reply:
    """One spoken item of a response as the service makes it; the first of it, or one after another was complete."""

    response_id: str
    item_id: str
    output_index: int = 0
    received_ms: int = 0
    heard_ms: int = 0
    done: bool = False
    cancelled: bool = False


@dataclass(slots=True)
class World:
    """The conversation and all that is around it. Every effect is obeyed at once, and checked."""

    box: Box
    replies: dict[str, Reply] = field(default_factory=dict)
    active: Reply | None = None
    playing: list[str] = field(default_factory=list)
    sounding: bool = False
    shape: tuple[float, bool] = (0.0, False)
    linked: bool = True
    speech: tuple[str, int, int] | None = None
    """Item, where it begins and ends in the stream (without padding and silence)."""
    speeches: int = 0
    commits: int = 0
    noises: set[str] = field(default_factory=set)
    turns: set[str] = field(default_factory=set)
    """As people are told of them: a speech that begins anew keeps its name."""
    deleted: list[str] = field(default_factory=list)
    truncated: list[str] = field(default_factory=list)
    unanswered: str = ""
    errands: Errands = field(default_factory=Errands)
    created: int = 0
    due: int = 0
    """How many responses somebody or something asked for."""

    # What the conversation does.

    def do(self, *events: ev.Event) -> None:
        for event in events:
            self.obey(self.box.do(event))

    def obey(self, effects: list[fx.Effect]) -> None:  # noqa: C901 (one flat case for each effect)
        for effect in effects:
            if self.linked or not isinstance(effect, fx.ToService):
                self.errands.note(effect)
            match effect:
                case fx.ShapePlayout():
                    assert (effect.gain_db, effect.paused) != self.shape, "a shape is told when it changes"
                    self.shape = (effect.gain_db, effect.paused)
                case fx.Play():
                    assert not self.replies[effect.item_id].cancelled, "nothing of a cancelled response is played"
                    self.playing.append(effect.item_id)
                case fx.Flush():
                    self.flush(effect.token)
                case fx.CreateResponse() if self.linked:
                    self.create(effect.metadata)
                case fx.CreateFunctionCall() if self.linked:
                    self.due += 1  # this session is told of the call, and goes on with it
                case fx.CreateFunctionOutput() if self.linked:
                    self.do(ev.ItemAdded(item_id=effect.item_id, item_type="function_call_output"))
                case fx.CancelResponse() if self.linked:
                    self.cancel()
                case fx.DeleteItem() if self.linked:
                    self.deleted.append(effect.item_id)
                case fx.TruncateItem() if self.linked:
                    self.truncated.append(effect.item_id)
                case fx.CommitInput() if self.linked:
                    self.commit()
                case fx.UpdateSession() if self.linked and effect.turn_detection is not None:
                    self.confirm()
                case fx.Publish(topic="turn", data={"event": "noise", "item_id": str(item_id)}):
                    assert item_id not in self.turns
                    self.noises.add(item_id)
                case fx.Publish(topic="turn", data={"event": "committed", "item_id": item_id}):
                    self.turns.add(item_id)

    def flush(self, token: int) -> None:
        cut = [self.replies[item] for item in dict.fromkeys(self.playing)]
        partly = [reply.item_id for reply in cut if reply.heard_ms > 0 and not self.heard_whole(reply)]
        self.playing.clear()
        self.sounding = False
        before, deleted_before = len(self.truncated), len(self.deleted)
        heard = tuple(part(reply.item_id, reply.heard_ms) for reply in self.replies.values())
        self.do(ev.PlayoutFlushed(token=token, heard=heard))
        if self.linked and self.box.state is not State.OFF:
            told = self.truncated[before:]
            assert len(told) <= 1
            assert set(partly) <= set(told) or not partly, "what was partly heard is truncated, once"
            unheard = [reply.item_id for reply in cut if not reply.heard_ms]
            assert sorted(self.deleted[deleted_before:]) == sorted(unheard), "what nobody heard is deleted, once"

    def heard_whole(self, reply: Reply) -> bool:
        return reply.done and reply.heard_ms >= reply.received_ms

    # What the service does.

    def create(self, metadata: dict[str, str]) -> None:
        assert self.active is None, "never two responses at once"
        number = len(self.replies) + 1
        self.active = Reply(response_id=f"r{self.created + 1}", item_id=f"a{number}")
        self.replies[self.active.item_id] = self.active
        self.created += 1
        self.unanswered = ""
        reply = self.active
        self.do(ev.ResponseCreated(response_id=reply.response_id, metadata=metadata))
        if self.active is reply:
            self.add_item(reply)

    def add_item(self, reply: Reply) -> None:
        added = {"response_id": reply.response_id, "item_id": reply.item_id, "output_index": reply.output_index}
        self.do(ev.OutputItemAdded(**added, item_type="message"))

    def next_item(self) -> None:
        """The response goes on with another item: a preamble is followed by the answer."""
        before = self.active
        if before is None or not before.received_ms:
            return
        before.done = True
        index = before.output_index + 1
        item_id = f"a{len(self.replies) + 1}"
        self.active = Reply(response_id=before.response_id, item_id=item_id, output_index=index)
        self.replies[item_id] = self.active
        self.do(ev.AudioDone(response_id=before.response_id, item_id=before.item_id, content_index=0))
        if self.active is not None and self.active.item_id == item_id:
            self.add_item(self.active)

    def cancel(self) -> None:
        if self.active is not None:
            for reply in self.replies.values():
                reply.cancelled = reply.cancelled or reply.response_id == self.active.response_id
            self.generate(1)  # it was on its way
            self.end("cancelled")

    def end(self, status: Any, *, calls: int = 0, last_ms: int = 0) -> None:
        """A response is over, with `calls` of functions that take `last_ms` and more."""
        if self.active is None:
            return
        reply, self.active = self.active, None
        reply.done = True
        self.due += status == "failed"  # it is asked for once more
        same = {"response_id": reply.response_id, "item_id": reply.item_id}
        self.due += calls > 0
        for call_id in self.errands.call(reply.item_id, calls, last_ms):
            self.do(ev.FunctionCalled(**{**same, "item_id": "f"}, call_id=call_id, name="f", arguments="{}"))
        self.do(ev.ResponseDone(response_id=reply.response_id, status=status))

    def generate(self, deltas: int) -> None:
        reply = self.active
        for _ in range(deltas):
            if reply is not None and self.active is reply:
                reply.received_ms += 100
                same = {"response_id": reply.response_id, "item_id": reply.item_id}
                self.do(ev.AudioDelta(**same, output_index=reply.output_index, content_index=0, pcm=PCM_100_MS))

    def confirm(self) -> None:
        """A change of turn detection begins detection anew: a speech that goes on is a new one."""
        self.obey(self.box.confirmed())
        if self.speech is not None:
            _, _, end_ms = self.speech
            self.speech = None
            if end_ms > self.box.stream_ms:
                self.speak(end_ms - self.box.stream_ms)

    def commit(self) -> None:
        """The box says what a turn is. The service gives it a name of its own, and the rest is another speech."""
        self.commits += 1
        self.due += 1
        self.unanswered = item = f"c{self.commits}"
        speech, self.speech = self.speech, None
        before = len(self.turns)
        self.do(ev.InputCommitted(item_id=item), ev.ItemAdded(item_id=item, item_type="message", role="user"))
        assert len(self.turns) == before + 1
        self.do(ev.UserTranscriptDone(item_id=item, transcript="and"))
        if speech is not None and speech[2] > self.box.stream_ms:
            self.speak(speech[2] - self.box.stream_ms)

    # What the visitor does, as the service hears it.

    def speak(self, ms: int) -> None:
        if self.speech is not None or not self.linked or self.box.core.snapshot().talking:
            return
        self.speeches += 1
        item, now_ms = f"u{self.speeches}", self.box.stream_ms
        self.speech = (item, now_ms, now_ms + ms)
        detection = self.box.session.turn_detection
        assert detection is not None, "it is only off while the key is held"
        self.do(ev.SpeechStarted(item_id=item, audio_start_ms=now_ms - PREFIX_MS))
        if detection.interrupt_response:
            self.cancel()

    def stop_speaking(self) -> None:
        assert self.speech is not None
        (item, _, end_ms), self.speech = self.speech, None
        detection = self.box.session.turn_detection
        assert detection is not None
        self.due += 1
        self.unanswered = item
        self.do(ev.SpeechStopped(item_id=item, audio_end_ms=end_ms + SILENCE_MS))
        if item in self.noises:
            self.unanswered = ""
        before = len(self.turns)
        self.do(ev.InputCommitted(item_id=item))
        assert len(self.turns) - before == (0 if item in self.noises else 1), "a turn or a noise, and the turn is new"
        self.do(ev.ItemAdded(item_id=item, item_type="message", role="user"))
        self.do(ev.UserTranscriptDone(item_id=item, transcript="well"))
        if detection.create_response and self.active is None:
            self.create({})

    # Time.

    def wait(self, ms: int) -> None:
        for _ in range(ms // STEP_MS):
            self.obey(self.box.wait(STEP_MS))
            self.play(STEP_MS)
            self.work(STEP_MS)
            if self.speech is not None and self.box.stream_ms >= self.speech[2] + SILENCE_MS:
                self.stop_speaking()

    def work(self, ms: int) -> None:
        """The functions, which come to their end whatever else happens."""
        for call_id in self.errands.pass_time(ms):
            self.do(ev.ToolFinished(call_id=call_id, output="done", status="completed"))

    def play(self, ms: int) -> None:
        """The loudspeaker, which knows no more than what was given to it."""
        if self.shape[1]:
            return
        if not self.playing:
            if self.sounding:
                self.sounding = False
                self.do(ev.PlayoutIdle())
            return
        reply = self.replies[self.playing[0]]
        if not self.sounding or reply.heard_ms == 0:
            self.sounding = True
            self.do(ev.PlayoutStarted(item_id=reply.item_id, content_index=0))
        reply.heard_ms += ms
        if reply.heard_ms % 100 == 0 and self.playing:
            self.playing.pop(0)
        self.do(ev.PlayoutProgressed(heard=part(reply.item_id, reply.heard_ms)))

    # What else may happen.

    def lose_link(self, gone_ms: int) -> None:
        self.linked = False
        self.due += 1  # the answer that is lost with it, if there is one
        self.active = self.speech = None
        self.unanswered = ""
        for reply in self.replies.values():
            reply.done = True
        self.do(ev.LinkLost(reason="gone", retry_in_s=1.0))
        assert self.shape == (0.0, False)
        self.noises.clear()
        self.turns.clear()
        self.deleted.clear()
        self.work(gone_ms)
        self.linked = True
        self.obey(self.box.ready())

    def command(self, command: cmd.Command) -> None:
        if isinstance(command, cmd.RequestResponse | cmd.SendMessage):
            self.due += 1
        if isinstance(command, cmd.TalkBegin):
            self.speech = None  # the buffer is cleared, and detection is switched off
        if isinstance(command, cmd.InterruptResponse):
            self.unanswered = ""
        self.do(command)


class LocalWorld(World):
    """Here the box detects turns by itself: the service hears what it is given and makes an item of what is committed.

    The detector tells the beginning at once and the end with its silence, whatever the conversation makes of them.
    """

    def speak(self, ms: int) -> None:
        if self.speech is not None or not self.linked or self.box.core.snapshot().talking:
            return
        self.speeches += 1
        self.speech = ("", self.box.stream_ms, self.box.stream_ms + ms)
        self.do(ev.LocalTurnStarted())

    def stop_speaking(self) -> None:
        assert self.speech is not None
        (_, began_ms, end_ms), self.speech = self.speech, None
        self.do(ev.LocalTurnStopped(speech_ms=end_ms - began_ms))

    def confirm(self) -> None:
        self.obey(self.box.confirmed())

    def commit(self) -> None:
        speech, self.speech = self.speech, None
        super().commit()
        self.speech = speech

    def lose_link(self, gone_ms: int) -> None:
        """The detector hears on."""
        speech = self.speech
        super().lose_link(gone_ms)
        self.speech = speech
