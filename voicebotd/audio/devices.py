"""Which sound devices there are, which one is meant, and whether one duplex stream or a pair suits them.

Choosing is pure. Listing asks PortAudio, which can hang in a frozen sound server, so it happens in the audio process
or in a one-shot process, `python -m voicebotd.audio.devices`, that prints JSON and can be killed.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, dataclass
from typing import Literal

from voicebotd.audio.options import SAMPLE_RATE_HZ, Streams
from voicebotd.errors import AudioError

Direction = Literal["input", "output"]
NO_DEVICE_HINT = "plug in a sound card or start the sound server; `voicebotctl devices` lists what there is"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """One device as PortAudio knows it. `index` may change whenever devices come and go; `name` stays."""

    index: int
    name: str
    host_api: str
    input_channels: int
    output_channels: int
    default_rate_hz: int
    default_input: bool = False
    default_output: bool = False

    def can(self, direction: Direction) -> bool:
        return (self.input_channels if direction == "input" else self.output_channels) > 0


def resolve(devices: list[DeviceInfo], wanted: int | str | None, direction: Direction) -> DeviceInfo:
    """The device that `wanted` means: None the default, a number the index, else a name.

    A name matches exactly, or as part of exactly one device's name, whatever the case; a string of digits that
    matches no name is an index. Raises `AudioError` naming the candidates otherwise.
    """
    able = [device for device in devices if device.can(direction)]
    if not able:
        raise AudioError(f"no sound device for {direction}", hint=NO_DEVICE_HINT)
    if wanted is None:
        found = [d for d in able if (d.default_input if direction == "input" else d.default_output)]
        return found[0] if found else able[0]
    found = _by_index(able, wanted) if isinstance(wanted, int) else _by_name(able, wanted)
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{device.index} {device.name!r}" for device in (found or able))
    problem = "means more than one" if found else "is no"
    raise AudioError(f"{wanted!r} {problem} {direction} device", hint=f"choose one of: {names}")


def _by_index(devices: list[DeviceInfo], index: int) -> list[DeviceInfo]:
    return [device for device in devices if device.index == index]


def _by_name(devices: list[DeviceInfo], wanted: str) -> list[DeviceInfo]:
    exact = [device for device in devices if device.name == wanted]
    if exact:
        return exact
    partial = [device for device in devices if wanted.lower() in device.name.lower()]
    if not partial and wanted.isascii() and wanted.isdigit():
        return _by_index(devices, int(wanted))
    return partial


def choose_streams(mode: Streams, source: DeviceInfo, sink: DeviceInfo) -> Literal["duplex", "pair"]:
    """`auto`: one duplex stream where both ends are one hardware card and so one clock, else a pair.

    Over the pulse plugin one duplex stream lost samples without any flag in 6 of 6 runs, a pair in none of 12.
    """
    if mode != "auto":
        return mode
    card = _hardware_card(source)
    return "duplex" if card is not None and card == _hardware_card(sink) else "pair"


def rate_of(device: DeviceInfo, devices: list[DeviceInfo]) -> int:
    """The rate to open a device at, in Hz: a card's own; behind a sound server ours, 24 kHz.

    A sound server converts once in any case, and PortAudio's 44100 for its plugin is a guess that is neither the card's
    rate nor ours: it cost a second conversion and, measured, a fifth of all CPU. ALSA's own `default` without a
    sound server converts badly, so it keeps what PortAudio says.
    """
    server = any(_is_server(one) for one in devices)
    if _is_server(device) or (server and device.name == "default"):
        return SAMPLE_RATE_HZ
    return device.default_rate_hz


def _is_server(device: DeviceInfo) -> bool:
    return device.host_api == "ALSA" and device.name in ("pulse", "pipewire")


def _hardware_card(device: DeviceInfo) -> str | None:
    match = re.search(r"\bhw:(\w+)", device.name)
    return match.group(1) if match and device.host_api == "ALSA" else None


def query_devices() -> list[DeviceInfo]:
    """Ask PortAudio. May block for as long as a sound server is frozen. Raises `AudioError`."""
    import sounddevice  # noqa: PLC0415 - never in the daemon's process

    try:
        apis = sounddevice.query_hostapis()
        found = sounddevice.query_devices()
        default_input, default_output = sounddevice.default.device
    except sounddevice.PortAudioError as error:
        raise AudioError(f"PortAudio cannot list devices: {error}", hint=NO_DEVICE_HINT) from None
    return [
        DeviceInfo(
            index=device["index"],
            name=device["name"],
            host_api=apis[device["hostapi"]]["name"],
            input_channels=device["max_input_channels"],
            output_channels=device["max_output_channels"],
            default_rate_hz=round(device["default_samplerate"]),
            default_input=device["index"] == default_input,
            default_output=device["index"] == default_output,
        )
        for device in found
    ]


def decode_list(text: str | bytes) -> list[DeviceInfo]:
    """What the one-shot process printed. Raises `AudioError` with its complaint, or when it is no list."""
    try:
        answer = json.loads(text)
        if "error" in answer:
            raise AudioError(answer["error"], hint=answer["hint"])
        return [DeviceInfo(**device) for device in answer["devices"]]
    except (ValueError, TypeError, KeyError) as error:
        raise AudioError(f"the device list is unreadable: {error!r}") from None


def main() -> int:
    try:
        answer: dict[str, object] = {"devices": [asdict(device) for device in query_devices()]}
    except AudioError as error:
        answer = {"error": error.message, "hint": error.hint}
    except OSError as error:
        answer = {"error": f"PortAudio is missing: {error}", "hint": "install the package libportaudio2"}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
