"""`python -m voicebotd.demo`, which `make demo` runs: a conversation to watch and to listen to, in under a minute.

It needs no key, no network and no sound card; the built-in rehearsal server answers. With a sound card the box greets
over its loudspeaker and listens at its microphone, and whoever speaks is answered. Where nobody speaks within a few
seconds, or there is no sound card, a recorded visitor does: asks for an appointment, interrupts the long answer, says
goodbye; the loudspeaker, if there is one, plays both sides. Either way it leaves a WAV: left the visitor, right the
assistant.

Owns the order of these, the place of the WAV and the exit codes: 0 as rehearsed, 1 not, 130 interrupted. It has a
configuration of its own (the defaults), and heeds no file and of the environment only the choice of the sound devices.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from voicebotctl.render import duration
from voicebotd.assembly import audio_options_of
from voicebotd.audio.ladder import aec_installed
from voicebotd.config.load import LoadedConfig, change, load
from voicebotd.demo import live, recorded, visitor
from voicebotd.demo.loudspeaker import playing_along
from voicebotd.demo.stage import Stage
from voicebotd.errors import AudioError, VoicebotError
from voicebotd.rehearsal.server import RehearsalServer, script_brain
from voicebotd.system import logging

LIMIT_S = 57.0
"""Whatever hangs is given up then."""
LIVE_S = 40.0
"""The longest conversation with a person."""
HEEDED = ("AUDIO_INPUT_DEVICE", "AUDIO_OUTPUT_DEVICE")
INTERRUPTED = 130


def main() -> int:
    """Run; return the exit code."""
    logging.setup(level="error", format="console")
    stage = Stage(sys.stdout, os.environ)
    code = 0
    try:
        asyncio.run(_limited(stage))
    # Starred, because what happens below a TaskGroup arrives in a group.
    except* TimeoutError:
        code = _failed(f"it did not come to its end within {LIMIT_S:.0f} s")
    except* (VoicebotError, OSError) as errors:
        code = _failed(_words(errors))
    except* KeyboardInterrupt:
        code = INTERRUPTED
    return code


async def _limited(stage: Stage) -> None:
    async with asyncio.timeout(LIMIT_S):
        await demonstrate(stage, output_directory(Path.cwd()), os.environ)


async def demonstrate(stage: Stage, directory: Path, environ: Mapping[str, str]) -> Path:
    """Hold the conversation; return the path of the WAV in `directory`. Raises VoicebotError where it fails."""
    began_s = time.monotonic()
    recording = directory / "conversation.wav"
    with tempfile.TemporaryDirectory(prefix="voicebotd-demo-") as scratch:
        config = configuration(environ, Path(scratch))
        stage.say("A conversation with the built-in rehearsal server: no key, no network.")
        try:
            spoke = await _live(config, recording, stage)
        except AudioError as error:
            stage.say(f"No sound card to use ({error.message}): a recorded visitor speaks, and nothing is audible.")
            await _recorded(config, recording, Path(scratch), stage, audible=False)
        else:
            if not spoke:
                stage.say("Nobody spoke. A recorded visitor does now; the loudspeaker plays both sides.")
                await _recorded(config, recording, Path(scratch), stage, audible=True)
    stage.say(f"{duration(time.monotonic() - began_s)}. Both sides, left the visitor, right the assistant:")
    stage.say(f"  {recording}")
    return recording


async def _live(config: LoadedConfig, recording: Path, stage: Stage) -> bool:
    async with RehearsalServer(brain=script_brain()) as server:
        words = {"conversation.speaks_first": "assistant"}
        if not aec_installed():
            words["barge_in.mode"] = "off"  # the gate needs a measured room, and nobody measured this one
        return await live.converse(_at(config, server.url, words), recording=recording, stage=stage, at_most_s=LIVE_S)


async def _recorded(config: LoadedConfig, recording: Path, scratch: Path, stage: Stage, *, audible: bool) -> None:
    # The loudspeaker must not begin with the recording of the live conversation.
    await asyncio.to_thread(recording.unlink, missing_ok=True)
    async with AsyncExitStack() as life:
        server = await life.enter_async_context(RehearsalServer(brain=script_brain(visitor.SCRIPT)))
        if audible:
            await life.enter_async_context(playing_along(audio_options_of(config.settings), recording))
        await recorded.converse(_at(config, server.url), recording=recording, scratch=scratch, stage=stage)


def configuration(environ: Mapping[str, str], scratch: Path) -> LoadedConfig:
    """The defaults, and the sound devices that `environ` names. Raises ConfigError for a device that cannot be one."""
    # Directories of our own, so that the configuration of a box on this machine is neither read nor needed to be good.
    own = {name: str(scratch) for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")}
    heeded = {name: environ[name] for name in HEEDED if name in environ}
    words = ["service.provider=rehearsal", "service.model=rehearsal"]
    return load(environ={**heeded, **own}, cwd=scratch, set_words=words)


def output_directory(beside: Path) -> Path:
    """`demo-output` in this directory or, where it cannot be written, a new temporary one."""
    directory = beside / "demo-output"
    try:
        directory.mkdir(exist_ok=True)
        writable = os.access(directory, os.W_OK | os.X_OK)
    except OSError:
        writable = False
    return directory if writable else Path(tempfile.mkdtemp(prefix="voicebotd-demo-"))


def _at(config: LoadedConfig, url: str, values: Mapping[str, object] | None = None) -> LoadedConfig:
    return change(config, {"service.base_url": url, **(values or {})}, "demonstration")


def _words(errors: BaseExceptionGroup[VoicebotError | OSError]) -> str:
    """The first error of a group: what came after it came of it."""
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    hint = f" ({first.hint})" if isinstance(first, VoicebotError) and first.hint else ""
    return f"{first}{hint}"


def _failed(reason: str) -> int:
    sys.stderr.write(f"the demonstration failed: {reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
