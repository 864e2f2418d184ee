"""A visit: somebody talks to a box whose links come and go, and every sentence is to be answered once.

Owns the time, the visitor, the microphone with what it remembers, the local detector, the loudspeaker and the life of
the links; the service is `remote.py`'s. Everything happens in steps of one frame.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from remote import DELTA_MS, FRAME_MS, SURE_FRAMES, Response, Session, Speech, frame
from talkbox import Box, part

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.preroll import PreRoll
from voicebotd.conversation.records import TurnRecord
from voicebotd.conversation.states import State

CONNECT_MS = 200
HANGOVER_FRAMES = 4


@dataclass(slots=True)
class Loudspeaker:
    """Knows no more than what was given to it, in pieces of 100 ms."""

    queue: list[str] = field(default_factory=list)
    heard_ms: dict[str, int] = field(default_factory=dict)
    sounding: bool = False
    paused: bool = False
    gain_db: float = 0.0


class Detector:
    """Hears voices, and turns by the rule that it is given."""

    def __init__(self) -> None:
        self.asked = fx.Detect(voice=False, turns=None)
        self._voiced = self._silent = self._length = 0
        self._voice = self._turn = False

    def hear(self, voiced: bool) -> list[ev.Event]:
        self._voiced = self._voiced + 1 if voiced else 0
        self._silent = 0 if voiced else self._silent + 1
        return [*(self._voices() if self.asked.voice else []), *self._turns()]

    def _voices(self) -> list[ev.Event]:
        if not self._voice and self._voiced == SURE_FRAMES:
            self._voice = True
            return [ev.VoiceStarted()]
        if self._voice and self._silent == HANGOVER_FRAMES:
            self._voice = False
            return [ev.VoiceStopped()]
        return []

    def _turns(self) -> list[ev.Event]:
        rule = self.asked.turns
        if rule is None:
            self._turn = False
            return []
        self._length += FRAME_MS
        if not self._turn and self._voiced == SURE_FRAMES:
            self._turn, self._length = True, SURE_FRAMES * FRAME_MS
            return [ev.LocalTurnStarted()]
        if self._turn and self._silent * FRAME_MS >= rule.silence_duration_ms:
            self._turn = False
            return [ev.LocalTurnStopped(speech_ms=self._length - self._silent * FRAME_MS)]
        return []


class Visit:
    """`box`: not started yet. `calls`: sentences that take a function to answer."""

    def __init__(self, box: Box, *calls: str) -> None:
        self.box = box
        self.speech = Speech()
        self.session: Session | None = None
        self.successor: Session | None = None
        self.sessions: list[Session] = []
        self.noises: set[str] = set()
        self.sounded: list[str] = []
        """The responses of which something sounded, in order."""
        self.executed: list[str] = []
        """The functions that were run, by their arguments."""
        self.tool_s = 0.3
        self.cues: list[str] = []
        self.opened: list[fx.OpenMicrophone] = []
        self._calls = frozenset(calls)
        self._loudspeaker = Loudspeaker()
        self._detector = Detector()
        self._preroll = PreRoll()
        self._microphone = False
        self._wanted = False
        self._connects_at_s: float | None = None
        self._frames = 0
        self._number = count()
        self._request_id = 100
        self._due: list[tuple[float, int, Session | None, ev.Event]] = []

    # What a test says.

    def begin(self, **how: Any) -> Visit:
        self._obey(self.box.start(**how))
        self.wait(500)
        return self

    def says(self, sentence: str, ms: int) -> Visit:
        """The visitor begins a sentence now; it goes on while time passes."""
        self.speech.add(sentence, self._frames, ms // FRAME_MS)
        return self

    def coughs(self, noise: str, ms: int = 200) -> Visit:
        self.noises.add(noise)
        return self.says(noise, ms)

    def types(self, sentence: str) -> Visit:
        """Somebody types a sentence that is to be answered."""
        self.speech.lengths[sentence] = 0
        self._request_id += 1
        self.do(cmd.SendMessage(request_id=self._request_id, text=sentence))
        return self

    def talks(self) -> Visit:
        """Somebody presses the talk key."""
        self._request_id += 1
        self.do(cmd.TalkBegin(request_id=self._request_id))
        return self

    def falls_silent(self) -> Visit:
        """The talk key is let go."""
        self._request_id += 1
        self.do(cmd.TalkEnd(request_id=self._request_id))
        return self

    def loses(self, *, back_in_ms: int = 300, dead_ms: int = 0) -> Visit:
        """The session is gone; `dead_ms`: it was for so long before anybody noticed."""
        if self.session is not None and dead_ms:
            self.session.deaf = True
            self._due = [entry for entry in self._due if entry[2] is not self.session]
            self.wait(dead_ms)
        self.session = None
        self._connects_at_s = self.box.now_s + back_in_ms / 1000
        self.do(ev.LinkLost(reason="gone", retry_in_s=back_in_ms / 1000, unheard_s=dead_ms / 1000))
        return self

    @property
    def is_speaking(self) -> bool:
        return self._frames in self.speech.of_frame

    def do(self, *events: ev.Event) -> None:
        for event in events:
            self._obey(self.box.do(event))

    def wait(self, ms: int) -> Visit:
        for _ in range(ms // FRAME_MS):
            self._step()
        return self

    def quiet(self) -> Visit:
        """Until everything is said."""
        return self.wait(30_000)

    # Time.

    def _step(self) -> None:
        self._obey(self.box.wait(FRAME_MS))
        self._connect()
        self._hear()
        if self.session is not None and not self.session.deaf:
            self.session.generate(FRAME_MS)
        self._deliver()
        self._play()

    def _hear(self) -> None:
        pcm, voiced = frame(self._frames), self._frames in self.speech.of_frame
        if self._microphone and self.session is not None:
            self.session.hear(pcm)
        if self.box.state is State.OFF:
            self._preroll.forget()
        else:
            self._preroll.keep(pcm, self.box.now_s, sent=self._microphone)
        self._frames += 1
        self.do(*self._detector.hear(voiced))

    def _deliver(self) -> None:
        while self._due and self._due[0][0] <= self.box.now_s:
            _, _, session, event = heapq.heappop(self._due)
            if session is None or session is self.session:
                self.do(event)

    def _later(self, session: Session | None, delay_s: float, event: ev.Event) -> None:
        heapq.heappush(self._due, (self.box.now_s + delay_s, next(self._number), session, event))

    def _play(self) -> None:
        out = self._loudspeaker
        if out.paused:
            return
        if not out.queue:
            if out.sounding:
                out.sounding = False
                self.do(ev.PlayoutIdle())
            return
        item_id = out.queue[0]
        if not out.heard_ms.get(item_id):
            self.do(ev.PlayoutStarted(item_id=item_id, content_index=0))
            response_id = next(one.response_id for one in self.responses if one.item_id == item_id)
            self.sounded.append(response_id)
        out.sounding = True
        out.heard_ms[item_id] = out.heard_ms.get(item_id, 0) + FRAME_MS
        if out.heard_ms[item_id] % DELTA_MS == 0:
            out.queue.pop(0)
        self.do(ev.PlayoutProgressed(heard=part(item_id, out.heard_ms[item_id])))

    # Links.

    def _connect(self) -> None:
        at_s = self._connects_at_s
        if not self._wanted or at_s is None or at_s > self.box.now_s:
            return
        self._connects_at_s = None
        self._take(self._open())

    def _open(self) -> Session:
        asked = self.box.asked
        detection = None if asked is None or asked.type in ("none", "local") else asked
        name = f"s{len(self.sessions) + 1}"
        session: Session

        def later(delay_s: float, event: ev.Event) -> None:
            self._later(session, delay_s, event)

        session = Session(name, self.speech, later, detection=detection, calls=self._calls)
        self.sessions.append(session)
        return session

    def _take(self, session: Session) -> None:
        self.session = session
        self._microphone = False
        self.do(ev.LinkReady(session_id=session.name, model="m", session=session.view))

    # What the conversation wants.

    def _obey(self, effects: list[fx.Effect]) -> None:  # noqa: C901 (one flat case for each effect)
        for effect in effects:
            match effect:
                case fx.OpenLink():
                    self._wanted, self._connects_at_s = True, self.box.now_s + CONNECT_MS / 1000
                case fx.CloseLink():
                    self._wanted, self.session = False, None
                case fx.DropLink():
                    self._later(
                        None, 0.01, ev.LinkLost(reason=effect.reason, retry_in_s=0.3, unheard_s=effect.unheard_s)
                    )
                    self.session, self._connects_at_s = None, self.box.now_s + CONNECT_MS / 1000
                case fx.OpenSuccessor():
                    self.offer()
                case fx.Succeed():
                    self._microphone = False
                    assert self.successor is not None
                    session, self.successor = self.successor, None
                    self._take(session)
                case fx.ToService() | fx.UpdateSession():
                    if self.session is not None:
                        self.session.take(effect)
                case fx.OpenMicrophone():
                    self._open_microphone(effect)
                case fx.Detect():
                    self._detector.asked = effect
                case fx.Play():
                    self._loudspeaker.queue.append(effect.item_id)
                case fx.Flush():
                    self._flush(effect.token)
                case fx.ShapePlayout():
                    self._loudspeaker.gain_db, self._loudspeaker.paused = effect.gain_db, effect.paused
                case fx.PlayCue():
                    self.cues.append(effect.cue)
                case fx.RunTool():
                    self.executed.append(effect.arguments)
                    self._later(
                        None, self.tool_s, ev.ToolFinished(call_id=effect.call_id, output="ok", status="completed")
                    )

    def offer(self, within_s: float = 60.0) -> None:
        """A second session is there and waits."""
        self.successor = self._open()
        self._later(None, 0.01, ev.SuccessorReady(within_s=within_s))

    def _open_microphone(self, effect: fx.OpenMicrophone) -> None:
        """As the manager does it."""
        self.opened.append(effect)
        self._microphone = effect.open
        ring = self._preroll
        kept = ring.take_again(effect.preroll_ms, effect.since) if effect.again else ring.take(effect.preroll_ms)
        if kept and self.session is not None:
            self.session.hear(kept)

    def _flush(self, token: int) -> None:
        out = self._loudspeaker
        out.queue.clear()
        out.sounding = False
        heard = tuple(part(item_id, ms) for item_id, ms in out.heard_ms.items())
        self._later(None, 0.01, ev.PlayoutFlushed(token=token, heard=heard))

    # What came of it.

    @property
    def responses(self) -> list[Response]:
        return [response for session in self.sessions for response in session.responses.values()]

    @property
    def answers(self) -> list[list[str]]:
        """What the visitor heard answers to, in order; the end of an answer that was cut off answers nothing new."""
        found = {response.response_id: response for response in self.responses}
        return [found[name].answers for name in self.sounded if found[name].answers or not found[name].goes_on]

    @property
    def answered(self) -> list[str]:
        return [word for answer in self.answers for word in answer]

    @property
    def history(self) -> list[TurnRecord]:
        """The turns as they were recorded last."""
        records = [effect.record for effect in self.box.log if isinstance(effect, fx.Record)]
        latest = {record.item_id: record for record in records if isinstance(record, TurnRecord)}
        return sorted(latest.values(), key=lambda record: record.number)

    def said(self, role: str = "user") -> list[str]:
        """What the history says that was said."""
        return [record.generated_text for record in self.history if record.role == role and record.generated_text]

    def is_well(self) -> None:
        """Every sentence was answered, once and whole, and nothing else was; the history knows each once. A noise may
        have been taken for a sentence, once."""
        sentences = sorted(word for word in self.speech.lengths if word not in self.noises)
        words = [word for text in self.said() for word in text.split()]
        for found, where in ((self.answered, "answered"), (words, "in the history")):
            assert sorted(word for word in found if word not in self.noises) == sentences, (
                f"all are {where}, once, whole"
            )
            noises = [word for word in found if word in self.noises]
            assert len(noises) == len(set(noises)), f"no noise is {where} twice"
        assert [] not in self.answers, "nothing is answered that nobody said"
        assert len(self.executed) == len(set(self.executed)), "no function is executed twice"
        assert (self._loudspeaker.gain_db, self._loudspeaker.paused) == (0.0, False)
        assert self.box.state in (State.LISTENING, State.DOZING)
        told = [request.request_id for request in self.box.log if isinstance(request, fx.Reply | fx.Refuse)]
        assert len(told) == len(set(told)), "nobody is answered twice"


def press(visit: Visit, ms: int, sentence: str) -> None:
    """Somebody holds the talk key for so long and speaks."""
    visit.talks()
    visit.says(sentence, ms)
    visit.wait(ms + 200)
    visit.falls_silent()
