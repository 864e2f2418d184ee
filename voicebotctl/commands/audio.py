"""mute, unmute, volume, devices: the microphone and the loudspeaker."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.errors import UsageError
from voicebotctl.parameters import Parameters, given
from voicebotctl.render import clean, table


def _mute(context: Context, _: Namespace) -> int:
    return _set_mute(context, on=True)


def _unmute(context: Context, _: Namespace) -> int:
    return _set_mute(context, on=False)


def _set_mute(context: Context, *, on: bool) -> int:
    result = context.call("audio.mute", {"on": on})
    context.show(result, lambda now: "the microphone is muted" if now["muted"] else "the microphone is open")
    return 0


def _volume_arguments(parser: ArgumentParser) -> None:
    Parameters("audio.volume").positional(parser, "percent", nargs="?")


def _volume(context: Context, args: Namespace) -> int:
    params = given(args, "percent")
    if params:
        result = context.call("audio.volume", params)
    else:
        result = {"percent": context.call("status.get").get("audio", {}).get("volume_percent")}
    context.show(result, lambda now: f"volume {now['percent']} %")
    return 0


def _devices(context: Context, _: Namespace) -> int:
    context.show(context.call("audio.devices"), _device_table)
    return 0


def _device_table(result: Mapping[str, Any]) -> str:
    if not result["devices"]:
        return "there are no sound devices; `voicebotctl doctor` says what to do"
    return table([("", "index", "name", "host API", "in", "out", "rate"), *map(_device_row, result["devices"])])


def _device_row(device: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        "*" if device.get("selected") else "",
        str(device["index"]),
        device["name"],
        device["host_api"],
        str(device["input_channels"]),
        str(device["output_channels"]),
        f"{device['default_sample_rate_hz']} Hz",
    )


def _select_arguments(parser: ArgumentParser) -> None:
    parameters = Parameters("audio.select")
    parameters.option(parser, "input")
    parameters.option(parser, "output")


def _select(context: Context, args: Namespace) -> int:
    params = given(args, "input", "output")
    if not params:
        raise UsageError("devices select: nothing to select", hint="give --input, --output or both")
    result = context.call("audio.select", params)
    context.show(result, lambda now: f"microphone: {clean(now['input'])}\nloudspeaker: {clean(now['output'])}")
    return 0


COMMANDS: Commands = {
    "mute": Command(_mute, summary="mute the microphone"),
    "unmute": Command(_unmute, summary="open the microphone again"),
    "volume": Command(_volume, method="audio.volume", arguments=_volume_arguments),
    "devices": Command(_devices, method="audio.devices"),
    "devices select": Command(_select, method="audio.select", arguments=_select_arguments),
}
