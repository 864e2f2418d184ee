"""status.get tells the truth in every condition, and what to do about it."""

from dataclasses import replace

import pytest

from voicebotd.assembly import Rung
from voicebotd.conversation.states import State
from voicebotd.service import Health

pytestmark = pytest.mark.asyncio

NOT_SAVING = Health(
    ok=False, state="not_saving", reason="history is not being saved: disk full", hint="free some space"
)


async def test_a_well_box_in_conversation_needs_nothing(open_box):
    async with open_box() as box:
        conversation_id = await box.start()
        status = await box.call("status.get")
    assert status["state"] == "listening"
    assert status["reason"] == ""
    assert status["hints"] == []
    assert (status["listening"], status["hears"], status["speaks"]) == (True, True, True)
    assert status["conversation"]["id"] == conversation_id
    assert status["conversation"]["turns"] == 0
    assert status["uptime_s"] >= 60
    assert status["version"] == "1.2.3"
    assert status["pid"] > 1
    assert status["profile"] is None
    assert status["usage"] == {
        "today_usd": 0.0,
        "session_usd": 0.0,
        "tokens": 0,
        "cap": None,
        "cap_usd": None,
        "fraction": None,
        "exhausted": False,
        "unpriced": [],
        "hint": "",
    }


async def test_the_sound_is_described_in_rounded_numbers(open_box):
    async with open_box() as box:
        audio = (await box.call("status.get"))["audio"]
    assert audio["latency_ms"] == 21.5
    assert audio["input_latency_ms"] == 4.0
    assert audio["input_level_dbfs"] == -33.3
    assert (audio["input"], audio["output"], audio["streams"]) == ("USB mic", "Speaker", "pair")
    assert audio["echo_control_why"] == audio["echo"]["why"] == "because"


async def test_what_is_done_about_the_echo_is_told_with_what_is_known_of_it(open_box):
    async with open_box() as box:
        measured = {"echo_rung": "aec", "echo_delay_ms": 61.44, "drift_ppm": -12.34, "erle_db": 38.88}
        box.audio.status = replace(box.audio.status, **measured)
        audio = (await box.call("status.get"))["audio"]
    echo = audio["echo"]
    assert audio["echo_control"] == echo["rung"] == "aec"
    assert (echo["delay_ms"], echo["drift_ppm"], echo["erle_db"]) == (61.4, -12.3, 38.9)


async def test_where_the_sound_fell_back_to_another_rung_it_says_itself_why(open_box):
    async with open_box(rung=lambda: Rung(echo_control="aec", why="as configured")) as box:
        box.audio.status = replace(box.audio.status, echo_rung="gate", echo_why="the canceller failed 3 times")
        echo = (await box.call("status.get"))["audio"]["echo"]
        assert (echo["rung"], echo["why"]) == ("gate", "the canceller failed 3 times")
        box.audio.status = replace(box.audio.status, echo_rung="aec", echo_why="warming up")
        echo = (await box.call("status.get"))["audio"]["echo"]
        assert (echo["rung"], echo["why"]) == ("aec", "as configured")


async def test_while_there_is_no_sound_the_chosen_rung_is_told(open_box):
    async with open_box() as box:
        echo = (await box.call("status.get"))["audio"]["echo"]
    assert (echo["rung"], echo["why"], echo["erle_db"]) == ("half_duplex", "because", None)


async def test_a_box_that_dozes_listens_for_a_voice(open_box, monkeypatch):
    async with open_box() as box:
        await box.start()
        dozing = replace(box.manager.snapshot(), state=State.DOZING)
        monkeypatch.setattr(box.manager, "snapshot", lambda: dozing)
        status = await box.call("status.get")
    assert (status["state"], status["listening"]) == ("dozing", True)
    assert status["hints"] == []


async def test_how_it_may_be_interrupted_is_told(open_box):
    async with open_box("barge_in.min_speech_ms=1300") as box:
        told = (await box.call("status.get"))["barge_in"]
    assert told == {
        "mode": "confirm",
        "confirm_after_ms": 500,
        "min_speech_ms": 1300,
        "resume_delay_ms": 800,
        "duck_db": -12.0,
    }


async def test_the_link_is_described(open_box):
    async with open_box() as box:
        await box.start()
        link = (await box.call("status.get"))["link"]
    assert (link["state"], link["provider"], link["session_age_s"]) == ("ready", "rehearsal", 1.2)
    assert link["last_error"] is None
    assert link["retry_in_s"] is None
    assert (link["server"], link["shape"], link["missing"], link["unsent"]) == ("rehearsal", "ga", [], 0)


async def test_what_the_server_lacks_is_told(open_box):
    async with open_box() as box:
        lacking = ("truncate: the service remembers what was not heard",)
        box.link.status = replace(box.link.status, server="grok", missing=lacking, unsent_messages=3)
        link = (await box.call("status.get"))["link"]
    assert (link["server"], link["missing"], link["unsent"]) == ("grok", list(lacking), 3)


async def test_it_tells_how_often_one_session_followed_another_and_how_often_one_was_lost(open_box):
    async with open_box() as box:
        await box.start()
        box.link.status = replace(box.link.status, rollovers=3, reconnects=2)
        link = (await box.call("status.get"))["link"]
    assert (link["rollovers"], link["reconnects"]) == (3, 2)


async def test_the_conversation_began_as_long_ago_as_it_lasts(open_box):
    async with open_box() as box:
        await box.start()
        status = await box.call("status.get")
    began = status["conversation"]["started_at"]
    assert began > 1_600_000_000, "seconds since the epoch, not of the monotonic clock"


async def test_without_a_conversation_it_says_how_to_begin_one(open_box):
    async with open_box() as box:
        status = await box.call("status.get")
    assert status["state"] == "off"
    assert status["conversation"] is None
    assert not status["listening"]
    assert status["reason"] == ""
    assert "voicebotctl start" in status["hints"][0]


async def test_without_sound_it_neither_hears_nor_speaks_and_says_why(open_box):
    async with open_box() as box:
        await box.start()
        box.audio.status = replace(box.audio.status, state="degraded", reason="no sound device", sample_rate_hz=0)
        box.audio.hint = "plug one in"
        status = await box.call("status.get")
    assert (status["listening"], status["hears"], status["speaks"]) == (False, False, False)
    assert status["reason"] == "no sound device"
    assert status["hints"] == ["plug one in"]
    assert status["health"]["audio"] == {
        "ok": False,
        "state": "degraded",
        "reason": "no sound device",
        "hint": "plug one in",
    }
    audio = status["audio"]
    assert (audio["latency_ms"], audio["input_latency_ms"], audio["input_level_dbfs"]) == (None, None, None)
    assert audio["sample_rate_hz"] is None
    assert audio["reason"] == "no sound device"


async def test_a_refused_link_says_why_and_when_it_is_tried_again(open_box):
    async with open_box() as box:
        box.link.ready = False
        await box.call("conversation.start")
        box.link.status = replace(
            box.link.status, state="refused", last_error="wrong key", hint="put in a good one", retry_in_s=61.04
        )
        status = await box.call("status.get")
    assert status["state"] == "connecting"
    assert status["reason"] == "wrong key"
    assert status["hints"][0] == "put in a good one"
    assert (status["link"]["last_error"], status["link"]["retry_in_s"]) == ("wrong key", 61.0)
    assert not status["listening"]


async def test_several_ills_are_all_told_the_hints_in_their_order(open_box):
    box_health = {
        "audio": Health(ok=False, state="starting"),
        "link": Health(ok=False, state="waiting", reason="no network", hint="plug in the cable"),
        "history": NOT_SAVING,
    }
    async with open_box(health=lambda: box_health) as box:
        status = await box.call("status.get")
    assert status["reason"] == "no network; history is not being saved: disk full"
    assert status["hints"][:2] == ["plug in the cable", "free some space"]
    assert status["health"]["history"]["state"] == "not_saving"


async def test_an_answer_that_failed_is_told_until_one_succeeds(open_box, fakes):
    async with open_box() as box:
        await box.start()
        failed = {"response_id": "r", "status": "failed", "error_code": "server_error", "error_message": "out of order"}
        box.manager.post(fakes.ev.ResponseDone(**failed))
        await box.until(lambda: box.manager.snapshot().trouble)
        assert "out of order" in (await box.call("status.get"))["reason"]
        await box.call("response.request", output="text", wait=True)
        assert (await box.call("status.get"))["reason"] == ""


async def test_a_muted_microphone_does_not_listen(open_box):
    async with open_box() as box:
        await box.start()
        await box.call("audio.mute", on=True)
        status = await box.call("status.get")
    assert (status["listening"], status["hears"], status["speaks"]) == (False, False, True)
    assert status["audio"]["muted"]
    assert status["hints"] == ["the microphone is muted: voicebotctl unmute"]


async def test_a_microphone_of_nothing_but_zeros_does_not_hear(open_box):
    async with open_box() as box:
        await box.start()
        box.audio.status = replace(box.audio.status, input_level_dbfs=-120.0)
        status = await box.call("status.get")
    assert not status["hears"]
    assert ["silence" in hint for hint in status["hints"]] == [True]


async def test_at_volume_0_nobody_hears_it(open_box):
    async with open_box() as box:
        await box.start()
        await box.call("audio.volume", percent=0)
        status = await box.call("status.get")
    assert not status["speaks"]
    assert "volume" in status["hints"][0]


async def test_with_push_to_talk_it_listens_only_while_the_key_is_held(open_box):
    async with open_box("turn_detection.type=none") as box:
        await box.start()
        waiting = await box.call("status.get")
        await box.call("talk.begin")
        held = await box.call("status.get")
    assert not waiting["listening"]
    assert "voicebotctl talk" in waiting["hints"][0]
    assert held["listening"]
    assert held["hints"] == []


async def test_turn_detection_is_told_as_the_service_has_it_else_as_it_is_wanted(open_box):
    async with open_box("turn_detection.threshold=0.7") as box:
        assert (await box.call("status.get"))["vad"]["threshold"] == 0.7
        await box.start()
        box.link.insists = {"threshold": 0.6}
        await box.call("vad.set", silence_duration_ms=700)
        vad = (await box.call("status.get"))["vad"]
    assert (vad["silence_duration_ms"], vad["threshold"], vad["type"]) == (700, 0.6, "server_vad")


async def test_the_profile_in_force_is_named(open_box):
    async with open_box() as box:
        await box.call("vad.set", profile="noisy")
        assert (await box.call("status.get"))["profile"] == "noisy"


async def test_the_tokens_of_the_conversation_are_counted(open_box, fakes):
    async with open_box() as box:
        await box.start()
        usage = fakes.ev.Usage(input_text=10, output_audio=20)
        box.manager.post(fakes.ev.ResponseDone(response_id="r", status="completed", usage=usage))
        await box.until(lambda: box.manager.snapshot().spending.tokens)
        assert (await box.call("status.get"))["usage"]["tokens"] == 30
