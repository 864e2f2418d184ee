"""The server over a real websocket: the door, the order, the worker thread, the end."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from voicebotd.rehearsal import speech
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS
from voicebotd.rehearsal.script_file import BUNDLED
from voicebotd.rehearsal.server import RehearsalServer, parrot_brain, script_brain

DEADLINE_S = 20
FAST = 1000.0
SILENCE = bytes(1500 * PCM_BYTES_PER_MS)
Event = dict[str, Any]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RehearsalServer]:
    async with RehearsalServer(brain=script_brain(BUNDLED / "demo.yaml"), speed=FAST) as serving:
        yield serving


async def send(link: ClientConnection, type_: str, **fields: Any) -> None:
    await link.send(json.dumps({"type": type_, **fields}))


async def speak(link: ClientConnection, pcm: bytes) -> None:
    for at in range(0, len(pcm), 4800):
        await send(link, "input_audio_buffer.append", audio=base64.b64encode(pcm[at : at + 4800]).decode())


async def until(link: ClientConnection, type_: str) -> list[Event]:
    events: list[Event] = []
    async with asyncio.timeout(DEADLINE_S):
        while not events or events[-1]["type"] != type_:
            events.append(json.loads(await link.recv()))
    return events


def heard(events: list[Event]) -> bytes:
    return b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta")


async def turn_detection(link: ClientConnection, **changes: Any) -> None:
    given = {"type": "server_vad", **changes}
    await send(link, "session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": given}}})
    await until(link, "session.updated")


@pytest.mark.asyncio
async def test_a_spoken_turn_is_heard_and_answered_with_the_scripts_audio(server: RehearsalServer) -> None:
    async with connect(server.url) as link:
        await speak(link, speech.clip("visitor_booking").pcm + SILENCE)
        events = await until(link, "response.done")
    assert heard(events) == speech.clip("assistant_services").pcm


@pytest.mark.asyncio
async def test_a_visitor_interrupts_and_is_answered() -> None:
    async with RehearsalServer(brain=script_brain(BUNDLED / "demo.yaml"), speed=2.0) as slow, connect(slow.url) as link:
        await speak(link, speech.clip("visitor_booking").pcm + SILENCE)
        await until(link, "response.output_audio.delta")
        await speak(link, speech.clip("visitor_interrupts").pcm + SILENCE)
        cancelled = (await until(link, "response.done"))[-1]["response"]
        assert cancelled["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        assert (await until(link, "response.created"))[-1]["response"]["id"] != cancelled["id"]


@pytest.mark.asyncio
@pytest.mark.parametrize(("threshold", "turns"), [(0.5, 1), (1.0, 0)])
async def test_the_threshold_decides_what_is_heard(server: RehearsalServer, threshold: float, turns: int) -> None:
    async with connect(server.url) as link:
        await turn_detection(link, threshold=threshold, create_response=False)
        await speak(link, speech.clip("visitor_goodbye").pcm + SILENCE)
        await send(link, "input_audio_buffer.clear")
        events = await until(link, "input_audio_buffer.cleared")
    assert [event["type"] for event in events].count("input_audio_buffer.speech_started") == turns


@pytest.mark.asyncio
async def test_the_prefix_moves_the_start_and_the_silence_moves_the_end(server: RehearsalServer) -> None:
    pcm = bytes(1000 * PCM_BYTES_PER_MS) + speech.clip("visitor_goodbye").pcm + SILENCE

    async def measure(prefix_ms: int, silence_ms: int) -> tuple[int, int]:
        async with connect(server.url) as link:
            await turn_detection(
                link, prefix_padding_ms=prefix_ms, silence_duration_ms=silence_ms, create_response=False
            )
            await speak(link, pcm)
            events = await until(link, "input_audio_buffer.speech_stopped")
            return events[0]["audio_start_ms"], events[-1]["audio_end_ms"]

    short, long = await measure(100, 320), await measure(500, 960)
    assert short[0] - long[0] == 400
    assert long[1] - short[1] == 640


@pytest.mark.asyncio
async def test_a_silence_shorter_than_the_pause_makes_two_turns(server: RehearsalServer) -> None:
    pcm = speech.clip("visitor_goodbye").pcm
    pcm += bytes(700 * PCM_BYTES_PER_MS) + pcm + SILENCE

    async def turns(silence_ms: int) -> int:
        async with connect(server.url) as link:
            await turn_detection(link, silence_duration_ms=silence_ms, create_response=False)
            await speak(link, pcm)
            await send(link, "input_audio_buffer.clear")
            events = await until(link, "input_audio_buffer.cleared")
            return [event["type"] for event in events].count("input_audio_buffer.committed")

    assert (await turns(500), await turns(1200)) == (2, 1)


@pytest.mark.asyncio
async def test_a_parrot_says_back_what_it_heard() -> None:
    async with RehearsalServer(brain=parrot_brain(), speed=FAST) as server, connect(server.url) as link:
        clip = speech.clip("visitor_goodbye").pcm
        await turn_detection(link, prefix_padding_ms=1000)
        await speak(link, clip + SILENCE)
        events = await until(link, "response.done")
    assert heard(events)[: len(clip)] == clip
    assert events[-1]["response"]["output"][0]["content"][0]["transcript"].endswith("s of your own voice)")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("key", "query", "beta", "code", "close_code"),
    [
        ("sk-wrong-one", "?model=m", False, "invalid_api_key", 3000),
        ("sk-1", "?model=no-such-model", False, "model_not_found", 4004),
        ("sk-1", "?model=m", True, "beta_api_shape_disabled", 4000),
    ],
)
async def test_who_is_not_let_in_is_told_why_and_then_closed(
    server: RehearsalServer, key: str, query: str, beta: bool, code: str, close_code: int
) -> None:
    headers = {"Authorization": f"Bearer {key}"} | ({"OpenAI-Beta": "realtime=v1"} if beta else {})
    async with connect(server.url + query, additional_headers=headers) as link:
        assert json.loads(await link.recv())["error"]["code"] == code
        with pytest.raises(ConnectionClosed):
            await link.recv()
    assert (link.close_code, link.close_reason) == (close_code, f"invalid_request_error.{code}")


@pytest.mark.asyncio
async def test_another_path_is_not_found(server: RehearsalServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(server.url.replace("/v1/", "/v2/"))
    assert refused.value.response.status_code == 404


@pytest.mark.asyncio
async def test_a_message_that_is_no_event_leaves_the_session_open(server: RehearsalServer) -> None:
    async with connect(server.url) as link:
        await link.send(b"{}")
        await link.send("{")
        await send(link, "session.update", session={"type": "realtime"})
        events = await until(link, "session.updated")
    assert [event["type"] for event in events] == ["session.created", "error", "error", "session.updated"]


@pytest.mark.asyncio
async def test_an_expired_session_is_closed_by_the_server() -> None:
    async with RehearsalServer(brain=parrot_brain(), session_s=0.0) as server, connect(server.url) as link:
        assert (await until(link, "error"))[-1]["error"]["code"] == "session_expired"
        with pytest.raises(ConnectionClosed):
            await link.recv()
    assert link.close_code == 1001


@pytest.mark.asyncio
async def test_a_client_that_leaves_in_the_middle_of_a_reply_leaves_the_server_well() -> None:
    async with RehearsalServer(brain=script_brain(BUNDLED / "demo.yaml"), speed=1.0) as slow:
        async with connect(slow.url) as link:
            await send(link, "response.create")
            await until(link, "response.output_audio.delta")
            link.transport.abort()
        async with connect(slow.url) as link:
            assert (await until(link, "session.created"))[-1]["session"]["model"]


@pytest.mark.asyncio
async def test_what_the_server_received_can_be_awaited_and_read(server: RehearsalServer) -> None:
    async with connect(server.url) as link:
        await speak(link, bytes(4800))
        await send(link, "response.create", response={"instructions": "Be brief."})
        event = await server.journal.until_received(
            lambda event: event["type"] == "response.create", timeout_s=DEADLINE_S
        )
    assert event["response"] == {"instructions": "Be brief."}
    assert server.received == [event]
    assert (server.journal.appends, server.journal.appended_bytes) == (1, 4800)


@pytest.mark.asyncio
async def test_two_sessions_do_not_share_a_script(server: RehearsalServer) -> None:
    async with connect(server.url) as one, connect(server.url) as two:
        for link in (one, two):
            await send(link, "response.create")
            events = await until(link, "response.done")
            assert heard(events) == speech.clip("assistant_greeting").pcm


@pytest.mark.asyncio
async def test_the_journal_tells_a_session_from_its_begin_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    async with (
        RehearsalServer(brain=parrot_brain(), speed=FAST, journal=path) as server,
        connect(server.url + "?model=m") as link,
    ):
        await send(link, "response.create")
        await until(link, "response.done")
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert entries[0]["event"] == {"type": "opened", "model": "m"}
    assert entries[-1]["event"] == {"type": "closed", "code": 1000}
    assert [entry["event"]["type"] for entry in entries if entry["direction"] == "received"] == ["response.create"]
    assert entries == sorted(entries, key=lambda entry: entry["t"])
