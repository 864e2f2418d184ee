"""What is made of a self-test: the answer, and the settings when they are wanted. The measuring itself is simulated."""

from dataclasses import replace

import pytest

from voicebotd.audio.diagnosis import Search, Situation
from voicebotd.audio.measurement import Examination
from voicebotd.audio.selftest import Echo, Measurement
from voicebotd.control.handlers import selftest
from voicebotd.conversation import events as ev
from voicebotd.errors import AudioError, CommandRefusedError

pytestmark = pytest.mark.asyncio

ECHO = Echo(
    delay_ms=61.54,
    loss_db=6.04,
    prominence_db=60.0,
    distortion=0.0123,
    directness=0.6,
    growth_db=0.0,
    slip_ms=0.0,
    drift_ppm=2.34,
)
MEASURED = Measurement(
    played_dbfs=-9.0,
    dead=False,
    digital_silence=False,
    noise_dbfs=-58.04,
    noise_a_dbfs=-62.0,
    hum_hz=None,
    clipped_share=0.0,
    echo=ECHO,
)
SITUATION = Situation(input="USB mic", output="Speaker", volume_percent=100, muted=False, aec_installed=True)
LOUD = Examination(measured=MEASURED, situation=SITUATION, search=None)
DEAD = Examination(
    measured=replace(MEASURED, dead=True, echo=None), situation=SITUATION, search=Search(hearing_input="Webcam")
)


@pytest.fixture
def room(monkeypatch):
    """What the next test finds, or the error that it raises: `room["found"]`."""
    found = {"found": LOUD}

    class SimulatedTest:
        def __init__(self, audio):
            pass

        async def run(self):
            if isinstance(found["found"], Exception):
                raise found["found"]
            return found["found"]

    monkeypatch.setattr(selftest, "SelfTest", SimulatedTest)
    return found


async def test_the_answer_has_the_numbers_the_words_and_the_recommendation(room, open_box):
    async with open_box() as box:
        answer = await box.call("audio.selftest")
        assert box.audio.status.volume_percent == 100
    assert answer.pop("problems")[0] == answer.pop("verdict")
    assert len(answer.pop("advice")) == 1
    assert answer == {
        "latency_ms": 61.5,
        "echo_return_loss_db": 6.0,
        "noise_floor_dbfs": -58.0,
        "clipping": False,
        "recommended": {"echo_control": "aec", "volume_percent": 30},
        "applied": False,
        "noise_floor_a_dbfs": -62.0,
        "clipped_share": 0.0,
        "distortion_percent": 1.2,
        "echo_dbfs": -20.0,
        "drift_ppm": 2.3,
        "input": "USB mic",
        "output": "Speaker",
    }


async def test_what_it_recommends_is_applied_and_kept_and_the_answer_is_about_the_box_as_it_is_now(
    room, open_box, directories
):
    async with open_box() as box:
        answer = await box.call("audio.selftest", apply=True)
        assert answer["applied"]
        assert answer["problems"] == []
        assert answer["verdict"].startswith("All is well")
        assert answer["recommended"] == {"echo_control": "aec", "volume_percent": 30}
        assert answer["echo_dbfs"] == pytest.approx(-30.5, abs=0.1)
        assert (box.audio.status.volume_percent, box.audio.status.echo_control) == (30, "aec")
        audio = box.tuning.loaded.settings.audio
        assert (audio.volume_percent, audio.echo_control) == (30, "aec")
    assert "volume_percent: 30" in directories.overrides.read_text()


async def test_where_nothing_can_be_recommended_nothing_is_applied(room, open_box, directories):
    room["found"] = DEAD
    async with open_box() as box:
        answer = await box.call("audio.selftest", apply=True)
    assert not answer["applied"]
    assert answer["recommended"] is answer["latency_ms"] is answer["echo_return_loss_db"] is answer["drift_ppm"] is None
    assert answer["distortion_percent"] is answer["echo_dbfs"] is answer["noise_floor_dbfs"] is None
    assert "'Webcam' hears the loudspeaker" in answer["verdict"]
    assert not directories.overrides.exists()


async def test_everybody_may_measure_and_only_an_admin_may_apply(room, open_box, fakes):
    async with open_box() as box:
        assert (await box.call("audio.selftest", peer=fakes.OTHER))["latency_ms"] == 61.5
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("audio.selftest", peer=fakes.OTHER, apply=True)
    assert refused.value.kind == "rpc.permission"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (CommandRefusedError("audio.busy", "another self-test", hint="wait", retryable=True), "audio.busy"),
        (AudioError("the self-test broke off: killed", hint="wait"), "audio.device_unavailable"),
    ],
)
async def test_why_it_could_not_be_done_is_told(room, open_box, fakes, error, kind):
    room["found"] = error
    async with open_box() as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("audio.selftest")
    assert (refused.value.kind, refused.value.hint, refused.value.retryable) == (kind, "wait", True)


async def test_an_answer_is_not_talked_over(room, open_box, fakes):
    async with open_box() as box:
        await box.start()
        await box.call("message.send", text="Hello")
        box.audio.post(ev.PlayoutStarted(item_id="a1", content_index=0))
        await box.until(lambda: box.state == "speaking")
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("audio.selftest")
    assert (refused.value.kind, refused.value.code, refused.value.retryable) == ("audio.busy", 1015, True)
