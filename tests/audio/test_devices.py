from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import pytest

from voicebotd.audio import devices
from voicebotd.audio.devices import DeviceInfo, choose_streams, decode_list, query_devices, rate_of, resolve
from voicebotd.errors import AudioError

CARD = DeviceInfo(
    index=0, name="USB Audio: - (hw:1,0)", host_api="ALSA", input_channels=1, output_channels=2, default_rate_hz=48_000
)
SCREEN = replace(CARD, index=1, name="HDMI: 0 (hw:0,3)", input_channels=0)
SERVER = replace(CARD, index=2, name="pulse", default_input=True, default_output=True)
ALL = [CARD, SCREEN, SERVER]


def test_nothing_asked_for_is_the_default_device() -> None:
    assert resolve(ALL, None, "input") == SERVER


def test_without_a_default_the_first_able_device_is_taken() -> None:
    assert resolve([SCREEN, CARD], None, "input") == CARD


def test_a_number_is_an_index_and_so_is_a_string_of_digits_that_names_nothing() -> None:
    assert resolve(ALL, 1, "output") == SCREEN
    assert resolve(ALL, "2", "output") == SERVER


def test_a_name_matches_whole_or_as_a_part_whatever_the_case() -> None:
    assert resolve(ALL, "pulse", "input") == SERVER
    assert resolve(ALL, "usb audio", "input") == CARD
    assert resolve([*ALL, replace(SERVER, index=3, name="pulse 2")], "pulse", "output") == SERVER


@pytest.mark.parametrize(
    ("wanted", "complaint"), [("hw:", "more than one"), ("tuba", "is no output"), (9, "is no output"), ("9", "is no")]
)
def test_a_name_that_fits_none_or_several_is_refused_with_the_candidates(wanted: str | int, complaint: str) -> None:
    with pytest.raises(AudioError, match=complaint) as refusal:
        resolve(ALL, wanted, "output")
    assert "0 'USB Audio: - (hw:1,0)'" in refusal.value.hint


def test_a_device_that_cannot_hear_is_no_input() -> None:
    with pytest.raises(AudioError, match="is no input"):
        resolve(ALL, 1, "input")


def test_no_device_at_all_says_what_to_do() -> None:
    with pytest.raises(AudioError, match="no sound device") as refusal:
        resolve([SCREEN], None, "input")
    assert refusal.value.hint


@pytest.mark.parametrize(
    ("source", "sink", "streams"),
    [
        (CARD, CARD, "duplex"),
        (CARD, replace(SCREEN, name="USB Audio: 1 (hw:1,1)"), "duplex"),
        (CARD, SCREEN, "pair"),
        (SERVER, SERVER, "pair"),
        (replace(CARD, host_api="OSS"), replace(CARD, host_api="OSS"), "pair"),
        (replace(CARD, name="plughw:1,0"), replace(CARD, name="plughw:1,0"), "pair"),
    ],
)
def test_only_one_hardware_card_gets_one_duplex_stream(source: DeviceInfo, sink: DeviceInfo, streams: str) -> None:
    assert choose_streams("auto", source, sink) == streams


def test_a_forced_choice_is_kept() -> None:
    assert choose_streams("duplex", SERVER, SERVER) == "duplex"
    assert choose_streams("pair", CARD, CARD) == "pair"


def test_the_list_of_the_one_shot_process_is_read_back() -> None:
    assert decode_list(json.dumps({"devices": [asdict(device) for device in ALL]})) == ALL


def test_its_complaint_is_raised() -> None:
    with pytest.raises(AudioError, match="broken") as complaint:
        decode_list('{"error": "broken", "hint": "mend it"}')
    assert complaint.value.hint == "mend it"


@pytest.mark.parametrize("text", ["", "[]", "3", '{"devices": [{}]}', '{"devices": 3}', '{"error": "x"}', "{}"])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(AudioError):
        decode_list(text)


class FakePortAudioError(Exception):
    pass


def fake_sounddevice(**changes: Any) -> SimpleNamespace:
    device = {
        "index": 0,
        "name": "pulse",
        "hostapi": 0,
        "max_input_channels": 32,
        "max_output_channels": 32,
        "default_samplerate": 44100.0,
    }
    library = {
        "PortAudioError": FakePortAudioError,
        "query_hostapis": lambda: [{"name": "ALSA"}],
        "query_devices": lambda: [device],
        "default": SimpleNamespace(device=[0, -1]),
    }
    return SimpleNamespace(**{**library, **changes})


def test_portaudios_list_becomes_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice())
    assert query_devices() == [
        DeviceInfo(
            index=0,
            name="pulse",
            host_api="ALSA",
            input_channels=32,
            output_channels=32,
            default_rate_hz=44_100,
            default_input=True,
        )
    ]


def test_the_one_shot_process_prints_the_list_or_why_there_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise FakePortAudioError("host error")

    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice())
    assert devices.main() == 0
    assert [device.name for device in decode_list(capsys.readouterr().out)] == ["pulse"]
    monkeypatch.setitem(sys.modules, "sounddevice", fake_sounddevice(query_devices=fail))
    devices.main()
    with pytest.raises(AudioError, match="host error"):
        decode_list(capsys.readouterr().out)


def test_a_missing_portaudio_names_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> list[DeviceInfo]:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr(devices, "query_devices", missing)
    devices.main()
    with pytest.raises(AudioError, match="not found") as complaint:
        decode_list(capsys.readouterr().out)
    assert "libportaudio2" in complaint.value.hint


def test_a_card_is_opened_at_its_own_rate_and_a_sound_server_at_ours() -> None:
    default = replace(SERVER, index=3, name="default", default_rate_hz=44_100)
    assert rate_of(CARD, ALL) == 48_000
    assert rate_of(SERVER, ALL) == 24_000
    assert rate_of(default, [*ALL, default]) == 24_000, "it leads to the sound server"
    assert rate_of(default, [CARD, default]) == 44_100, "ALSA's own converter is a bad one"
    assert rate_of(replace(SERVER, host_api="JACK Audio Connection Kit"), ALL) == 48_000
