"""What a session says and hears in its server's dialect. Whole sessions of every server are in `test_recorded.py`."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.events import TurnDetection
from voicebotd.realtime.dialects import DIALECTS, Dialect
from voicebotd.realtime.encode import append_audio
from voicebotd.realtime.protocol import NotNeeded, SessionTold
from voicebotd.realtime.session import FunctionTool, RemoteServer, SessionConfig, full_update
from voicebotd.realtime.wire import Unsent, Wire

CONFIG = SessionConfig(model="m", instructions="Be kind")
PLACE = {"response_id": "r", "item_id": "i", "output_index": 1, "content_index": 0}
GENERIC = DIALECTS["generic"]
FLAT = {"modalities": ["text", "audio"], "voice": "v"}


def opened(dialect: Dialect, created: dict[str, Any] | None = None) -> Wire:
    wire = Wire(dialect)
    wire.decode({"type": "session.created", "session": created or {}})
    return wire


def updated(wire: Wire, input_hz: int, output_hz: int) -> None:
    formats = {"input": input_hz, "output": output_hz}
    audio = {direction: {"format": {"type": "audio/pcm", "rate": hz}} for direction, hz in formats.items()}
    wire.decode({"type": "session.updated", "session": {"type": "realtime", "audio": audio}})


def audio(pcm: bytes, **place: Any) -> dict[str, Any]:
    return {"type": "response.output_audio.delta", **PLACE, **place, "delta": b64encode(pcm).decode()}


def tone(samples: int) -> bytes:
    return (8000 * np.sin(np.arange(samples) / 9)).astype("<i2").tobytes()


def said(message: dict[str, Any] | Unsent) -> dict[str, Any]:
    assert isinstance(message, dict)
    return message


# --- What is said ----------------------------------------------------------------------------------------------------


def test_openai_is_spoken_to_in_the_ga_shape() -> None:
    wire = Wire(DIALECTS["openai"])
    assert wire.opening(CONFIG) == full_update(CONFIG)
    assert wire.append_audio(b"\1\0") == append_audio(b"\1\0")
    assert wire.encode(fx.AppendAudio(event_id="", pcm=b"\1\0")) == append_audio(b"\1\0")
    assert wire.encode(fx.UpdateSession(event_id="e", instructions="Be brief")) == {
        "type": "session.update",
        "event_id": "e",
        "session": {"type": "realtime", "instructions": "Be brief"},
    }
    deleted = wire.encode(fx.DeleteItem(event_id="e", item_id="item_1"))
    assert deleted == {"type": "conversation.item.delete", "event_id": "e", "item_id": "item_1"}


def test_a_server_of_unknown_shape_is_spoken_to_as_its_first_session_shows() -> None:
    assert opened(GENERIC, {"type": "realtime"}).shape == "ga"
    assert opened(GENERIC, FLAT).shape == "beta"
    silent = opened(GENERIC, {"id": "s"})
    assert silent.shape == "ga"
    silent.decode({"type": "session.updated", "session": FLAT})
    assert silent.shape == "beta"


def test_a_shape_that_is_laid_down_stays_whatever_the_server_shows() -> None:
    wire = opened(replace(GENERIC, shape="ga"), FLAT)
    assert wire.shape == "ga"
    assert wire.opening(CONFIG)["session"]["type"] == "realtime"


def test_a_message_is_flat_for_a_flat_server() -> None:
    created = said(opened(GENERIC, FLAT).encode(fx.CreateResponse(event_id="e", output="text")))
    assert created["response"] == {"modalities": ["text"]}


def test_tools_are_nested_for_a_server_that_wants_them_so() -> None:
    config = replace(CONFIG, tools=(FunctionTool(name="f", description="d", parameters={}),))
    (tool,) = Wire(DIALECTS["qwen"]).opening(config)["session"]["tools"]
    assert tool == {"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}


def test_the_names_that_only_openai_has_are_left_to_the_servers_own_choice() -> None:
    wire = Wire(DIALECTS["localai"])
    assert "voice" not in wire.opening(CONFIG)["session"]["audio"]["output"]
    assert "transcription" not in wire.opening(CONFIG)["session"]["audio"]["input"]
    german = wire.opening(replace(CONFIG, transcription_language="de"))["session"]["audio"]["input"]
    assert german["transcription"] == {"language": "de"}
    own = wire.opening(replace(CONFIG, voice="alba", transcription_model="whisper-large-turbo"))["session"]["audio"]
    assert (own["output"]["voice"], own["input"]["transcription"]) == ("alba", {"model": "whisper-large-turbo"})
    assert wire.opening(replace(CONFIG, transcription_model=None))["session"]["audio"]["input"]["transcription"] is None


def test_microphone_audio_is_converted_to_the_rate_that_a_server_hears_at() -> None:
    wire, frame = Wire(DIALECTS["qwen"]), tone(480)
    sent = b"".join(b64decode(wire.append_audio(frame)["audio"]) for _ in range(50))
    assert 0.98 < len(sent) / (50 * len(frame) * 2 / 3) <= 1


def test_audio_is_converted_where_a_server_tells_another_rate_than_it_was_asked_for() -> None:
    wire = opened(GENERIC, {"type": "realtime"})
    updated(wire, 48_000, 24_000)
    sent = b"".join(b64decode(wire.append_audio(tone(480))["audio"]) for _ in range(50))
    assert 1.9 < len(sent) / (50 * 960) <= 2
    converter = wire._up
    updated(wire, 48_000, 24_000)
    assert wire._up is converter  # the same again does not break the stream


# --- What is left unsaid ---------------------------------------------------------------------------------------------


def test_what_a_server_lacks_is_not_sent() -> None:
    wire = Wire(DIALECTS["speech-to-speech"])
    truncate = fx.TruncateItem(event_id="e", item_id="i", content_index=0, audio_end_ms=5)
    assert wire.encode(truncate) == Unsent(feature="truncate")


def test_who_waits_for_what_is_not_sent_gets_an_error_in_the_servers_name() -> None:
    unsent = Wire(DIALECTS["qwen"]).encode(fx.CreateMessage(event_id="e", item_id="i", role="user", text="t"))
    assert isinstance(unsent, Unsent)
    assert unsent.answer is not None
    assert (unsent.answer.event_id, unsent.answer.code) == ("e", "not_supported")
    assert "voicebotctl send" in unsent.answer.message


@pytest.mark.parametrize("kind", ["none", "local"])
def test_turns_by_hand_are_refused_where_nobody_but_the_server_can_end_one(kind: Any) -> None:
    by_hand = fx.UpdateSession(event_id="e", turn_detection=TurnDetection(type=kind))
    unsent = Wire(DIALECTS["speech-to-speech"]).encode(by_hand)
    assert isinstance(unsent, Unsent)
    assert unsent.answer is not None
    assert "cannot end a turn" in unsent.answer.message
    assert isinstance(Wire(DIALECTS["openai"]).encode(by_hand), dict)


def test_a_server_that_ends_every_turn_by_itself_is_asked_to_do_so_even_where_the_box_was_to() -> None:
    by_hand = replace(CONFIG, turn_detection=TurnDetection(type="local"))
    for name, kind in (("speech-to-speech", {"type": "server_vad", "threshold": 0.85}), ("openai", None)):
        detection = Wire(DIALECTS[name]).opening(by_hand)["session"]["audio"]["input"]["turn_detection"]
        assert detection == kind or (kind is not None and kind.items() <= detection.items())


def test_a_server_that_does_not_listen_for_sense_is_asked_to_go_by_loudness_and_silence() -> None:
    by_sense = TurnDetection(type="semantic_vad", eagerness="low")
    wire, config = Wire(DIALECTS["grok"]), replace(CONFIG, turn_detection=by_sense)
    assert wire.opening(config)["session"]["turn_detection"]["type"] == "server_vad"
    change = said(wire.encode(fx.UpdateSession(event_id="e", turn_detection=by_sense)))["session"]["turn_detection"]
    assert (change["type"], change["silence_duration_ms"]) == ("server_vad", 1200)
    assert any(sentence.startswith("semantic_vad: ") for sentence in wire.missing(config))
    assert not any("semantic_vad" in sentence for sentence in wire.missing(CONFIG))
    heard = Wire(DIALECTS["localai"]).opening(config)["session"]["audio"]["input"]["turn_detection"]
    assert heard["type"] == "semantic_vad"


def test_a_server_that_only_speaks_is_not_asked_to_write() -> None:
    written = fx.CreateResponse(event_id="e", instructions="i", output="text", calls_functions=False)
    assert said(Wire(DIALECTS["grok"]).encode(written))["response"] == {"instructions": "i"}
    assert said(Wire(DIALECTS["grok"]).encode(replace(written, instructions=None))) == {
        "type": "response.create",
        "event_id": "e",
    }


def test_a_call_that_cannot_be_told_is_not_answered_either() -> None:
    wire = Wire(DIALECTS["qwen"])
    call = fx.CreateFunctionCall(event_id="e", item_id="i", call_id="c", name="f", arguments="{}")
    output = fx.CreateFunctionOutput(event_id="e2", item_id="i2", call_id="c", output="[]")
    assert isinstance(wire.encode(output), dict)
    assert isinstance(wire.encode(call), Unsent)
    assert wire.encode(output) == Unsent(feature="messages")
    assert isinstance(wire.encode(replace(output, call_id="its_own")), dict)


def test_a_setting_that_a_server_lacks_is_left_out_also_of_a_live_change() -> None:
    change = fx.UpdateSession(event_id="e", turn_detection=TurnDetection(create_response=False))
    detection = said(Wire(DIALECTS["grok"]).encode(change))["session"]["turn_detection"]
    assert "create_response" not in detection
    assert detection["threshold"] == 0.85


def test_what_is_missing_is_told_in_words_and_a_setting_only_where_it_is_wanted() -> None:
    wire = Wire(DIALECTS["localai"])
    plain = replace(CONFIG, noise_reduction=None)
    assert wire.missing(plain) == ()
    assert wire.missing(CONFIG) == ("noise_reduction: session.noise_reduction has no effect",)
    assert wire.missing(replace(plain, speed=1.2)) == ("speed: session.speed has no effect",)
    by_box = replace(plain, turn_detection=TurnDetection(create_response=False))
    assert [sentence.split(":")[0] for sentence in wire.missing(by_box)] == ["create_response"]
    assert Wire(DIALECTS["openai"]).missing(CONFIG) == ()


def test_the_flat_shape_itself_lacks_what_is_newer() -> None:
    assert {"truncation", "idle_timeout"} <= opened(GENERIC, FLAT).lacks
    waits = replace(CONFIG, turn_detection=TurnDetection(idle_timeout_ms=6000))
    assert opened(GENERIC, FLAT).missing(waits) == ("idle_timeout: turn_detection.idle_timeout_ms has no effect",)


@pytest.mark.parametrize(
    ("code", "message", "learned"),
    [
        ("unknown_or_invalid_event", "Unknown or invalid event: conversation.item.truncate", True),
        ("", "conversation.item.truncate is not implemented", True),
        ("unsupported_content_type", "Only model output audio messages can be truncated", False),
        ("item_truncate_invalid_item_id", "unknown item", False),
    ],
)
def test_a_server_that_does_not_know_a_message_is_not_told_it_again(code: str, message: str, learned: bool) -> None:
    wire = opened(GENERIC)
    truncate = fx.TruncateItem(event_id="e", item_id="i", content_index=0, audio_end_ms=5)
    assert isinstance(wire.encode(truncate), dict)
    wire.decode({"type": "error", "error": {"code": code, "message": message, "event_id": "e"}})
    assert isinstance(wire.encode(replace(truncate, event_id="e2")), Unsent) is learned


def test_openai_is_not_taken_to_have_forgotten_its_own_protocol() -> None:
    wire = Wire(DIALECTS["openai"])
    wire.encode(fx.DeleteItem(event_id="e", item_id="i"))
    wire.decode({"type": "error", "error": {"message": "not supported", "event_id": "e"}})
    assert wire.lacks == frozenset()


def test_only_the_latest_messages_are_remembered_for_an_error_about_them() -> None:
    wire = opened(GENERIC)
    for number in range(65):
        wire.encode(fx.DeleteItem(event_id=f"e{number}", item_id="i"))
    wire.decode({"type": "error", "error": {"message": "not supported", "event_id": "e0"}})
    assert "delete" not in wire.lacks
    wire.decode({"type": "error", "error": {"message": "not supported", "event_id": "e1"}})
    assert "delete" in wire.lacks


# --- What is heard ---------------------------------------------------------------------------------------------------


def test_an_event_means_what_it_means_with_everybody() -> None:
    message = {"type": "conversation.item.deleted", "item_id": "item_1"}
    assert Wire(DIALECTS["openai"]).decode(message) == (ev.ItemDeleted(item_id="item_1"),)


def test_a_server_may_open_with_another_event_than_openai() -> None:
    opening = {"type": "conversation.created", "conversation": {"id": "c"}}
    assert Wire(DIALECTS["grok"]).decode(opening) == (SessionTold(name="created", session={}),)
    assert Wire(DIALECTS["openai"]).decode(opening) == (NotNeeded(),)


def test_speech_without_a_position_began_and_ended_where_the_audio_is_now() -> None:
    wire = opened(GENERIC)
    wire.append_audio(bytes(48 * 250))
    assert wire.decode({"type": "input_audio_buffer.speech_started", "item_id": "i"}) == (
        ev.SpeechStarted(item_id="i", audio_start_ms=250),
    )
    wire.append_audio(bytes(48 * 100))
    assert wire.decode({"type": "input_audio_buffer.speech_stopped", "item_id": "i", "audio_end_ms": None}) == (
        ev.SpeechStopped(item_id="i", audio_end_ms=350),
    )
    told = {"type": "input_audio_buffer.speech_stopped", "item_id": "i", "audio_end_ms": 7}
    assert wire.decode(told) == (ev.SpeechStopped(item_id="i", audio_end_ms=7),)


def test_audio_at_another_rate_is_played_at_ours_and_complete_at_its_end() -> None:
    wire = opened(replace(GENERIC, output_rate_hz=16_000))
    heard = [event for _ in range(10) for event in wire.decode(audio(tone(160)))]
    end = wire.decode({"type": "response.output_audio.done", **PLACE})
    pcm = b"".join(event.pcm for event in [*heard, *end] if isinstance(event, ev.AudioDelta))
    assert len(pcm) == 10 * 160 * 2 * 3 // 2
    assert isinstance(end[-1], ev.AudioDone)
    assert isinstance(end[0], ev.AudioDelta)
    assert (end[0].item_id, end[0].output_index) == ("i", 1)


def test_a_piece_too_short_to_convert_is_held_back_until_more_comes() -> None:
    wire = opened(replace(GENERIC, output_rate_hz=16_000))
    assert wire.decode(audio(tone(1))) == ()


def test_the_rest_of_what_was_cut_off_is_not_played_into_the_next_answer() -> None:
    wire = opened(replace(GENERIC, output_rate_hz=16_000))
    wire.decode(audio(tone(160)))
    wire.decode(audio(bytes(2 * 160), item_id="next"))
    end = wire.decode({"type": "response.output_audio.done", **PLACE, "item_id": "next"})
    assert isinstance(end[0], ev.AudioDelta)
    assert (end[0].item_id, set(end[0].pcm)) == ("next", {0})
    assert len(wire.decode({"type": "response.output_audio.done", **PLACE})) == 1


def test_a_server_that_answers_by_itself_is_seen_to_whatever_it_tells() -> None:
    config = replace(CONFIG, turn_detection=TurnDetection(create_response=False, interrupt_response=False))
    told = {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
    view, _ = Wire(DIALECTS["speaches"]).confirm(config, told)
    assert view.turn_detection is not None
    assert (view.turn_detection.create_response, view.turn_detection.interrupt_response) == (True, True)
    view, _ = Wire(DIALECTS["openai"]).confirm(config, told)
    assert view.turn_detection is not None
    assert (view.turn_detection.create_response, view.turn_detection.interrupt_response) == (False, False)
    view, _ = Wire(DIALECTS["openai"]).confirm(config, {"audio": {"input": {"turn_detection": None}}})
    assert view.turn_detection is None


def test_a_server_is_not_held_to_what_it_was_not_asked_for_nor_to_what_it_never_tells() -> None:
    wire = Wire(DIALECTS["speaches"])
    _, differences = wire.confirm(CONFIG, {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}})
    assert any(difference.startswith("instructions") for difference in differences)
    assert not any("noise_reduction" in difference for difference in differences)
    wire.unconfirmed()
    assert wire.confirm(CONFIG, {})[1] == ()
    assert any(sentence.startswith("confirmation") for sentence in wire.missing(CONFIG))


def test_only_openais_own_service_is_asked_to_reach_servers_of_functions() -> None:
    server = RemoteServer(label="docs", url="https://docs.example/mcp")
    config = replace(CONFIG, remote_servers=(server,))
    for name in ("openai", "azure", "rehearsal"):
        wire = Wire(DIALECTS[name])
        assert [tool["type"] for tool in wire.opening(config)["session"]["tools"]] == ["mcp"]
        changed = wire.encode(fx.UpdateSession(event_id="e", tools=()))
        assert isinstance(changed, dict)
        assert [tool["type"] for tool in changed["session"]["tools"]] == ["mcp"]
        assert wire.missing(config) == ()
    wire = Wire(DIALECTS["grok"])
    assert wire.opening(config)["session"]["tools"] == []
    assert "remote_mcp: tools.remote_mcp has no effect" in wire.missing(config)
    assert not any(said.startswith("remote_mcp") for said in wire.missing(CONFIG))
