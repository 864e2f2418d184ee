from __future__ import annotations

import base64
from typing import Any

from voicebotd.rehearsal.items import PCM_BYTES_PER_MS
from voicebotd.rehearsal.moments import ANY, MOMENTS, Moments


def event(type_: str, **fields: Any) -> dict[str, Any]:
    return {"type": type_, **fields}


def created(response_id: str, conversation_id: str | None = "conv") -> dict[str, Any]:
    return event("response.created", response={"id": response_id, "conversation_id": conversation_id})


def audio(response_id: str, ms: int) -> dict[str, Any]:
    delta = base64.b64encode(bytes(ms * PCM_BYTES_PER_MS)).decode()
    return event("response.output_audio.delta", response_id=response_id, delta=delta)


def done(response_id: str) -> dict[str, Any]:
    return event("response.done", response={"id": response_id})


def reached(moments: Moments, *events: dict[str, Any]) -> list[str]:
    """The moments that have a name of their own."""
    return [each.moment for event in events for each in moments.sent(event) if each.moment in MOMENTS]


def test_a_conversation_goes_through_its_moments() -> None:
    call = event("response.output_item.done", item={"type": "function_call"})
    message = event("response.output_item.done", item={"type": "message"})
    assert reached(
        Moments(),
        event("session.created"),
        event("session.updated"),
        event("input_audio_buffer.speech_started"),
        event("input_audio_buffer.committed"),
        created("r1"),
        audio("r1", 200),
        message,
        call,
        done("r1"),
    ) == ["created", "idle", "listening", "committed", "thinking", "speaking", "tool", "idle"]


def test_only_the_first_update_is_the_beginning_of_idleness() -> None:
    assert reached(Moments(), event("session.updated"), event("session.updated")) == ["idle"]


def test_audio_is_counted_for_each_response() -> None:
    moments = Moments()
    events = [created("r1"), audio("r1", 200), audio("r1", 100), done("r1"), created("r2"), audio("r2", 50)]
    told = [each for event in events for each in moments.sent(event) if each.moment == "speaking"]
    assert [each.audio_ms for each in told] == [200, 300, 50]
    assert told[0].turn == told[1].turn != told[2].turn


def test_what_is_out_of_band_is_no_moment_of_the_conversation() -> None:
    moments = Moments()
    assert reached(moments, created("r1", None), audio("r1", 200), done("r1")) == []


def test_every_event_is_a_moment_of_its_type_and_those_that_are_sent_are_any() -> None:
    moments = Moments()
    assert [each.moment for each in moments.sent(event("rate_limits.updated"))] == ["rate_limits.updated", ANY]
    assert [each.moment for each in moments.received(event("response.create"))] == ["response.create"]
    assert [each.moment for each in moments.received({})] == ["None"]


def test_each_time_is_another() -> None:
    moments = Moments()
    turns = [each.turn for _ in range(3) for each in moments.sent(event("input_audio_buffer.committed"))]
    assert len(set(turns)) == len(turns)
