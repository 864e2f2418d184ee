"""A recorded session of every server of the table: what it says means the same, and it is spoken to in its own way.

`recorded/SERVER.json` holds what the server said (`received`), where that is from (`source`), and what it means
(`story`). A server that is added to the table brings such a file with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.beta.realtime import RealtimeClientEvent as BetaClientEvent
from openai.types.realtime import RealtimeClientEvent
from pydantic import BaseModel, TypeAdapter

from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.events import BYTES_PER_MS, TurnDetection
from voicebotd.realtime.dialects import DIALECTS, Dialect
from voicebotd.realtime.features import feature_of
from voicebotd.realtime.protocol import Decoded, Nonsense, NotNeeded, SessionTold
from voicebotd.realtime.session import FunctionTool, SessionConfig
from voicebotd.realtime.wire import Unsent, Wire

RECORDED = Path(__file__).parent / "recorded"
CONFIG = SessionConfig(
    model="m",
    instructions="Be kind",
    tools=(FunctionTool(name="check_slots", description="Free times", parameters={"type": "object"}),),
    turn_detection=TurnDetection(create_response=False, interrupt_response=False),
)
EFFECTS: list[fx.ToService | fx.UpdateSession] = [
    fx.UpdateSession(event_id="e1", instructions="Be brief"),
    fx.UpdateSession(event_id="e2", turn_detection=TurnDetection(threshold=0.6)),
    fx.CreateMessage(event_id="e3", item_id="i3", role="user", text="Hello"),
    fx.CreateMessage(event_id="e4", item_id="i4", role="assistant", text="Hello to you"),
    fx.CreateFunctionOutput(event_id="e5", item_id="i5", call_id="call_1", output="[]"),
    fx.CreateResponse(event_id="e6", instructions="Greet", output="text", metadata={"k": "v"}),
    fx.CreateResponse(event_id="e7"),
    fx.CancelResponse(event_id="e8", response_id="r"),
    fx.TruncateItem(event_id="e9", item_id="i", content_index=0, audio_end_ms=10),
    fx.DeleteItem(event_id="e10", item_id="i"),
    fx.ClearInput(event_id="e11"),
    fx.CommitInput(event_id="e12"),
    fx.AppendAudio(event_id="", pcm=bytes(960)),
]
ORACLES: dict[str, TypeAdapter[Any]] = {"ga": TypeAdapter(RealtimeClientEvent), "beta": TypeAdapter(BetaClientEvent)}

every_server = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)


def recorded(dialect: Dialect) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((RECORDED / f"{dialect.name}.json").read_text(encoding="utf-8"))
    return document


def session_with(dialect: Dialect) -> tuple[Wire, dict[str, Any], list[Decoded]]:
    """Open a session as the link does, hear all that was recorded; return what we asked for and what we heard."""
    wire, received = Wire(dialect), recorded(dialect)["received"]
    (created,) = wire.decode(received[0])
    assert isinstance(created, SessionTold)
    opening = wire.opening(CONFIG)
    return wire, opening, [decoded for message in received[1:] for decoded in wire.decode(message)]


@every_server
def test_what_a_server_says_is_one_turn_of_the_visitor_and_its_answer(dialect: Dialect) -> None:
    story = recorded(dialect)["story"]
    _, _, heard = session_with(dialect)

    def of(kind: type[Any]) -> Iterator[Any]:
        return (event for event in heard if isinstance(event, kind))

    assert [event.kind for event in of(Nonsense)] == story.get("unknown", [])
    order = [type(event) for event in heard if isinstance(event, ev.Event)]
    first = [order.index(kind) for kind in (ev.SpeechStarted, ev.SpeechStopped, ev.ResponseCreated, ev.AudioDelta)]
    assert first == sorted(first)
    assert next(of(ev.ItemAdded)).item_id == next(of(ev.InputCommitted)).item_id == next(of(ev.SpeechStarted)).item_id
    assert next(of(ev.UserTranscriptDone)).transcript == story["visitor"]
    assert next(of(ev.AssistantTextDone)).text == story["assistant"]
    said = {event.item_id: b"" for event in of(ev.AudioDelta)}
    for event in of(ev.AudioDelta):
        said[event.item_id] += event.pcm
    assert [len(pcm) for pcm in said.values()] == [story["audio_ms"] * BYTES_PER_MS]
    assert next(of(ev.AudioDone)).item_id in said
    done = list(of(ev.ResponseDone))
    assert {event.status for event in done} == {"completed"}
    assert (done[0].usage.total if done[0].usage else None) == story["tokens"]


@every_server
def test_a_function_call_is_found_wherever_the_server_tells_it(dialect: Dialect) -> None:
    _, _, heard = session_with(dialect)
    told = [event for event in heard if isinstance(event, ev.FunctionCalled)]
    told += [call for event in heard if isinstance(event, ev.ResponseDone) for call in event.calls]
    calls = {call.call_id: [call.name, call.arguments] for call in told}
    assert list(calls.values()) == recorded(dialect)["story"]["calls"]


@every_server
def test_the_session_that_a_server_tells_is_compared_with_what_it_was_asked_for(dialect: Dialect) -> None:
    wire, _, heard = session_with(dialect)
    told = next(event for event in heard if isinstance(event, SessionTold))
    view, differences = wire.confirm(CONFIG, told.session)
    assert view.instructions == "Be kind"
    assert view.turn_detection is not None
    assert not any("format" in difference for difference in differences), differences
    if "create_response" in dialect.lacks:
        assert view.turn_detection.create_response


@every_server
def test_a_server_is_asked_in_its_own_shape_for_what_it_has(dialect: Dialect) -> None:
    wire, opening, _ = session_with(dialect)
    assert opening == json.loads((RECORDED / "asked" / f"{dialect.name}.json").read_text(encoding="utf-8"))
    for effect in EFFECTS:
        message = wire.encode(effect)
        lacking = isinstance(effect, fx.ToService) and feature_of(effect) in dialect.lacks
        assert isinstance(message, Unsent) is lacking, effect


@every_server
def test_what_is_sent_is_known_to_openais_types_but_for_the_servers_own_ways(dialect: Dialect) -> None:
    wire, opening, _ = session_with(dialect)
    oracle = ORACLES[wire.shape]
    for message in [opening, *map(wire.encode, EFFECTS)]:
        if not isinstance(message, Unsent):
            parsed = oracle.validate_python(by_the_book(message, dialect))
            assert unknown_fields(parsed) == [], message


def by_the_book(message: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    """Undo what is this server's own way, which openai's types cannot know."""
    session = dict(message.get("session", {}))
    if not session:
        return message
    if dialect.at_the_top:
        session |= {"type": "realtime", "audio": {}}
        session.pop("voice", None)
        session.pop("turn_detection", None)
    if dialect.nested_tools and "tools" in session:
        session["tools"] = [{"type": "function", **tool["function"]} for tool in session["tools"]]
    for name in ("input_audio_format", "output_audio_format"):
        if session.get(name) == dialect.beta_pcm:
            session[name] = "pcm16"
    return {**message, "session": session}


def unknown_fields(value: object) -> list[str]:
    """Return the names that openai's models accepted only because they accept anything."""
    if isinstance(value, BaseModel):
        found = list(value.model_extra or {})
        return found + [name for field in type(value).model_fields for name in unknown_fields(getattr(value, field))]
    return [name for entry in value for name in unknown_fields(entry)] if isinstance(value, list) else []


def test_every_recording_is_of_a_server_of_the_table_and_says_where_it_is_from() -> None:
    assert {path.stem for path in RECORDED.glob("*.json")} == DIALECTS.keys()
    assert {path.stem for path in (RECORDED / "asked").glob("*.json")} == DIALECTS.keys()
    for dialect in DIALECTS.values():
        assert recorded(dialect)["source"]
        assert not any(
            isinstance(decoded, NotNeeded) for decoded in Wire(dialect).decode(recorded(dialect)["received"][0])
        )
