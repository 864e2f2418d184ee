"""A whole session without a socket, a clock or Silero: events and probabilities in, events out."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from voicebotd.rehearsal.brain import Answer, Line, Past, Question
from voicebotd.rehearsal.faults import Doom, IgnoreUpdate
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS
from voicebotd.rehearsal.session import Close, Session, Step
from voicebotd.rehearsal.settings import default_session
from voicebotd.rehearsal.vad import CHUNK_MS
from voicebotd.rehearsal.wire import Outbox, Refusal, ServerEvent

EXPIRES_S = 3600.0
LINE_MS = 1000
TRANSCRIBED = {"input": {"transcription": {"model": "gpt-transcribe"}}}


class Teller:
    """Tells what it was asked, for a second."""

    def hear(self, pcm: bytes, past: tuple[Past, ...]) -> str:
        return f"{len(pcm) // PCM_BYTES_PER_MS} ms"

    def answer(self, question: Question) -> Answer:
        text = "idle" if question.idle else question.text or "speech"
        return Answer(parts=(Line(text=text, pcm=bytes(LINE_MS * PCM_BYTES_PER_MS)),))


class Client:
    """Speaks to a session, and moves its clock."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.session = Session(
            outbox=Outbox("sess_1"),
            brain=Teller(),
            settings=default_session(session_id="sess_1", model="m", expires_at=0),
            speed=10.0,
            expires_s=EXPIRES_S,
        )
        self.session.begin()

    def send(self, type_: str, **fields: Any) -> list[ServerEvent]:
        return self.session.receive({"type": type_, **fields}, self.now_s).events

    def update(self, **session: Any) -> list[ServerEvent]:
        return self.send("session.update", session={"type": "realtime", **session})

    def listen(self, **turn_detection: Any) -> None:
        (event,) = self.update(audio={"input": {"turn_detection": {"type": "server_vad", **turn_detection}}})
        assert event["type"] == "session.updated"

    def append(self, chunks: int, probability: float) -> list[ServerEvent]:
        """Send so many 32 ms of audio, judged to be speech with that probability."""
        pcm = bytes(chunks * CHUNK_MS * PCM_BYTES_PER_MS)
        step = self.session.receive(
            {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}, self.now_s
        )
        assert step == Step(heard=pcm)
        return self.session.hear([probability] * chunks, self.now_s).events

    def speak(self) -> list[ServerEvent]:
        """640 ms of speech and, after 960 ms of silence, the end of the turn."""
        return self.append(20, 0.9) + self.append(30, 0.0)

    def run_until(self, type_: str) -> list[ServerEvent]:
        """Let time pass until an event of that type was sent."""
        events: list[ServerEvent] = []
        while not any(event["type"] == type_ for event in events):
            self.now_s = max(self.now_s, self.session.due_s)
            events += self.session.tick(self.now_s).events
        return events


@pytest.fixture
def client() -> Client:
    return Client()


def types(events: list[ServerEvent]) -> list[str]:
    return [event["type"] for event in events]


def only_error(events: list[ServerEvent]) -> dict[str, Any]:
    assert types(events) == ["error"]
    error: dict[str, Any] = events[0]["error"]
    return error


def of(events: list[ServerEvent], type_: str) -> ServerEvent:
    (event,) = [event for event in events if event["type"] == type_]
    return event


# --- Turns by server_vad ---------------------------------------------------------------------------------------------


def test_a_spoken_turn_has_the_services_order(client: Client) -> None:
    client.update(audio=TRANSCRIBED)
    assert types(client.speak()) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "rate_limits.updated",
    ]


def test_a_turn_is_one_item_from_the_prefix_to_the_end_of_the_silence(client: Client) -> None:
    client.update(audio=TRANSCRIBED)
    client.append(50, 0.0)
    events = client.speak()
    started, stopped = events[0], events[1]
    assert started["audio_start_ms"] == 1600 - 300
    assert stopped["audio_end_ms"] == 1600 + 640 + 512
    item = of(events, "conversation.item.added")["item"]
    assert {started["item_id"], stopped["item_id"], events[2]["item_id"]} == {item["id"]}
    completed = of(events, "conversation.item.input_audio_transcription.completed")
    assert completed["transcript"] == f"{300 + 640 + 512} ms"
    assert completed["usage"] == {"type": "duration", "seconds": 1.452}


def test_the_prefix_does_not_reach_into_the_turn_before(client: Client) -> None:
    client.listen(prefix_padding_ms=5000, create_response=False)
    end_ms = of(client.speak(), "input_audio_buffer.speech_stopped")["audio_end_ms"]
    assert of(client.speak(), "input_audio_buffer.speech_started")["audio_start_ms"] == end_ms


def test_without_transcription_there_is_no_transcript(client: Client) -> None:
    events = client.speak()
    assert not [name for name in types(events) if "transcription" in name]
    assert of(events, "conversation.item.done")["item"]["content"] == [{"type": "input_audio", "transcript": None}]


def test_without_create_response_the_turn_is_only_committed(client: Client) -> None:
    client.listen(create_response=False)
    assert types(client.speak())[-1] == "conversation.item.done"


def test_speech_interrupts_the_response_after_saying_that_it_began(client: Client) -> None:
    client.speak()
    client.run_until("response.output_audio.delta")
    events = client.append(1, 0.9)
    assert events[0]["type"] == "input_audio_buffer.speech_started"
    assert events[-1]["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}


def test_without_interrupt_response_the_response_goes_on_and_a_second_one_fails(client: Client) -> None:
    client.listen(interrupt_response=False)
    client.speak()
    client.run_until("response.output_audio.delta")
    events = client.speak()
    assert "response.done" not in types(events)
    assert events[-1]["error"]["code"] == "conversation_already_has_active_response"
    assert client.run_until("response.done")[-1]["response"]["status"] == "completed"


def test_a_changed_turn_detection_begins_the_turn_anew(client: Client) -> None:
    client.append(5, 0.9)
    client.listen(threshold=0.7)
    assert types(client.append(1, 0.9)) == ["input_audio_buffer.speech_started"]


def test_an_update_of_something_else_leaves_the_turn_alone(client: Client) -> None:
    client.append(5, 0.9)
    client.update(instructions="Sing.")
    client.listen(threshold=0.5)
    assert types(client.append(30, 0.0))[0] == "input_audio_buffer.speech_stopped"


# --- The idle timeout ------------------------------------------------------------------------------------------------


def test_silence_after_a_response_is_committed_and_answered(client: Client) -> None:
    client.update(audio=TRANSCRIBED)
    client.listen(idle_timeout_ms=6000)
    client.speak()
    done_s = [client.run_until("response.done"), client.now_s][1]
    client.append(400, 0.0)
    events = client.run_until("response.created")
    assert client.now_s == pytest.approx(done_s + LINE_MS / 1000 + 6.0)
    triggered = of(events, "input_audio_buffer.timeout_triggered")
    assert triggered["audio_end_ms"] - triggered["audio_start_ms"] == 6000
    assert of(events, "input_audio_buffer.committed")["item_id"] == triggered["item_id"]
    assert of(events, "conversation.item.input_audio_transcription.completed")["transcript"] == ""
    spoken = client.run_until("response.done")
    assert spoken[-1]["response"]["output"][0]["content"][0]["transcript"] == "idle"


def test_speech_stops_the_idle_timeout(client: Client) -> None:
    client.listen(idle_timeout_ms=6000)
    client.speak()
    client.run_until("response.done")
    client.append(1, 0.9)
    assert client.session.due_s == EXPIRES_S


def test_nobody_is_idle_before_the_first_response_or_without_a_timeout(client: Client) -> None:
    client.listen(idle_timeout_ms=6000)
    assert client.session.due_s == EXPIRES_S
    client.listen(idle_timeout_ms=None)
    client.speak()
    client.run_until("response.done")
    assert client.session.due_s == EXPIRES_S


# --- Turns by hand ---------------------------------------------------------------------------------------------------


def test_by_hand_audio_becomes_an_item_when_the_client_commits(client: Client) -> None:
    client.update(audio={"input": {"turn_detection": None}})
    assert client.append(10, 1.0) == []
    events = client.send("input_audio_buffer.commit")
    assert types(events) == ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
    assert types(client.send("response.create"))[0] == "response.created"


def test_too_little_audio_is_not_committed(client: Client) -> None:
    client.append(3, 0.0)
    assert only_error(client.send("input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"
    client.append(1, 0.0)
    assert types(client.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"


def test_clearing_forgets_the_audio_and_the_turn(client: Client) -> None:
    client.append(10, 0.9)
    assert types(client.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert client.append(50, 0.0) == []
    client.send("input_audio_buffer.clear")
    assert only_error(client.send("input_audio_buffer.commit"))["code"] == "input_audio_buffer_commit_empty"


def test_committing_during_a_turn_ends_it_with_an_item_of_its_own(client: Client) -> None:
    started = client.append(10, 0.9)[0]
    assert client.send("input_audio_buffer.commit")[0]["item_id"] != started["item_id"]
    assert client.append(50, 0.0) == []


# --- Items and responses ---------------------------------------------------------------------------------------------


def text_item(text: str) -> dict[str, Any]:
    return {"id": "mine", "type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def test_written_messages_are_items_and_are_answered_on_request(client: Client) -> None:
    events = client.send("conversation.item.create", item=text_item("Hi"))
    assert types(events) == ["conversation.item.added", "conversation.item.done"]
    assert events[0]["previous_item_id"] is None
    client.send("response.create", response={"output_modalities": ["text"], "metadata": {"a": "b"}})
    done = client.run_until("response.done")[-1]["response"]
    assert done["output"][0]["content"] == [{"type": "output_text", "text": "Hi"}]
    assert done["metadata"] == {"a": "b"}


def test_items_can_be_retrieved_truncated_and_deleted(client: Client) -> None:
    client.send("response.create")
    item_id = client.run_until("response.done")[-1]["response"]["output"][0]["id"]
    place = {"item_id": item_id, "content_index": 0, "audio_end_ms": 400}
    assert (
        of(client.send("conversation.item.truncate", **place), "conversation.item.truncated").items() >= place.items()
    )
    (content,) = client.send("conversation.item.retrieve", item_id=item_id)[0]["item"]["content"]
    assert len(base64.b64decode(content["audio"])) == 400 * PCM_BYTES_PER_MS
    assert content["transcript"] is None
    assert types(client.send("conversation.item.delete", item_id=item_id)) == ["conversation.item.deleted"]
    assert only_error(client.send("conversation.item.retrieve", item_id=item_id))["code"] == "item_not_found"


def test_a_client_may_cancel_once(client: Client) -> None:
    client.send("response.create")
    (done,) = client.send("response.cancel")
    assert done["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert only_error(client.send("response.cancel"))["code"] == "response_cancel_not_active"


def test_a_refused_update_changes_nothing(client: Client) -> None:
    refused = client.update(instructions="Sing.", temperature=1)
    assert only_error(refused)["param"] == "session.temperature"
    (updated,) = client.update()
    assert updated["session"]["instructions"] != "Sing."


def test_the_voice_is_locked_after_the_first_audio(client: Client) -> None:
    client.send("response.create")
    client.run_until("response.done")
    refused = client.update(instructions="Sing.", audio={"output": {"voice": "cedar"}})
    assert only_error(refused)["code"] == "cannot_update_voice"


def test_an_error_names_the_event_that_caused_it(client: Client) -> None:
    assert only_error(client.send("response.cancel", event_id="mine"))["event_id"] == "mine"
    assert only_error(client.send("response.cancel", event_id=5))["event_id"] is None


def test_what_is_not_an_event_is_refused_too(client: Client) -> None:
    assert only_error(client.session.refuse(Refusal("invalid_event", "no")).events)["code"] == "invalid_event"


def test_a_rehearsed_fault_ends_the_response_that_runs(client: Client) -> None:
    client.send("response.create")
    (done,) = client.session.suffer(Doom(kind="incomplete", reason="content_filter"), client.now_s).events
    assert done["response"]["status"] == "incomplete"


def test_an_update_may_be_confirmed_and_not_applied_once(client: Client) -> None:
    assert client.session.suffer(IgnoreUpdate(), client.now_s).events == []
    (ignored,) = client.update(instructions="Sing.")
    assert ignored["type"] == "session.updated"
    assert ignored["session"]["instructions"] != "Sing."
    (applied,) = client.update(instructions="Sing.")
    assert applied["session"]["instructions"] == "Sing."


# --- Begin and end ---------------------------------------------------------------------------------------------------


def test_the_first_event_is_the_session() -> None:
    settings = default_session(session_id="sess_2", model="m", expires_at=7)
    session = Session(outbox=Outbox("sess_2"), brain=Teller(), settings=settings, speed=1.0, expires_s=5.0)
    (created,) = session.begin().events
    assert (created["type"], created["session"]) == ("session.created", settings)


def test_an_expired_session_says_so_and_closes(client: Client) -> None:
    step = client.session.tick(EXPIRES_S)
    assert only_error(step.events)["code"] == "session_expired"
    assert step.close == Close(code=1001, reason=step.events[0]["error"]["message"])
