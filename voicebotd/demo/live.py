"""The conversation with whoever stands before the box: the sound card's own microphone and loudspeaker.

Owns how long it waits for a person to speak. With the echo canceller one may speak over it. Where it is configured not
to listen while it speaks, it cannot take its own voice for a visitor's, and who wants to interrupt it presses Enter.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from voicebotd.assembly import Stack, audio_options_of, build
from voicebotd.config.load import LoadedConfig
from voicebotd.conversation import commands as cmd
from voicebotd.demo.stage import Stage
from voicebotd.errors import AudioError, CommandRefusedError

OPENING_S = 5.0
"""A sound card that is not open by then is none."""
WAITING_S = 5.0
"""Silence, while the box listens, after which nobody will speak (any more)."""


async def converse(config: LoadedConfig, *, recording: Path, stage: Stage, at_most_s: float) -> bool:
    """Greet, listen and answer; return whether anybody spoke. Raises AudioError where there is no sound for it."""
    watch = Watch(stage)
    options = replace(audio_options_of(config.settings), record_both_sides_path=str(recording))
    stack = build(config, options, publish=watch.publish, record=lambda _record: None)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stack.run(), name="live conversation")
        try:
            no_sound = await watch.no_sound()
            if no_sound is None:
                with on_enter(lambda: group.create_task(_interrupt(stack))):
                    await _talk(stack, watch, stage, at_most_s, deaf=config.settings.barge_in.mode == "off")
        finally:
            await stack.audio.disconnect()
            running.cancel()
    if no_sound is not None:
        raise no_sound
    return watch.somebody_spoke


async def _talk(stack: Stack, watch: Watch, stage: Stage, at_most_s: float, *, deaf: bool) -> None:
    stage.say("Your microphone is open. Speak after the greeting; or wait, and a recorded visitor speaks.")
    if not deaf:
        stage.say("You may speak over it: it pauses after half a second and gives way after one.")
    elif _at_a_terminal():
        stage.say("It does not listen while it speaks (the echo canceller is not installed): Enter interrupts it.")
    await _command(stack, cmd.StartConversation, conversation_id=uuid.uuid4().hex)
    try:
        async with asyncio.timeout(at_most_s):
            await watch.silence()
    except TimeoutError:
        stage.say("That was all the time that the demonstration has.")
    await _command(stack, cmd.StopConversation, reason="the demonstration ended")


async def _command(stack: Stack, kind: Callable[..., cmd.Command], **what: str) -> None:
    await stack.manager.command(lambda number: kind(request_id=number, **what))


async def _interrupt(stack: Stack) -> None:
    with suppress(CommandRefusedError):  # before the conversation began, or after its end
        await _command(stack, cmd.InterruptResponse)


def _at_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


@contextmanager
def on_enter(deed: Callable[[], object]) -> Iterator[None]:
    """Do `deed` whenever a line is entered, where there is a terminal to enter one at."""
    if not _at_a_terminal():
        yield
        return

    def entered() -> None:
        if not sys.stdin.readline():
            loop.remove_reader(sys.stdin)  # Ctrl-D: a terminal at its end would be readable for ever
        deed()

    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, entered)
    try:
        yield
    finally:
        loop.remove_reader(sys.stdin)


class Watch:
    """Follows what is published: is there sound, does somebody speak, how long has the box been listening in vain."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._no_sound: asyncio.Future[AudioError | None] = asyncio.get_running_loop().create_future()
        self._changed = asyncio.Event()
        self._state = ""
        self.somebody_spoke = False

    def publish(self, topic: str, data: dict[str, Any]) -> None:
        if topic == "device" and not self._no_sound.done():
            # Shown by nobody but the caller, who says what it does without.
            lost = data["state"] == "lost"
            self._no_sound.set_result(AudioError(data["reason"], hint=data["hint"]) if lost else None)
            if lost:
                return
        self._stage.observe(topic, data)
        if topic == "state":
            self._state = data["state"]
            self._changed.set()
        elif topic == "transcript" and data["role"] == "user" and data["final"]:
            # Not at the first sign of speech, which may be a noise.
            self.somebody_spoke = True

    async def no_sound(self) -> AudioError | None:
        """Return why there is no sound; None as soon as there is."""
        try:
            async with asyncio.timeout(OPENING_S):
                return await self._no_sound
        except TimeoutError:
            return AudioError("the sound card did not open in time")

    async def silence(self) -> None:
        """Return when the box has been listening for `WAITING_S` and nobody spoke."""
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(WAITING_S if self._state == "listening" else None):
                    await self._changed.wait()
            except TimeoutError:
                return
