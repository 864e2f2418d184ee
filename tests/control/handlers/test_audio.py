"""The sound card while the daemon runs."""

import pytest

from voicebotd.errors import AudioError

pytestmark = pytest.mark.asyncio


async def test_devices_are_listed_and_those_in_use_marked(open_box):
    async with open_box() as box:
        box.audio.status = box.audio.status.__class__(state="running", input="USB mic", output="HDMI")
        devices = (await box.call("audio.devices"))["devices"]
    assert [(device["index"], device["name"], device["selected"]) for device in devices] == [
        (0, "USB mic", True),
        (1, "Speaker", False),
    ]
    assert devices[1]["default_sample_rate_hz"] == 44_100
    assert (devices[0]["input_channels"], devices[0]["output_channels"], devices[0]["host_api"]) == (1, 0, "ALSA")


async def test_a_sound_system_that_cannot_list_is_a_missing_device_with_the_remedy(open_box, fakes):
    async with open_box() as box:
        box.audio.listing = AudioError("listing took too long", hint="restart the sound server")
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("audio.devices")
    assert (refused.value.code, refused.value.kind) == (1003, "audio.device_unavailable")
    assert refused.value.hint == "restart the sound server"
    assert refused.value.retryable


@pytest.mark.parametrize(
    ("given", "selected"),
    [
        ({"input": "USB mic"}, {"input_device": "USB mic"}),
        ({"output": 1}, {"output_device": 1}),
        ({"input": 0, "output": "Speaker"}, {"input_device": 0, "output_device": "Speaker"}),
        ({"input": "default"}, {"input_device": None}),
    ],
)
async def test_only_what_is_named_is_selected(open_box, given, selected):
    async with open_box() as box:
        answer = await box.call("audio.select", **given)
        assert box.audio.selected == [selected]
    assert answer == {"input": "USB mic", "output": "Speaker"}


async def test_selecting_nothing_is_a_mistake(open_box, fakes):
    async with open_box() as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("audio.select")
        assert box.audio.selected == []
    assert refused.value.kind == "rpc.invalid_params"
    assert "input" in refused.value.hint


async def test_a_device_that_does_not_exist_is_refused_with_the_choice(open_box, fakes):
    async with open_box() as box:
        box.audio.listing = AudioError("'Horn' is no output device", hint="choose one of: 1 'Speaker'")
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("audio.select", output="Horn")
    assert refused.value.kind == "audio.device_unavailable"
    assert "Speaker" in refused.value.hint


async def test_mute_and_unmute(open_box):
    async with open_box() as box:
        assert await box.call("audio.mute", on=True) == {"muted": True}
        assert box.audio.status.muted
        assert await box.call("audio.mute", on=False) == {"muted": False}
        assert not box.audio.status.muted


async def test_the_volume_is_changed_at_once_and_is_the_configured_one_until_a_reload(open_box, directories):
    async with open_box() as box:
        assert await box.call("audio.volume", percent=35) == {"percent": 35}
        assert box.audio.status.volume_percent == 35
        assert box.tuning.loaded.settings.audio.volume_percent == 35
        await box.call("config.reload")
        assert box.audio.status.volume_percent == 100
    assert not directories.overrides.exists()


async def test_a_volume_out_of_range_changes_nothing(open_box, fakes):
    async with open_box() as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("audio.volume", percent=101)
        assert box.audio.status.volume_percent == 100
    assert refused.value.kind == "rpc.invalid_params"
    assert "100" in refused.value.message
