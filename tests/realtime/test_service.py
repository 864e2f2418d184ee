"""The link against a scripted service: a real websocket server of a few lines that each test plays by hand."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import struct
import subprocess
from base64 import b64decode
from http import HTTPStatus
from pathlib import Path

import pytest
from played import (
    DEADLINE_S,
    FRAME,
    KEY,
    MODEL,
    SPEECH,
    Case,
    answering,
    case_at,
    closed_port,
    living,
    playing,
    port_of,
)
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from voicebotd.conversation.effects import (
    ClearInput,
    CommitInput,
    CreateResponse,
    UpdateSession,
)
from voicebotd.conversation.events import (
    AssistantTextDone,
    LinkLost,
    LinkReady,
    ResponseDone,
    ServerError,
    SessionUpdated,
    SpeechStarted,
    TurnDetection,
)
from voicebotd.realtime.backoff import Pace
from voicebotd.realtime.endpoint import endpoint
from voicebotd.realtime.link import Timing
from voicebotd.realtime.session import SessionConfig

# --- Opening ---------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_microphone_audio_is_sent_only_after_the_service_confirmed_our_session() -> None:
    async with playing() as case:
        peer = await case.peer()
        case.service.send_audio(FRAME)
        await peer.greet()
        update = await peer.next()
        assert (update["type"], update["session"]["instructions"]) == ("session.update", "Be kind")
        case.service.send_audio(FRAME)
        case.service.send(CreateResponse(event_id="too_early"))
        await peer.send({"type": "session.updated", "session": {"id": "sess_1", **update["session"]}})
        ready = await case.heard.wait_for(LinkReady)
        case.service.send_audio(b"\x02\x00" * 480)
        first = await peer.next()
        assert b64decode(first["audio"]) == b"\x02\x00" * 480
        assert (ready.session_id, ready.model) == ("sess_1", MODEL)
        assert ready.session.turn_detection == TurnDetection()
        status = case.service.status
        assert (status.state, status.dropped_audio_ms, status.dropped_messages) == ("ready", 20, 1)


@pytest.mark.asyncio
async def test_the_key_lets_us_in_and_no_beta_header_is_sent() -> None:
    async with playing() as case:
        peer = await case.ready()
        assert peer.ws.request is not None
        headers = peer.ws.request.headers
        assert headers["Authorization"] == f"Bearer {KEY}"
        assert headers["User-Agent"].startswith("voicebotd/")
        assert "OpenAI-Beta" not in headers
        assert peer.ws.request.path == f"/v1/realtime?model={MODEL}"


@pytest.mark.asyncio
async def test_a_setting_that_was_silently_not_applied_is_said() -> None:
    async with playing() as case:
        peer = await case.peer()
        await peer.greet()
        session = (await peer.next())["session"]
        session["audio"]["output"]["voice"] = "alloy"
        await peer.send({"type": "session.updated", "session": session})
        ready = await case.heard.wait_for(LinkReady)
        assert ready.session.voice == "alloy"
        assert case.log.containing("audio.output.voice: wanted 'marin', the service has 'alloy'")


@pytest.mark.asyncio
async def test_a_session_that_the_service_refuses_is_a_failure_that_names_the_parameter() -> None:
    async with playing() as case:
        peer = await case.peer()
        await peer.greet()
        await peer.next()
        await peer.error("unknown_parameter", param="session.reasoning")
        lost = await case.heard.wait_for(LinkLost)
        assert (lost.code, lost.fatal) == ("unknown_parameter", True)
        assert "session.reasoning" in lost.reason
        assert case.service.status.state == "refused"
        assert case.heard.of(LinkReady) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("greets", [False, True])
async def test_a_handshake_that_does_not_come_to_its_end_has_a_deadline(greets: bool) -> None:
    async with playing(timing=Timing(connect_timeout_s=1.5, close_timeout_s=0.1), provider="rehearsal") as case:
        peer = await case.peer()
        if greets:
            await peer.greet()
        lost = await case.heard.wait_for(LinkLost)
        assert (lost.code, lost.fatal) == ("timeout", False)
        assert f"no session.{'updated' if greets else 'created'}" in lost.reason


@pytest.mark.asyncio
async def test_a_session_that_an_unknown_server_never_confirms_begins_without_and_says_so() -> None:
    async with playing(timing=Timing(connect_timeout_s=1.5, close_timeout_s=0.1)) as case:
        peer = await case.peer()
        await peer.greet()
        ready = await case.heard.wait_for(LinkReady)
        assert ready.session.instructions == "Be kind"
        assert "confirmation: the service does not say which settings it took" in case.service.status.missing
        await peer.next()
        case.service.send(UpdateSession(event_id="e1", instructions="Be brief"))
        assert (await peer.next())["session"]["instructions"] == "Be brief"
        updated = await case.heard.wait_for(SessionUpdated)
        assert updated.session.instructions == "Be brief"


@pytest.mark.asyncio
async def test_a_server_of_the_older_shape_is_written_to_in_it_and_hears_at_its_own_rate() -> None:
    flat = {"id": "sess_1", "modalities": ["text", "audio"], "input_audio_format": "pcm", "output_audio_format": "pcm"}
    async with playing(server="qwen") as case:
        peer = await case.peer()
        await peer.send({"type": "session.created", "session": flat})
        asked = (await peer.next())["session"]
        assert (asked["instructions"], asked["input_audio_format"]) == ("Be kind", "pcm")
        await peer.send({"type": "session.updated", "session": {**flat, **asked}})
        await case.heard.wait_for(LinkReady)
        for _ in range(20):
            case.service.send_audio(FRAME)
        case.service.send(CreateResponse(event_id="e1", output="audio"))
        appended = 0
        while (message := await peer.next())["type"] == "input_audio_buffer.append":
            appended += len(b64decode(message["audio"]))
        assert 0.9 * 20 * len(FRAME) * 2 / 3 < appended <= 20 * len(FRAME) * 2 / 3
        assert message["response"] == {"modalities": ["text", "audio"]}
        await peer.send(
            {"type": "response.audio_transcript.done", "response_id": "r", "item_id": "i", "transcript": "Yes"}
        )
        assert (await case.heard.wait_for(AssistantTextDone)).text == "Yes"
        assert (case.service.status.server, case.service.status.shape) == ("qwen", "beta")
        assert case.service.status.sent_audio_ms == 200


@pytest.mark.asyncio
async def test_what_a_server_lacks_is_not_sent_and_who_waits_for_it_is_told() -> None:
    async with playing(server="speech-to-speech") as case:
        peer = await case.ready()
        case.service.send(ClearInput(event_id="e1"))
        case.service.send(CommitInput(event_id="e2"))
        case.service.send(CreateResponse(event_id="e3"))
        assert (await peer.next())["event_id"] == "e3"
        refused = await case.heard.wait_for(ServerError)
        assert (refused.event_id, refused.code) == ("e2", "not_supported")
        status = case.service.status
        assert (status.provider, status.server, status.shape) == ("compatible", "speech-to-speech", "ga")
        assert status.unsent_messages == 2
        assert any(sentence.startswith("clear: ") for sentence in status.missing)


# --- Not getting in --------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_port_where_nothing_listens_is_told_and_tried_again() -> None:
    port = closed_port()
    async with living(case_at(f"ws://127.0.0.1:{port}/v1/realtime")) as case:
        lost = await case.heard.wait_for(LinkLost, 3)
        assert (lost.code, lost.fatal) == ("refused", False)
        assert f"nothing listens at 127.0.0.1:{port}" in lost.reason
        assert "is the server running" in lost.hint
        health = case.service.health_check()
        assert (health.ok, health.hint) == (False, lost.hint)
        assert len(case.log.containing("no link")) == 3


@pytest.mark.asyncio
async def test_a_name_that_does_not_exist_is_told() -> None:
    async with living(case_at("wss://voicebotd.invalid/v1/realtime")) as case:
        lost = await case.heard.wait_for(LinkLost)
        assert (lost.code, lost.fatal) == ("dns", False)
        assert "voicebotd.invalid:443" in lost.reason


@pytest.mark.asyncio
async def test_a_port_that_answers_nothing_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"ws://127.0.0.1:{listening.getsockname()[1]}/"
        async with living(case_at(url, connect_timeout_s=0.1)) as case:
            assert (await case.heard.wait_for(LinkLost)).code == "timeout"


@pytest.mark.asyncio
async def test_a_refused_key_is_retried_slowly_and_people_are_told_where_to_put_one() -> None:
    async with playing(answer=answering(HTTPStatus.UNAUTHORIZED)) as case:
        lost = await case.heard.wait_for(LinkLost)
        assert (lost.code, lost.fatal, lost.retry_in_s) == ("invalid_api_key", True, 90.0)
        assert "OPENAI_API_KEY" in lost.hint
        status = case.service.status
        assert (status.state, status.last_error_code) == ("refused", "invalid_api_key")
        assert status.retry_in_s == pytest.approx(90, abs=5)


@pytest.mark.asyncio
async def test_a_redirect_is_not_followed_because_what_is_said_would_go_with_it() -> None:
    asked: list[str] = []

    def answer(connection: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        return answering(HTTPStatus.FOUND, Location="/elsewhere")(connection, request)

    async with playing(answer=answer) as case:
        lost = await case.heard.wait_for(LinkLost)
        assert lost.code == "http_302"
        assert len(asked) == 1
        assert "/elsewhere" not in asked


@pytest.mark.asyncio
async def test_too_many_requests_wait_as_long_as_the_service_asks() -> None:
    async with playing(answer=answering(HTTPStatus.TOO_MANY_REQUESTS, Retry_After="17")) as case:
        lost = await case.heard.wait_for(LinkLost)
        assert (lost.code, lost.fatal, lost.retry_in_s) == ("http_429", False, 17.0)
        assert case.service.status.state == "waiting"


@pytest.mark.asyncio
async def test_a_service_that_is_down_is_tried_again_until_it_is_back() -> None:
    down = [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.BAD_GATEWAY]

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        return answering(down.pop())(connection, request) if down else None

    async with playing(answer=answer) as case:
        await case.ready()
        assert [lost.code for lost in case.heard.of(LinkLost)] == ["http_502", "http_503"]
        status = case.service.status
        assert (status.state, status.hint, status.retry_in_s) == ("ready", "", None)
        assert "HTTP 503" in status.last_error
        assert case.service.health_check().ok


@pytest.mark.asyncio
async def test_a_server_that_is_not_trusted_is_never_shown_the_key(tmp_path: Path) -> None:
    certificate, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-subj", "/CN=127.0.0.1", "-keyout", str(private), "-out", str(certificate)]
    subprocess.run([*request, *files], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, private)
    async with playing(tls=tls) as case:
        lost = await case.heard.wait_for(LinkLost)
        assert (lost.code, lost.fatal, lost.retry_in_s) == ("certificate", True, 90.0)
        assert "self-signed" in lost.reason
        assert case.peers.empty()


@pytest.mark.asyncio
async def test_a_key_that_is_put_in_place_later_is_used_when_people_say_so() -> None:
    keys: list[str | None] = [None]

    def key() -> str | None:
        return keys[0]

    async with serve(lambda ws: ws.wait_closed(), "127.0.0.1", 0) as server:
        at = endpoint("openai", f"ws://127.0.0.1:{port_of(server)}/", MODEL)
        async with living(Case(at, key, Timing(close_timeout_s=0.1, connect_timeout_s=0.1), None)) as case:
            lost = await case.heard.wait_for(LinkLost)
            assert (lost.code, lost.fatal) == ("missing_api_key", True)
            keys[0] = KEY
            case.service.retry_now()
            assert (await case.heard.wait_for(LinkLost, 2)).code == "timeout"


@pytest.mark.asyncio
async def test_a_key_that_cannot_be_read_is_told() -> None:
    def key() -> str | None:
        raise PermissionError(13, "Permission denied", "/run/credentials/openai-api-key")

    async with playing(key=key) as case:
        lost = await case.heard.wait_for(LinkLost)
        assert (lost.code, lost.fatal) == ("key", True)
        assert "/run/credentials/openai-api-key" in lost.reason


# --- While it is ready -----------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_audio_and_messages_leave_in_the_order_in_which_they_came() -> None:
    async with playing() as case:
        peer = await case.ready()
        case.service.send_audio(FRAME)
        case.service.send(CommitInput(event_id="one"))
        case.service.send_audio(FRAME)
        case.service.send(CreateResponse(event_id="two"))
        types = [(await peer.next())["type"] for _ in range(4)]
        append = "input_audio_buffer.append"
        assert types == [append, "input_audio_buffer.commit", append, "response.create"]
        assert case.service.status.sent_audio_ms == 20


@pytest.mark.asyncio
async def test_of_a_backlog_longer_than_a_second_the_newest_second_is_sent() -> None:
    async with playing() as case:
        peer = await case.ready()
        for number in range(200):
            case.service.send_audio(bytes([number, 0]) * 240)
        assert case.service.status.backlog_ms == 1000
        assert case.service.status.dropped_audio_ms == 1000
        case.service.send(CommitInput(event_id="end"))
        audio, appends = b"", 0
        while (message := await peer.next())["type"] == "input_audio_buffer.append":
            audio, appends = audio + b64decode(message["audio"]), appends + 1
        assert audio == b"".join(bytes([number, 0]) * 240 for number in range(100, 200))
        assert appends == 5


@pytest.mark.asyncio
async def test_too_many_waiting_messages_are_dropped_and_counted() -> None:
    async with playing() as case:
        await case.ready()
        for number in range(300):
            case.service.send(CommitInput(event_id=str(number)))
        assert case.service.status.dropped_messages == 44


@pytest.mark.asyncio
async def test_events_arrive_in_order_and_nonsense_between_them_is_counted_and_logged_once_per_kind() -> None:
    async with playing() as case:
        peer = await case.ready()
        for number in range(3):
            await peer.ws.send("{")
            await peer.ws.send(b"\x00\x01")
            await peer.send({"type": "response.sung"})
            await peer.send({"type": "input_audio_buffer.speech_started"})
            await peer.send({**SPEECH, "item_id": f"item_{number}"})
        await case.heard.wait_for(SpeechStarted, 3)
        assert [event.item_id for event in case.heard.of(SpeechStarted)] == ["item_0", "item_1", "item_2"]
        assert case.service.status.unknown_events == 12
        assert len(case.log.containing("cannot be understood")) == 4
        assert case.service.status.state == "ready"


@pytest.mark.asyncio
async def test_a_server_that_invents_ever_new_events_does_not_fill_the_log() -> None:
    async with playing() as case:
        peer = await case.ready()
        for number in range(200):
            await peer.send({"type": f"invented.{number}"})
        await peer.send(SPEECH)
        await case.heard.wait_for(SpeechStarted)
        assert case.service.status.unknown_events == 200
        assert len(case.log.containing("cannot be understood")) == 64


@pytest.mark.asyncio
async def test_a_message_of_many_megabytes_is_taken() -> None:
    async with playing() as case:
        peer = await case.ready()
        await peer.send({**SPEECH, "padding": "x" * 20 * 2**20})
        await case.heard.wait_for(SpeechStarted)


@pytest.mark.asyncio
async def test_an_error_that_leaves_the_session_open_is_an_event() -> None:
    async with playing() as case:
        peer = await case.ready()
        await peer.error("response_cancel_not_active", event_id="ours")
        error = await case.heard.wait_for(ServerError)
        assert (error.code, error.event_id) == ("response_cancel_not_active", "ours")
        assert case.service.status.state == "ready"


@pytest.mark.asyncio
async def test_a_live_change_is_sent_alone_and_confirmed() -> None:
    async with playing() as case:
        peer = await case.ready()
        quick = TurnDetection(threshold=0.7)
        case.service.send(UpdateSession(event_id="ours", turn_detection=quick))
        message = await peer.next()
        assert (message["event_id"], set(message["session"])) == ("ours", {"type", "audio"})
        audio = {
            **peer.update["audio"],
            "input": {**peer.update["audio"]["input"], **message["session"]["audio"]["input"]},
        }
        await peer.send({"type": "session.updated", "session": {**peer.update, "audio": audio}})
        updated = await case.heard.wait_for(SessionUpdated)
        assert updated.session.turn_detection == quick
        assert case.service.session.turn_detection == quick
        assert case.log.containing("did not apply") == []


@pytest.mark.asyncio
async def test_a_change_without_a_link_is_part_of_the_next_session() -> None:
    at = endpoint("compatible", f"ws://127.0.0.1:{closed_port()}/", MODEL)
    case = Case(at, lambda: KEY, Timing(), None)
    case.service.send(UpdateSession(event_id="ours", instructions="Be brief"))
    assert case.service.session.instructions == "Be brief"
    assert case.service.status.dropped_messages == 0
    async with playing() as other:
        peer = await other.peer()
        await peer.greet()
        await peer.next()
        other.service.send(UpdateSession(event_id="ours", instructions="Be brief"))
        await peer.send({"type": "session.updated", "session": {}})
        assert (await peer.next())["session"] == {"type": "realtime", "instructions": "Be brief"}
        await peer.ws.close(1011)
        again = await other.ready()
        assert again.update["instructions"] == "Be brief"


@pytest.mark.asyncio
async def test_a_change_that_the_service_refused_is_not_asked_for_again() -> None:
    async with playing() as case:
        peer = await case.ready()
        case.service.send(UpdateSession(event_id="ours", turn_detection=TurnDetection(threshold=0.1)))
        await peer.next()
        await peer.error("invalid_value", event_id="ours")
        await case.heard.wait_for(ServerError)
        assert case.service.session.turn_detection == TurnDetection()
        await peer.ws.close(1011)
        again = await case.ready()
        assert again.update["audio"]["input"]["turn_detection"]["threshold"] == 0.85


@pytest.mark.asyncio
async def test_a_new_configuration_holds_from_the_next_session_and_keeps_what_was_changed_live() -> None:
    async with playing() as case:
        peer = await case.ready()
        case.service.send(UpdateSession(event_id="ours", instructions="Be brief"))
        await peer.next()
        url = f"ws://{peer.ws.local_address[0]}:{peer.ws.local_address[1]}/v1/realtime"
        configured = SessionConfig(model="other", instructions="As configured", voice="cedar")
        case.service.reconfigure(endpoint("compatible", url, "other"), configured)
        assert case.service.status.model == MODEL
        await peer.ws.close(1011)
        again = await case.ready()
        assert again.ws.request is not None
        assert again.ws.request.path.endswith("?model=other")
        assert again.update["audio"]["output"]["voice"] == "cedar"
        assert again.update["instructions"] == "Be brief"
        assert case.service.status.model == "other"


# --- Losing it -------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_code_that_precedes_the_close_decides_and_not_the_close_number() -> None:
    async with playing() as case:
        peer = await case.ready()
        await peer.error("invalid_api_key")
        await peer.ws.close(3000, "invalid_request_error.invalid_api_key")
        lost = await case.heard.wait_for(LinkLost)
        assert (lost.code, lost.fatal) == ("invalid_api_key", True)
        assert case.heard.of(ServerError) == []


@pytest.mark.asyncio
async def test_a_code_in_the_close_reason_alone_decides_too() -> None:
    async with playing() as case:
        peer = await case.ready()
        await peer.ws.close(1013, "insufficient_quota.insufficient_quota")
        lost = await case.heard.wait_for(LinkLost)
        assert (lost.code, lost.fatal) == ("insufficient_quota", True)
        assert "credit" in lost.hint


@pytest.mark.asyncio
@pytest.mark.parametrize("close_code", [1000, 1001, 1011, 1013])
async def test_a_close_without_a_code_is_answered_by_a_new_session(close_code: int) -> None:
    async with playing() as case:
        peer = await case.ready()
        await peer.ws.close(close_code)
        lost = await case.heard.wait_for(LinkLost)
        assert (lost.code, lost.fatal) == ("closed", False)
        await case.ready()
        assert case.service.status.reconnects == 1


@pytest.mark.asyncio
async def test_an_expired_session_is_replaced_at_once() -> None:
    async with playing(pace=Pace(first_s=100, expiry_age_s=0)) as case:
        peer = await case.ready()
        await peer.error("session_expired")
        lost = await case.heard.wait_for(LinkLost)
        assert (lost.code, lost.fatal, lost.retry_in_s) == ("session_expired", False, 0.0)
        await case.ready()


@pytest.mark.asyncio
async def test_an_older_error_does_not_explain_a_later_close() -> None:
    async with playing() as case:
        peer = await case.ready()
        await peer.error("response_cancel_not_active")
        await peer.send(SPEECH)
        await peer.ws.close(1011)
        assert (await case.heard.wait_for(LinkLost)).code == "closed"


@pytest.mark.asyncio
async def test_a_line_that_is_reset_is_answered_by_a_new_session() -> None:
    async with playing() as case:
        peer = await case.ready()
        tcp = peer.ws.transport.get_extra_info("socket")
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.ws.transport.abort()
        assert (await case.heard.wait_for(LinkLost)).code == "reset"
        await case.ready()


@pytest.mark.asyncio
async def test_a_service_that_went_silent_is_found_by_the_pings() -> None:
    timing = Timing(ping_interval_s=0.05, ping_timeout_s=0.05, close_timeout_s=0.05)
    async with playing(timing=timing) as case:
        peer = await case.ready()
        peer.ws.transport.pause_reading()
        lost = await case.heard.wait_for(LinkLost)
        assert (lost.code, lost.fatal) == ("stalled", False)


@pytest.mark.asyncio
async def test_a_service_that_takes_nothing_is_found_by_a_ping_that_cannot_even_be_written() -> None:
    timing = Timing(ping_interval_s=0.05, ping_timeout_s=0.1, send_timeout_s=10 * DEADLINE_S, close_timeout_s=0.05)
    async with playing(timing=timing) as case:
        peer = await case.ready()
        peer.ws.transport.pause_reading()
        for number in range(20):
            case.service.send(UpdateSession(event_id=str(number), instructions="x" * 2**20))
        lost = await case.heard.wait_for(LinkLost)
        assert "does not answer a ping" in lost.reason
        assert 0 < lost.unheard_s <= timing.noticed_s


@pytest.mark.asyncio
async def test_an_error_that_has_nothing_to_do_with_the_session_does_not_refuse_it() -> None:
    async with playing() as case:
        peer = await case.peer()
        await peer.greet()
        await peer.error("item_not_found")
        await peer.confirm()
        await case.heard.wait_for(LinkReady)
        assert case.heard.of(LinkLost) == []


@pytest.mark.asyncio
async def test_a_service_that_takes_no_more_data_is_given_up() -> None:
    async with playing(timing=Timing(send_timeout_s=0.2, close_timeout_s=0.1)) as case:
        peer = await case.ready()
        peer.ws.transport.pause_reading()
        for number in range(20):
            case.service.send(UpdateSession(event_id=str(number), instructions="x" * 2**20))
        lost = await case.heard.wait_for(LinkLost)
        assert lost.code == "stalled"
        assert "takes no more data" in lost.reason


@pytest.mark.asyncio
async def test_the_back_off_grows_until_a_response_was_completed() -> None:
    async with playing(pace=Pace(first_s=0.01, most_s=10)) as case:
        for number in range(4):
            peer = await case.ready()
            if number == 3:
                await peer.send({"type": "response.done", "response": {"id": "r", "status": "completed"}})
                await case.heard.wait_for(ResponseDone)
            await peer.ws.close(1011)
            await case.heard.wait_for(LinkLost, number + 1)
        assert [lost.retry_in_s for lost in case.heard.of(LinkLost)] == [0.005, 0.01, 0.02, 0.005]


# --- Letting go ------------------------------------------------------------------------------------------------------


async def let_go(case: Case) -> None:
    """Disconnect; the bound is the service's own promise."""
    async with asyncio.timeout(2.0):
        await case.service.disconnect()
        await case.service.disconnect()
    assert case.service.status.state == "off"
    assert case.service.health_check().ok


@pytest.mark.asyncio
async def test_it_lets_go_of_a_connection_that_is_being_opened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with living(case_at(f"ws://127.0.0.1:{listening.getsockname()[1]}/")) as case:
            accepted, _address = await asyncio.to_thread(listening.accept)
            with accepted:
                assert case.service.status.state == "connecting"
                await let_go(case)


@pytest.mark.asyncio
async def test_it_lets_go_in_the_middle_of_a_handshake() -> None:
    async with playing() as case:
        await case.peer()
        await let_go(case)


@pytest.mark.asyncio
async def test_it_lets_go_of_a_session_and_takes_up_another_when_it_is_wanted_again() -> None:
    async with playing() as case:
        await case.ready()
        await let_go(case)
        assert case.heard.of(LinkLost) == []
        await case.service.connect()
        await case.service.connect()
        await case.ready()


@pytest.mark.asyncio
async def test_it_lets_go_of_a_service_that_reads_nothing() -> None:
    async with playing(timing=Timing()) as case:
        peer = await case.ready()
        peer.ws.transport.pause_reading()
        for number in range(20):
            case.service.send(UpdateSession(event_id=str(number), instructions="x" * 2**20))
        await let_go(case)


@pytest.mark.asyncio
async def test_it_lets_go_while_it_waits_to_try_again() -> None:
    async with playing(answer=answering(HTTPStatus.SERVICE_UNAVAILABLE), pace=Pace(first_s=100)) as case:
        await case.heard.wait_for(LinkLost)
        assert case.service.status.state == "waiting"
        await let_go(case)
        assert case.service.status.retry_in_s is None


@pytest.mark.asyncio
async def test_letting_go_of_what_never_lived_returns_at_once() -> None:
    await let_go(case_at("ws://127.0.0.1:1/"))


@pytest.mark.asyncio
async def test_a_cancellation_that_comes_together_with_a_loss_is_not_forgotten() -> None:
    async with playing() as case:
        peer = await case.ready()
        running = next(task for task in asyncio.all_tasks() if "OpenAIService.run" in repr(task))
        case.heard.then = lambda _event: void(running.cancel())
        await peer.send(SPEECH)
        await peer.error("invalid_api_key")
        await asyncio.wait([running], timeout=DEADLINE_S)
        assert running.cancelled()


def void(_value: object) -> None:
    return None


# --- The key ---------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("provider", ["compatible", "azure"])
async def test_the_key_is_in_no_log_line_no_event_and_no_status(
    caplog: pytest.LogCaptureFixture, provider: str
) -> None:
    caplog.set_level(logging.DEBUG)
    body = json.dumps({"error": {"code": "x", "message": f"bad key {KEY}"}})
    refusals = [answering(HTTPStatus.INTERNAL_SERVER_ERROR, body)]

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        return refusals.pop()(connection, request) if refusals else None

    async with playing(provider=provider, answer=answer) as case:
        peer = await case.ready()
        await peer.error("odd", message=f"who is {KEY}?")
        await peer.send({"type": f"odd.{KEY}"})
        await case.heard.wait_for(ServerError)
        await peer.ws.close(1011, KEY)
        await case.heard.wait_for(LinkLost, 2)
        shown = [*case.log.lines, repr(case.heard.events), repr(case.service.status)]
        shown += [record.getMessage() for record in caplog.records if record.name != "websockets.server"]
    assert [line for line in shown if KEY in line] == []
    assert case.log.containing("bad key [key]")


@pytest.mark.asyncio
async def test_audio_is_in_no_log_line() -> None:
    async with playing() as case:
        peer = await case.ready()
        case.service.send_audio(FRAME * 2)
        message = await peer.next()
        assert case.log.containing("<1280 characters>")
        assert case.log.containing(message["audio"]) == []
