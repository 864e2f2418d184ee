"""audio.*: the sound card while the daemon runs."""

from __future__ import annotations

from voicebotd.control.caller import Caller
from voicebotd.control.contract_params import AudioMuteParams, AudioSelectParams, AudioVolumeParams, NoParams
from voicebotd.control.contract_results import AudioMuted, AudioSelected, AudioVolume, Device, Devices
from voicebotd.control.dispatcher import Handler
from voicebotd.control.handlers.box import Box
from voicebotd.control.jsonrpc import refusal


def audio_handlers(box: Box) -> dict[str, Handler]:
    """Return the handlers of these methods, for the `Dispatcher`."""

    async def devices(_params: NoParams, _caller: Caller) -> Devices:
        in_use = {box.audio.status.input, box.audio.status.output}
        return Devices(
            devices=[
                Device(
                    index=device.index,
                    name=device.name,
                    host_api=device.host_api,
                    input_channels=device.input_channels,
                    output_channels=device.output_channels,
                    default_sample_rate_hz=device.default_rate_hz,
                    selected=device.name in in_use,
                )
                for device in await box.audio.devices()
            ]
        )

    async def select(params: AudioSelectParams, _caller: Caller) -> AudioSelected:
        if params.input is None and params.output is None:
            raise refusal("rpc.invalid_params", "audio.select: nothing to select", hint="give input, output or both")
        given = {"input_device": params.input, "output_device": params.output}
        chosen = {name: _device(value) for name, value in given.items() if value is not None}
        await box.audio.select(**chosen)
        return AudioSelected(input=box.audio.status.input, output=box.audio.status.output)

    async def mute(params: AudioMuteParams, _caller: Caller) -> AudioMuted:
        box.audio.set_muted(params.on)
        return AudioMuted(muted=params.on)

    async def volume(params: AudioVolumeParams, _caller: Caller) -> AudioVolume:
        await box.tune({"audio.volume_percent": params.percent}, persistent=False)
        return AudioVolume(percent=params.percent)

    return {"audio.devices": devices, "audio.select": select, "audio.mute": mute, "audio.volume": volume}


def _device(name: int | str) -> int | str | None:
    """As the configuration spells it, which calls the sound system's own choice `default`."""
    return None if name == "default" else name
