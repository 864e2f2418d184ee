"""Which sound devices there are, asked for sparingly, and which of them somebody wants.

Knows the listing process and the options; opens nothing.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from typing import Final

from voicebotd.audio.child import list_devices
from voicebotd.audio.devices import DeviceInfo, resolve
from voicebotd.audio.options import AudioOptions

LISTING_KEPT_S = 1.0
"""How long a list of devices counts as new."""
KEEP: Final = "\0keep"
"""Leave this device as it is. No device can be named so."""


class DeviceListing:
    """Those who ask together share one listing: each is a process, and many of them would starve the sound."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._listed: list[DeviceInfo] = []
        self._listed_at_s = -math.inf

    async def devices(self) -> list[DeviceInfo]:
        """All sound devices. Takes 0.2 s; raises `AudioError` after 5 s or when PortAudio cannot say."""
        now_s = asyncio.get_running_loop().time
        async with self._lock:
            if now_s() - self._listed_at_s > LISTING_KEPT_S:
                self._listed = await list_devices()
                self._listed_at_s = now_s()
            return list(self._listed)


def choose(
    options: AudioOptions,
    devices: list[DeviceInfo],
    *,
    input_device: int | str | None,
    output_device: int | str | None,
) -> AudioOptions:
    """The options with these devices (None: the default, `KEEP`: as before). Raises `AudioError` for one that is not
    there."""
    if input_device != KEEP:
        resolve(devices, input_device, "input")
        options = replace(options, input_device=input_device)
    if output_device != KEEP:
        resolve(devices, output_device, "output")
        options = replace(options, output_device=output_device)
    return options
