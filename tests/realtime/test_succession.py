"""A second session beside the first: opened before it is needed, kept, gone over to; and what becomes of it else."""

from __future__ import annotations

import asyncio
import os
import time
from base64 import b64decode
from http import HTTPStatus

import pytest
from played import DEADLINE_S, FRAME, KEY, MODEL, SPEECH, Case, Peer, answering, playing
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from voicebotd.conversation.effects import CommitInput, UpdateSession
from voicebotd.conversation.events import (
    LinkLost,
    LinkReady,
    ServerError,
    SessionUpdated,
    SpeechStarted,
    SuccessorFailed,
    SuccessorReady,
    TurnDetection,
)
from voicebotd.realtime.backoff import Pace
from voicebotd.realtime.endpoint import endpoint
from voicebotd.realtime.link import Timing
from voicebotd.realtime.rollover import MARGIN_S
from voicebotd.realtime.session import SessionConfig

QUICK = TurnDetection(threshold=0.7)
SLOW = Pace(first_s=100.0, most_s=100.0)


async def go_over(case: Case) -> LinkReady:
    """Go over to the session that waits, and return what is told of it."""
    before = len(case.heard.of(LinkReady))
    case.service.succeed()
    return await case.heard.wait_for(LinkReady, before + 1)


async def gone(peer: Peer) -> None:
    """Wait until its connection is closed."""
    async with asyncio.timeout(DEADLINE_S):
        await peer.ws.wait_closed()


# --- Opened, and gone over to ----------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_second_session_is_opened_first_and_there_is_never_none() -> None:
    async with playing() as case:
        first = await case.ready()
        second = await case.beside()
        assert (case.service.status.state, case.service.status.session_id) == ("ready", "sess_1")
        assert case.heard.of(LinkReady)[-1].session_id == "sess_1"
        ready = await go_over(case)
        assert (ready.session_id, ready.unheard_s) == ("sess_2", 0.0)
        await gone(first)
        await second.still_there()
        status = case.service.status
        assert (status.state, status.session_id, status.rollovers, status.reconnects) == ("ready", "sess_2", 1, 0)
        assert case.heard.of(LinkLost) == []


@pytest.mark.asyncio
async def test_what_is_sent_goes_to_the_present_session_and_what_the_other_hears_goes_nowhere() -> None:
    async with playing() as case:
        first = await case.ready()
        second = await case.beside()
        await second.send(SPEECH)
        await second.still_there()
        case.service.send_audio(FRAME * 2)
        case.service.send(CommitInput(event_id="one"))
        assert b64decode((await first.next())["audio"]) == FRAME * 2
        assert (await first.next())["event_id"] == "one"
        assert case.heard.of(SpeechStarted) == []
        await go_over(case)
        case.service.send(CommitInput(event_id="two"))
        assert (await second.next())["event_id"] == "two", "and nothing of what the first was sent"
        await second.send(SPEECH)
        await case.heard.wait_for(SpeechStarted)


@pytest.mark.asyncio
async def test_what_the_first_session_still_says_after_that_is_not_heard() -> None:
    async with playing() as case:
        first = await case.ready()
        await case.beside()
        case.heard.then = lambda event: case.service.succeed() if isinstance(event, SpeechStarted) else None
        await first.send(SPEECH)
        await case.heard.wait_for(LinkReady, 2)
        before = len(case.heard.events)
        await gone(first)
        assert len(case.heard.events) == before


@pytest.mark.asyncio
async def test_a_session_is_followed_after_the_configured_time_without_being_asked() -> None:
    async with playing(timing=Timing(close_timeout_s=0.2, rollover_after_s=0.05)) as case:
        await case.ready()
        second = await case.peer()
        await second.set_up()
        waits = await case.heard.wait_for(SuccessorReady)
        assert waits.within_s == pytest.approx(3600 - MARGIN_S, abs=5), "an hour is what services give"


@pytest.mark.asyncio
async def test_the_service_s_own_word_about_its_end_is_kept_to() -> None:
    async with playing() as case:
        await case.ready(expires_at=time.time() + 2.0)
        opened_s = time.monotonic()
        second = await case.peer()
        assert time.monotonic() - opened_s >= 1.3, "not before the last quarter of its life"
        await second.set_up()
        waits = await case.heard.wait_for(SuccessorReady)
        assert 0.0 <= waits.within_s <= 0.3


@pytest.mark.asyncio
async def test_each_session_is_followed_in_its_turn() -> None:
    async with playing(timing=Timing(close_timeout_s=0.2, rollover_after_s=0.05)) as case:
        await case.ready()
        for number in range(2, 5):
            peer = await case.peer()
            await peer.set_up()
            await case.heard.wait_for(SuccessorReady, number - 1)
            assert (await go_over(case)).session_id == f"sess_{number}"
        assert case.service.status.rollovers == 3


@pytest.mark.asyncio
async def test_one_that_waits_is_enough_however_often_another_is_asked_for() -> None:
    async with playing() as case:
        first = await case.ready()
        second = await case.beside()
        case.service.open_successor()
        await first.still_there()
        await second.still_there()
        assert case.peers.empty()
        await go_over(case)
        await second.still_there()
        assert case.peers.empty(), "what was asked for is there"


# --- What becomes of it otherwise ------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_second_session_that_is_refused_leaves_the_first_alone_and_is_tried_again_when_asked_for() -> None:
    async with playing(pace=SLOW) as case:
        first = await case.ready()
        case.service.open_successor()
        second = await case.peer()
        await second.greet()
        await second.next()
        await second.error("rate_limit_exceeded_for_sessions", message=f"no more sessions for {KEY}")
        failed = await case.heard.wait_for(SuccessorFailed)
        assert "no more sessions" in failed.reason
        assert KEY not in failed.reason
        await first.still_there()
        assert case.service.status.state == "ready"
        assert case.heard.of(LinkLost) == []
        await case.beside()
        assert (await go_over(case)).session_id == "sess_3"


@pytest.mark.asyncio
async def test_a_server_that_answers_no_second_call_is_asked_again_more_and_more_slowly() -> None:
    refusing: list[HTTPStatus] = []

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        return answering(refusing[0])(connection, request) if refusing else None

    timing = Timing(close_timeout_s=0.2, rollover_after_s=0.02)
    async with playing(answer=answer, timing=timing, pace=Pace(first_s=0.02, most_s=100)) as case:
        first = await case.ready()
        refusing.append(HTTPStatus.SERVICE_UNAVAILABLE)
        await case.heard.wait_for(SuccessorFailed, 4)
        told = case.log.containing("no second session")
        assert [line.rpartition(" ")[2].strip("}") for line in told][:4] == ["0.0", "0.0", "0.0", "0.1"]
        refusing.clear()
        second = await case.peer()
        await second.set_up()
        await case.heard.wait_for(SuccessorReady)
        await first.still_there()
        assert case.heard.of(LinkLost) == []


@pytest.mark.asyncio
async def test_a_session_that_dies_while_it_waits_is_told_and_replaced_but_not_at_once() -> None:
    async with playing(pace=SLOW, timing=Timing(close_timeout_s=0.2, rollover_after_s=0.05)) as case:
        first = await case.ready()
        second = await case.peer()
        await second.set_up()
        await case.heard.wait_for(SuccessorReady)
        await second.ws.close(1011)
        await case.heard.wait_for(SuccessorFailed)
        for _ in range(5):
            await first.still_there()
        assert case.peers.empty(), "a server that accepts and closes must not be called again and again"
        assert case.service.status.state == "ready"
        case.service.open_successor()
        await case.peer()


@pytest.mark.asyncio
async def test_when_the_first_session_dies_the_one_that_waits_takes_over_at_once() -> None:
    async with playing(pace=SLOW) as case:
        first = await case.ready()
        await case.beside()
        await first.ws.close(1011)
        ready = await case.heard.wait_for(LinkReady, 2)
        assert (ready.session_id, ready.unheard_s) == ("sess_2", 0.0)
        assert case.heard.of(LinkLost) == []
        assert case.service.status.rollovers == 1


@pytest.mark.asyncio
async def test_a_first_session_that_was_dead_for_a_while_says_for_how_long_it_heard_nothing() -> None:
    timing = Timing(ping_interval_s=0.1, ping_timeout_s=1.0, close_timeout_s=0.05)
    async with playing(timing=timing) as case:
        first = await case.ready()
        await case.beside()
        first.ws.transport.pause_reading()
        ready = await case.heard.wait_for(LinkReady, 2)
        assert 0.0 < ready.unheard_s <= timing.noticed_s
        assert case.heard.of(LinkLost) == []


@pytest.mark.asyncio
async def test_when_both_die_the_loss_is_told_and_another_is_opened() -> None:
    async with playing() as case:
        first = await case.ready()
        second = await case.beside()
        await second.ws.close(1011)
        await case.heard.wait_for(SuccessorFailed)
        await first.ws.close(1011)
        await case.heard.wait_for(LinkLost)
        third = await case.ready()
        assert third.session_id == "sess_3"
        assert case.service.status.reconnects == 1


@pytest.mark.asyncio
async def test_a_second_session_that_is_being_opened_is_given_up_when_the_first_is_lost() -> None:
    async with playing() as case:
        first = await case.ready()
        case.service.open_successor()
        second = await case.peer()
        await second.greet()
        await first.ws.close(1011)
        await case.heard.wait_for(LinkLost)
        await gone(second)
        third = await case.ready()
        await third.still_there()
        assert case.heard.of(SuccessorReady) == case.heard.of(SuccessorFailed) == []


@pytest.mark.asyncio
async def test_whoever_goes_over_to_a_session_that_has_just_died_stays_where_they_are() -> None:
    async with playing(pace=SLOW) as case:
        first = await case.ready()
        second = await case.beside()
        await second.ws.close(1011)
        await case.heard.wait_for(SuccessorFailed)
        case.service.succeed()
        await first.still_there()
        assert case.service.status.session_id == "sess_1"
        third = await case.beside()
        await third.still_there()
        assert case.service.status.session_id == "sess_1", "an old wish does not hold for the next one"


# --- What people change meanwhile ------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_change_reaches_the_session_that_waits_too() -> None:
    async with playing() as case:
        first = await case.ready()
        second = await case.beside()
        case.service.send(UpdateSession(event_id="ours", turn_detection=QUICK))
        assert (await first.next())["event_id"] == "ours"
        change = await second.next()
        assert change["session"]["audio"]["input"]["turn_detection"]["threshold"] == 0.7
        audio = {**second.update["audio"], "input": {**second.update["audio"]["input"]}}
        audio["input"]["turn_detection"] = change["session"]["audio"]["input"]["turn_detection"]
        await second.send({"type": "session.updated", "session": {**second.update, "audio": audio}})
        await second.still_there()
        assert case.heard.of(SessionUpdated) == [], "the first has not confirmed it yet"
        ready = await go_over(case)
        assert ready.session.turn_detection == QUICK
        assert case.service.session.turn_detection == QUICK
        assert case.log.containing("did not apply") == []


@pytest.mark.asyncio
async def test_a_change_while_the_second_session_is_being_opened_reaches_it_too() -> None:
    async with playing() as case:
        await case.ready()
        case.service.open_successor()
        second = await case.peer()
        await second.greet()
        await second.next()
        case.service.send(UpdateSession(event_id="ours", instructions="Be brief", turn_detection=QUICK))
        await second.send({"type": "session.updated", "session": {"id": "sess_2", "instructions": "Be kind"}})
        await case.heard.wait_for(SuccessorReady)
        change = (await second.next())["session"]
        assert change["instructions"] == "Be brief"
        assert change["audio"]["input"]["turn_detection"]["threshold"] == 0.7


@pytest.mark.asyncio
async def test_a_change_that_the_first_session_refused_is_not_asked_of_the_next() -> None:
    async with playing() as case:
        first = await case.ready()
        case.service.send(UpdateSession(event_id="ours", turn_detection=TurnDetection(threshold=0.1)))
        await first.next()
        await first.error("invalid_value", event_id="ours")
        await case.heard.wait_for(ServerError)
        second = await case.beside()
        assert second.update["audio"]["input"]["turn_detection"]["threshold"] == 0.85


@pytest.mark.asyncio
async def test_another_voice_and_another_model_come_with_the_session_that_follows() -> None:
    async with playing() as case:
        first = await case.ready()
        case.service.send(UpdateSession(event_id="ours", instructions="Be brief"))
        await first.next()
        url = f"ws://127.0.0.1:{first.ws.local_address[1]}/v1/realtime"
        configured = SessionConfig(model="other", instructions="As configured", voice="cedar")
        case.service.reconfigure(endpoint("compatible", url, "other"), configured)
        second = await case.beside()
        assert second.ws.request is not None
        assert second.ws.request.path.endswith("?model=other")
        assert second.update["audio"]["output"]["voice"] == "cedar"
        assert second.update["instructions"] == "Be brief"
        assert case.service.status.model == MODEL
        await go_over(case)
        assert case.service.status.model == "other"
        third = await case.beside()
        assert third.update["audio"]["output"]["voice"] == "cedar", "and it stays so"


# --- Given up ---------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_session_that_is_of_no_use_is_dropped_and_another_opened() -> None:
    async with playing() as case:
        first = await case.ready()
        case.service.drop("the service did not answer in time", 4.5)
        lost = await case.heard.wait_for(LinkLost)
        assert (lost.code, lost.fatal, lost.unheard_s) == ("stalled", False, 4.5)
        assert "did not answer in time" in lost.reason
        await gone(first)
        await case.ready()
        assert case.service.status.reconnects == 1


@pytest.mark.asyncio
async def test_where_another_waits_a_drop_goes_over_to_it() -> None:
    async with playing() as case:
        first = await case.ready()
        await case.beside()
        case.service.drop("the service did not answer in time", 4.5)
        ready = await case.heard.wait_for(LinkReady, 2)
        assert (ready.session_id, ready.unheard_s) == ("sess_2", 4.5)
        await gone(first)
        assert case.heard.of(LinkLost) == []


@pytest.mark.asyncio
async def test_a_drop_without_a_session_and_a_second_one_change_nothing() -> None:
    async with playing() as case:
        case.service.drop("too early", 0.0)
        await case.ready()
        assert case.heard.of(LinkLost) == []
        case.service.drop("once", 0.0)
        case.service.drop("twice", 0.0)
        await case.heard.wait_for(LinkLost)
        second = await case.ready()
        await second.still_there()
        assert len(case.heard.of(LinkLost)) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("how_far", ["connected", "greeted", "waiting"])
async def test_letting_go_lets_go_of_both(how_far: str) -> None:
    async with playing() as case:
        first = await case.ready()
        case.service.open_successor()
        second = await case.peer()
        if how_far != "connected":
            await second.greet()
        if how_far == "waiting":
            await second.confirm()
            await case.heard.wait_for(SuccessorReady)
        async with asyncio.timeout(2.0):
            await case.service.disconnect()
        await gone(first)
        await gone(second)
        assert case.heard.of(LinkLost) == []
        await case.service.connect()
        await case.ready()


@pytest.mark.asyncio
async def test_fifty_changes_of_session_leave_nothing_behind() -> None:
    async with playing() as case:
        await case.ready()
        await case.beside()
        await go_over(case)
        tasks, sockets = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
        for number in range(50):
            peer = await case.beside()
            await go_over(case)
            await peer.still_there()
            assert case.service.status.session_id == f"sess_{number + 3}"
        async with asyncio.timeout(DEADLINE_S):
            while len(os.listdir("/proc/self/fd")) > sockets or len(asyncio.all_tasks()) > tasks + 50:
                await asyncio.sleep(0)  # the last one closes in its own time; the server keeps a task for each
        ours = [task for task in asyncio.all_tasks() if "voicebotd" in repr(task)]
        assert len(ours) <= 8, "one session's reader, writer, pings and what watches them"
        assert case.heard.of(LinkLost) == case.heard.of(SuccessorFailed) == []
        assert case.service.status.rollovers == 51
