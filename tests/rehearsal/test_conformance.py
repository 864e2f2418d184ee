"""Against openai-python: its types read every event that this server sends, and its client holds a conversation."""

from __future__ import annotations

import asyncio
import base64
import json
import typing
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.types.realtime import RealtimeServerEvent
from openai.types.realtime.realtime_session_create_response import RealtimeSessionCreateResponse
from pydantic import BaseModel

from voicebotd.rehearsal import speech
from voicebotd.rehearsal.fault_table import KINDS
from voicebotd.rehearsal.faults import Doom
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS
from voicebotd.rehearsal.script import ScriptBrain
from voicebotd.rehearsal.script_file import BUNDLED, load_script
from voicebotd.rehearsal.server import RehearsalServer, script_brain
from voicebotd.rehearsal.session import Session
from voicebotd.rehearsal.settings import default_session
from voicebotd.rehearsal.wire import Outbox, ServerEvent

DEADLINE_S = 30
SESSION_ONLY = {"id", "object", "expires_at"}
"""openai declares these on RealtimeSessionCreateResponse, not on the session of its events …"""
EVENT_ONLY = {"parallel_tool_calls"}
"""… and this the other way round."""


def models_by_type() -> dict[str, type[BaseModel]]:
    union = typing.get_args(RealtimeServerEvent)[0]
    models: dict[str, type[BaseModel]] = {}
    for model in typing.get_args(union):
        (name,) = typing.get_args(model.model_fields["type"].annotation)
        models[name] = model
    return models


MODELS = models_by_type()


def undeclared(value: Any, path: str = "") -> set[str]:
    """Every field that the types do not declare."""
    if isinstance(value, list):
        return {name for element in value for name in undeclared(element, f"{path}[]")}
    if not isinstance(value, BaseModel):
        return set()
    extra = {f"{path}.{name}" for name in value.model_extra or {}}
    declared = ((name, getattr(value, name)) for name in type(value).model_fields)
    return extra | {name for key, held in declared for name in undeclared(held, f"{path}.{key}")}


def check(event: ServerEvent) -> None:
    """Strict: nothing that is required is missing, nothing is of another type, nothing is unknown."""
    parsed = MODELS[event["type"]].model_validate_json(json.dumps(event), strict=True)
    allowed = {f".session.{name}" for name in SESSION_ONLY} if "session" in event else set()
    assert undeclared(parsed) <= allowed, event
    if "session" in event:
        session = RealtimeSessionCreateResponse.model_validate_json(json.dumps(event["session"]), strict=True)
        assert undeclared(session) <= {f".{name}" for name in EVENT_ONLY}


SCRIPT = """
turns:
  - {hears: "Hello", says: ["One moment.", "I am looking."], calls: [{name: find, arguments: {day: monday}}]}
  - {hears: "Hm", says: "Monday is free."}
"""


class Rich:
    """A session to which everything happens, with every event that it sent."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.now_s = 0.0
        self.sent: list[ServerEvent] = session.begin().events

    def send(self, type_: str, **fields: Any) -> list[ServerEvent]:
        return self._keep(self.session.receive({"type": type_, **fields}, self.now_s).events)

    def suffer(self, doom: Doom) -> None:
        self._keep(self.session.suffer(doom, self.now_s).events)

    def speak(self) -> None:
        audio = base64.b64encode(bytes(3200 * PCM_BYTES_PER_MS)).decode()
        self.send("input_audio_buffer.append", audio=audio)
        self._keep(self.session.hear([0.9] * 50 + [0.0] * 50, self.now_s).events)

    def run_until(self, type_: str) -> list[ServerEvent]:
        events: list[ServerEvent] = []
        while not any(event["type"] == type_ for event in events):
            self.now_s = max(self.now_s, self.session.due_s)
            events += self._keep(self.session.tick(self.now_s).events)
        return events

    def _keep(self, events: list[ServerEvent]) -> list[ServerEvent]:
        self.sent += events
        return events


def configure(rich: Rich, detection: dict[str, Any] | None) -> None:
    rich.send(
        "session.update",
        session={
            "type": "realtime",
            "instructions": "Be kind.",
            "tools": [{"type": "function", "name": "find", "description": "d", "parameters": {"type": "object"}}],
            "reasoning": {"effort": "low"},
            "parallel_tool_calls": True,
            "truncation": {"type": "retention_ratio", "retention_ratio": 0.8},
            "audio": {
                "input": {
                    "transcription": {"model": "gpt-transcribe", "language": "en"},
                    "noise_reduction": {"type": "far_field"},
                    "turn_detection": detection,
                },
                "output": {"voice": "cedar"},
            },
        },
    )


def spoken_turn_with_a_call_and_an_interruption(rich: Rich) -> None:
    rich.speak()
    done = rich.run_until("response.done")[-1]["response"]
    call = done["output"][-1]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "free"}
    rich.send("conversation.item.create", item=output)
    rich.send("response.create", response={"metadata": {"a": "b"}})
    rich.run_until("response.output_audio.delta")
    rich.speak()
    place = {"item_id": done["output"][0]["id"], "content_index": 0}
    rich.send("conversation.item.truncate", **place, audio_end_ms=300)
    rich.send("conversation.item.truncate", **place, audio_end_ms=10**6)
    rich.run_until("response.done")
    rich.run_until("input_audio_buffer.timeout_triggered")
    rich.send("response.cancel")
    rich.send("response.cancel")


def written_turns_and_items(rich: Rich) -> None:
    for role, part in (("system", "input_text"), ("user", "input_text"), ("assistant", "output_text")):
        item = {"type": "message", "role": role, "content": [{"type": part, "text": "Hello"}]}
        rich.send("conversation.item.create", item=item, previous_item_id="root")
    added = rich.send("conversation.item.create", item={"type": "function_call", "name": "f", "arguments": "{}"})
    rich.send("response.create", response={"output_modalities": ["text"], "max_output_tokens": 3})
    rich.run_until("response.done")
    rich.send("response.create", response={"conversation": "none", "input": [], "output_modalities": ["text"]})
    rich.run_until("response.done")
    user = next(event["item"] for event in rich.sent if event.get("item", {}).get("role") == "user")
    rich.send("conversation.item.retrieve", item_id=user["id"])
    rich.send("conversation.item.delete", item_id=added[0]["item"]["id"])
    rich.send("conversation.item.delete", item_id="nobody")


def turns_by_hand(rich: Rich) -> None:
    rich.send("input_audio_buffer.commit")
    rich.send("input_audio_buffer.clear")
    rich.send("input_audio_buffer.commit")


def fail(rich: Rich) -> None:
    rich.send("response.create")
    doom = KINDS["failed"].make("rate_limit_exceeded")
    assert isinstance(doom, Doom)
    rich.suffer(doom)


def test_every_event_of_a_rich_conversation_parses_strictly_as_openais_types(tmp_path: Any) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT)
    settings = default_session(session_id="sess_1", model="gpt-realtime-2.1", expires_at=1_800_000_000)
    rich = Rich(
        Session(
            outbox=Outbox("sess_1"),
            brain=ScriptBrain(load_script(path)),
            settings=settings,
            speed=10.0,
            expires_s=10_000.0,
        )
    )
    configure(rich, {"type": "server_vad", "idle_timeout_ms": 6000})
    spoken_turn_with_a_call_and_an_interruption(rich)
    written_turns_and_items(rich)
    configure(rich, {"type": "semantic_vad", "eagerness": "low"})
    rich.speak()
    rich.run_until("response.done")
    configure(rich, None)
    rich.speak()
    turns_by_hand(rich)
    fail(rich)
    rich.now_s = 10_000.0
    rich.run_until("error")

    for event in rich.sent:
        check(event)
    assert {event["type"] for event in rich.sent} == EVERY_TYPE
    event_ids = [event["event_id"] for event in rich.sent]
    assert len(set(event_ids)) == len(event_ids)
    assert {event["response"]["status"] for event in rich.sent if event["type"] == "response.done"} == {
        "completed",
        "cancelled",
        "incomplete",
        "failed",
    }


EVERY_TYPE = {
    "conversation.item.added",
    "conversation.item.deleted",
    "conversation.item.done",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.retrieved",
    "conversation.item.truncated",
    "error",
    "input_audio_buffer.cleared",
    "input_audio_buffer.committed",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.timeout_triggered",
    "rate_limits.updated",
    "response.content_part.added",
    "response.content_part.done",
    "response.created",
    "response.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.delta",
    "response.output_audio_transcript.done",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.output_text.done",
    "session.created",
    "session.updated",
}


def test_the_check_itself_notices_what_is_wrong() -> None:
    good = {"type": "input_audio_buffer.speech_started", "event_id": "e", "item_id": "i", "audio_start_ms": 1}
    check(good)
    for wrong in ({"audio_start_ms": "1"}, {"surprise": 1}, {"item_id": None}):
        with pytest.raises((ValueError, AssertionError)):
            check({**good, **wrong})


async def speak(connection: Any, clip: str) -> None:
    pcm = speech.clip(clip).pcm + bytes(1500 * PCM_BYTES_PER_MS)
    for at in range(0, len(pcm), 4800):
        await connection.input_audio_buffer.append(audio=base64.b64encode(pcm[at : at + 4800]).decode())


async def answer(connection: Any) -> tuple[str, str, bytes]:
    """What the visitor was heard to say, what the assistant says, and how it sounds."""
    visitor, audio = "", b""
    async for event in connection:
        assert event.type != "error"
        if event.type == "conversation.item.input_audio_transcription.completed":
            visitor = event.transcript
        elif event.type == "response.output_audio.delta":
            audio += base64.b64decode(event.delta)
        elif event.type == "response.done":
            assert event.response.status == "completed"
            return visitor, event.response.output[0].content[0].transcript, audio
    raise AssertionError("the session ended before the response")


@pytest.mark.asyncio
async def test_openais_own_client_holds_the_conversation_of_the_demonstration() -> None:
    async with RehearsalServer(brain=script_brain(BUNDLED / "demo.yaml"), speed=1000.0) as server:
        base = server.url.removesuffix("/realtime")
        http = base.replace("ws://", "http://")
        client = AsyncOpenAI(api_key="sk-any", base_url=http, websocket_base_url=base)
        async with (
            client,
            asyncio.timeout(DEADLINE_S),
            client.realtime.connect(model="gpt-realtime-2.1") as connection,
        ):
            await connection.session.update(
                session={"type": "realtime", "audio": {"input": {"transcription": {"model": "gpt-transcribe"}}}}
            )
            await connection.response.create()
            _, words, sound = await answer(connection)
            assert (words, sound) == (speech.clip("assistant_greeting").text, speech.clip("assistant_greeting").pcm)
            for visitor, assistant in (
                ("visitor_booking", "assistant_services"),
                ("visitor_interrupts", "assistant_booked"),
                ("visitor_goodbye", "assistant_goodbye"),
            ):
                await speak(connection, visitor)
                expected = speech.clip(assistant)
                assert await answer(connection) == (speech.clip(visitor).text, expected.text, expected.pcm)
    assert server.received[0]["type"] == "session.update"
