"""Every rehearsed fault as a client meets it, over a real websocket."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidMessage, InvalidStatus

from voicebotd.rehearsal import speech
from voicebotd.rehearsal.fault_table import DENIALS, EXPIRED, KINDS
from voicebotd.rehearsal.fault_words import FaultWordsError
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS
from voicebotd.rehearsal.server import RehearsalServer, script_brain

DEADLINE_S = 20
FAST = 1000.0
NOTHING_S = 0.3
"""So long nothing must happen where nothing is to happen."""
SCRIPT = """
turns:
  - {says: {audio: assistant_idle}, calls: [{name: find}]}
  - says: {audio: assistant_goodbye}
"""
Event = dict[str, Any]

pytestmark = pytest.mark.asyncio


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def serve(script: Path) -> Any:
    def make(*faults: str, seed: int = 1) -> RehearsalServer:
        return RehearsalServer(brain=script_brain(script), speed=FAST, faults=faults, rng=random.Random(seed))

    return make


@asynccontextmanager
async def opened(server: RehearsalServer, **options: Any) -> AsyncIterator[ClientConnection]:
    async with connect(server.url, max_size=None, compression=None, **options) as link:
        yield link


async def send(link: ClientConnection, type_: str, **fields: Any) -> None:
    await link.send(json.dumps({"type": type_, **fields}))


async def until(link: ClientConnection, type_: str) -> list[Event]:
    events: list[Event] = []
    async with asyncio.timeout(DEADLINE_S):
        while not events or events[-1]["type"] != type_:
            events.append(json.loads(await link.recv()))
    return events


async def until_closed(link: ClientConnection) -> tuple[list[Event], ConnectionClosed]:
    events: list[Event] = []
    async with asyncio.timeout(DEADLINE_S):
        try:
            while True:
                events.append(json.loads(await link.recv()))
        except ConnectionClosed as closed:
            return events, closed


async def until_silent(link: ClientConnection) -> list[Event]:
    events: list[Event] = []
    try:
        while True:
            async with asyncio.timeout(NOTHING_S):
                events.append(json.loads(await link.recv()))
    except TimeoutError:
        return events


async def converse(link: ClientConnection) -> None:
    """Everything that a session goes through: configured, spoken to, calling a function, and done with that."""
    await send(link, "session.update", session={"type": "realtime"})
    pcm = speech.clip("visitor_goodbye").pcm + bytes(1000 * PCM_BYTES_PER_MS)
    for at in range(0, len(pcm), 9600):
        await send(link, "input_audio_buffer.append", audio=base64.b64encode(pcm[at : at + 9600]).decode())
    await until(link, "response.done")
    await send(link, "response.create")
    await until(link, "response.done")


# --- Before there is a session ---------------------------------------------------------------------------------------


async def test_nobody_listens_for_a_while_and_then_again_at_the_same_address(serve: Any) -> None:
    async with serve("refuse=0.2") as server:
        with pytest.raises(ConnectionRefusedError):
            await connect(server.url)
        assert server.journal.faults == ["refuse=0.2"]
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    async with opened(server) as link:
                        await until(link, "session.created")
                        return
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)


async def test_an_address_can_go_away_in_time_and_take_the_sessions_with_it(serve: Any) -> None:
    async with serve("down=60/after0.1s") as server, opened(server) as link:
        await until(link, "session.created")
        _, closed = await until_closed(link)
        assert isinstance(closed.__cause__, ConnectionResetError)
        with pytest.raises(ConnectionRefusedError):
            await connect(server.url)


async def test_a_shut_door_leaves_the_sessions_alone(serve: Any) -> None:
    async with serve() as server, opened(server) as link:
        await until(link, "session.created")
        assert await server.inject("refuse=60") == 0
        with pytest.raises(ConnectionRefusedError):
            await connect(server.url)
        await send(link, "session.update", session={"type": "realtime"})
        await until(link, "session.updated")


@pytest.mark.parametrize("fault", ["mute", "stall@handshake", "half-open@handshake"])
async def test_an_opening_request_is_never_answered(serve: Any, fault: str) -> None:
    async with serve(fault) as server:
        with pytest.raises(TimeoutError):
            await connect(server.url, open_timeout=NOTHING_S)
        async with opened(server) as link:
            await until(link, "session.created")


@pytest.mark.parametrize("fault", ["rst@handshake", "fin@handshake"])
async def test_an_opening_request_is_hung_up_on(serve: Any, fault: str) -> None:
    async with serve(fault) as server:
        with pytest.raises((ConnectionResetError, InvalidMessage)):
            await connect(server.url)
        async with opened(server) as link:
            await until(link, "session.created")


@pytest.mark.parametrize("status", [401, 403, 429, 503])
async def test_an_opening_request_is_answered_with_a_status(serve: Any, status: int) -> None:
    async with serve(f"status={status}:7/2") as server:
        for _ in range(2):
            with pytest.raises(InvalidStatus) as refused:
                await connect(server.url)
            assert refused.value.response.status_code == status
            assert refused.value.response.headers["Retry-After"] == "7"
        async with opened(server) as link:
            await until(link, "session.created")


@pytest.mark.parametrize("code", DENIALS)
async def test_every_session_is_denied_with_an_error_and_a_close(serve: Any, code: str) -> None:
    async with serve(f"denied={code}") as server:
        for _ in range(2):
            async with opened(server) as link:
                (event,), closed = await until_closed(link)
            assert event["error"]["code"] == code
            assert closed.rcvd is not None
            assert closed.rcvd.code == DENIALS[code]
            assert closed.rcvd.reason == f"{event['error']['type']}.{code}"


# --- Ends ------------------------------------------------------------------------------------------------------------

LAST_BEFORE = {
    "created": "session.created",
    "idle": "session.updated",
    "listening": "input_audio_buffer.speech_started",
    "committed": "input_audio_buffer.committed",
    "thinking": "response.created",
    "speaking+100": "response.output_audio.delta",
    "tool": "response.output_item.done",
    "response.done": "response.done",
    "input_audio_buffer.append#1": "session.updated",
}


@pytest.mark.parametrize("moment", LAST_BEFORE)
async def test_a_session_is_closed_at_any_moment(serve: Any, moment: str) -> None:
    async with serve(f"close=4321:because@{moment}") as server, opened(server) as link:
        talk = asyncio.create_task(send_turn(link))
        events, closed = await until_closed(link)
        await asyncio.wait({talk})
        talk.exception()
    assert closed.rcvd is not None
    assert (closed.rcvd.code, closed.rcvd.reason) == (4321, "because")
    assert events[-1]["type"] == LAST_BEFORE[moment]


async def send_turn(link: ClientConnection) -> None:
    await send(link, "session.update", session={"type": "realtime"})
    pcm = speech.clip("visitor_goodbye").pcm + bytes(1000 * PCM_BYTES_PER_MS)
    for at in range(0, len(pcm), 9600):
        await send(link, "input_audio_buffer.append", audio=base64.b64encode(pcm[at : at + 9600]).decode())


async def test_a_reset_and_an_end_without_a_close_frame_are_two_things(serve: Any) -> None:
    causes = []
    for fault in ("rst@created", "fin@created"):
        async with serve(fault) as server, opened(server) as link:
            _, closed = await until_closed(link)
            assert closed.rcvd is None
            causes.append(isinstance(closed.__cause__, ConnectionResetError))
    assert causes == [True, False]


@pytest.mark.parametrize(("fault", "told"), [("expire=0.1", ["session.created", "error"]), ("going-away=0.1", None)])
async def test_every_session_ends_at_an_age(serve: Any, fault: str, told: list[str] | None) -> None:
    async with serve(fault) as server:
        for _ in range(2):
            async with opened(server) as link:
                events, closed = await until_closed(link)
            assert [event["type"] for event in events] == (told or ["session.created"])
            assert closed.rcvd is not None
            assert (closed.rcvd.code, closed.rcvd.reason) == (1001, EXPIRED if told else "")


# --- Silence ---------------------------------------------------------------------------------------------------------


async def test_a_stalled_session_says_nothing_but_lives(serve: Any) -> None:
    async with serve("stall@created") as server, opened(server) as link:
        await until(link, "session.created")
        await send(link, "session.update", session={"type": "realtime"})
        assert await until_silent(link) == []
        async with asyncio.timeout(DEADLINE_S):
            await (await link.ping())


async def test_a_half_open_link_answers_no_ping_and_is_reset_in_the_end(serve: Any) -> None:
    async with serve(f"half-open={2 * NOTHING_S}@created") as server, opened(server, ping_interval=None) as link:
        await until(link, "session.created")
        pong = await link.ping()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(pong), NOTHING_S)
        _, closed = await until_closed(link)
        assert isinstance(closed, ConnectionClosedError)
        await asyncio.wait({pong})
        pong.exception()


@pytest.mark.parametrize(("faults", "in_time"), [((), True), (("slow-reader=16",), False)])
async def test_a_slow_reader_makes_who_sends_wait(serve: Any, faults: tuple[str, ...], in_time: bool) -> None:
    async with serve(*faults) as server, opened(server, write_limit=4096) as link:
        await until(link, "session.created")
        reading = asyncio.create_task(until_closed(link))
        try:
            async with asyncio.timeout(DEADLINE_S if in_time else 1.5):
                for _ in range(100):
                    await link.send("x" * 100_000)
            done = True
        except TimeoutError:
            done = False
            link.transport.abort()
        assert done == in_time
        await link.close()
        await reading


# --- What is sent ----------------------------------------------------------------------------------------------------


async def test_frames_that_are_no_events(serve: Any) -> None:
    async with serve("garbage@created", "binary@created", "huge=20@created") as server, opened(server) as link:
        async with asyncio.timeout(DEADLINE_S):
            _, garbage, binary, huge = [await link.recv() for _ in range(4)]
    with pytest.raises(ValueError):  # noqa: PT011 - json's own
        json.loads(garbage)
    assert isinstance(binary, bytes)
    assert len(huge) > 20_000_000
    assert json.loads(huge)["type"] == "rehearsal.padding"


async def test_events_of_an_unknown_type_and_errors_of_any_code(serve: Any) -> None:
    async with serve("unknown-event@created", "error=cannot_update_voice@created") as server, opened(server) as link:
        _, unknown, error = await until(link, "error")
        assert unknown["type"] == "rehearsal.surprise"
        assert (error["error"]["code"], error["error"]["type"]) == ("cannot_update_voice", "invalid_request_error")
        await send(link, "session.update", session={"type": "realtime"})
        await until(link, "session.updated")


async def test_events_are_doubled_swapped_lost_and_decorated(serve: Any) -> None:
    faults = ("duplicate=session.created", "reorder=response.created", "lose=response.done", "unknown-fields")
    async with serve(*faults) as server, opened(server) as link:
        await send(link, "response.create")
        events = await until(link, "response.output_item.done")
    types = [event["type"] for event in events]
    assert types[:4] == ["session.created", "session.created", "rate_limits.updated", "response.created"]
    assert events[0] == events[1]
    assert events[0]["session"]["rehearsal_surprise"]


async def test_what_is_held_back_comes_when_nothing_follows(serve: Any) -> None:
    async with serve("reorder=session.updated") as server, opened(server) as link:
        await until(link, "session.created")
        await send(link, "session.update", session={"type": "realtime"})
        await until(link, "session.updated")


# --- Responses and updates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "details"),
    [
        ("failed", "failed", {"error": {"code": "server_error", "type": "server_error"}}),
        ("failed=rate_limit_exceeded:1.5", "failed", {"error": {"code": "rate_limit_exceeded"}}),
        ("incomplete", "incomplete", {"reason": "max_output_tokens"}),
        ("incomplete=content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
async def test_a_response_ends_badly_and_the_next_one_well(serve: Any, fault: str, status: str, details: Event) -> None:
    async with serve(fault) as server, opened(server) as link:
        await send(link, "response.create")
        response = (await until(link, "response.done"))[-1]["response"]
        assert response["status"] == response["status_details"]["type"] == status
        for key, expected in details.items():
            told = response["status_details"][key]
            assert told == expected or told.items() >= expected.items()
        await send(link, "response.create")
        assert (await until(link, "response.done"))[-1]["response"]["status"] == "completed"


async def test_a_response_never_comes(serve: Any) -> None:
    async with serve("no-response") as server, opened(server) as link:
        await until(link, "session.created")
        await send(link, "response.create")
        assert await until_silent(link) == []
        await send(link, "response.create")
        assert (await until(link, "response.done"))[-1]["response"]["status"] == "completed"


async def test_a_response_is_stuck_until_it_is_cancelled(serve: Any) -> None:
    async with serve("stuck-response") as server, opened(server) as link:
        await send(link, "response.create")
        await until(link, "rate_limits.updated")
        assert await until_silent(link) == []
        await send(link, "response.cancel")
        assert (await until(link, "response.done"))[-1]["response"]["status"] == "cancelled"


async def test_the_end_of_a_response_is_lost_once(serve: Any) -> None:
    async with serve("no-done") as server, opened(server) as link:
        await send(link, "response.create")
        await until(link, "response.output_item.done")
        assert "response.done" not in [event["type"] for event in await until_silent(link)]
        await send(link, "response.create")
        await until(link, "response.done")


async def test_an_update_is_not_confirmed(serve: Any) -> None:
    async with serve("no-updated") as server, opened(server) as link:
        await until(link, "session.created")
        await send(link, "session.update", session={"type": "realtime"})
        assert await until_silent(link) == []


async def test_an_update_is_confirmed_and_not_applied(serve: Any) -> None:
    async with serve("not-applied") as server, opened(server) as link:
        await until(link, "session.created")
        for applied in (False, True):
            await send(link, "session.update", session={"type": "realtime", "instructions": "Sing."})
            session = (await until(link, "session.updated"))[-1]["session"]
            assert (session["instructions"] == "Sing.") is applied


# --- At any time, and for all ----------------------------------------------------------------------------------------


async def test_a_fault_is_injected_into_all_sessions_at_once(serve: Any) -> None:
    async with serve() as server, opened(server) as one, opened(server) as two:
        for link in (one, two):
            await until(link, "session.created")
        assert await server.inject("close=1012:moving") == 2
        for link in (one, two):
            _, closed = await until_closed(link)
            assert closed.rcvd is not None
            assert closed.rcvd.code == 1012
        await server.journal.until(lambda: server.sessions == 0, timeout_s=DEADLINE_S)
        assert server.journal.faults == ["close=1012:moving"] * 2


@pytest.mark.parametrize("fault", ["rst", "fin", "slow-reader", "half-open", "stall", "garbage", "close=1011"])
async def test_a_fault_may_meet_a_session_that_has_just_ended(serve: Any, fault: str) -> None:
    async with serve() as server:
        async with opened(server) as link:
            await until(link, "session.created")
            await server.inject("rst")
            await server.inject(fault)
        await server.journal.until(lambda: server.sessions == 0, timeout_s=DEADLINE_S)


async def test_what_meets_opening_requests_is_injected_for_the_next_ones(serve: Any) -> None:
    async with serve() as server:
        assert await server.inject("status=503/1") == 0
        with pytest.raises(InvalidStatus):
            await connect(server.url)
        async with opened(server) as link:
            await until(link, "session.created")


async def test_a_response_that_runs_is_ended_by_an_injection(serve: Any) -> None:
    async with serve("stuck-response") as server, opened(server) as link:
        await send(link, "response.create")
        await until(link, "rate_limits.updated")
        await server.inject("failed")
        assert (await until(link, "response.done"))[-1]["response"]["status"] == "failed"


async def test_a_fault_that_cannot_be_read_is_refused(serve: Any) -> None:
    with pytest.raises(FaultWordsError):
        serve("rts")
    async with serve() as server:
        with pytest.raises(FaultWordsError):
            await server.inject("rts")


async def converse_until_dropped(server: RehearsalServer) -> None:
    try:
        async with opened(server) as link:
            while True:
                await converse(link)
    except ConnectionClosed:
        return


async def test_a_random_fault_meets_every_session_sooner_or_later(serve: Any) -> None:
    async with serve("rst@random/always", seed=1) as server:
        for dropped in range(1, 4):
            await converse_until_dropped(server)
            assert server.journal.faults == ["rst@random/always"] * dropped


async def test_the_server_ends_soon_whatever_its_clients_do(serve: Any) -> None:
    server = serve("half-open@created", "mute/after0.1s")
    async with server, opened(server, ping_interval=None, close_timeout=0.1) as link:
        await until(link, "session.created")
        await server.journal.until_fault("half-open@created", timeout_s=DEADLINE_S)
        await asyncio.sleep(0.1)
        opening = asyncio.create_task(connect(server.url).__aenter__())
        await server.journal.until_fault("mute/after0.1s", timeout_s=DEADLINE_S)
        async with asyncio.timeout(5.0):
            await server.__aexit__(None, None, None)
        await asyncio.wait({opening})
        assert opening.exception() is not None


async def try_to_converse(server: RehearsalServer) -> None:
    """What a client makes of it is not the question here. It stays: a session's age may come after its conversation."""
    try:
        async with opened(server) as link:
            await converse(link)
            await link.wait_closed()
    except (OSError, TimeoutError, ConnectionClosed, InvalidStatus, InvalidMessage, ValueError):
        return


@pytest.mark.parametrize("name", KINDS)
async def test_every_fault_there_is_acts_in_a_conversation_and_is_told(serve: Any, name: str) -> None:
    kind = KINDS[name]
    word = {"refuse": "refuse=0.01", "down": "down=0.01", "half-open": "half-open=0.1"}.get(name, name)
    word = f"{name}=0.1" if kind.timed else word
    async with serve(word) as server:
        client = asyncio.create_task(try_to_converse(server))
        try:
            await server.journal.until_fault(word, timeout_s=DEADLINE_S)
        finally:
            client.cancel()
            await asyncio.wait({client})
