"""Real child processes, without a sound card."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import pytest

from voicebotd.audio import child
from voicebotd.audio.child import AudioProcess, child_environment, list_devices
from voicebotd.audio.options import AudioOptions, FileOptions
from voicebotd.audio.protocol import Adjust, Message, Open, OpenFailed
from voicebotd.errors import AudioError

DEADLINE_S = 10


def play_child(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a script in the place of the audio process; `end` is its end of the socket."""
    prelude = (
        "import socket, sys, time, signal, os\n"
        "end = socket.socket(fileno=int(sys.argv[-1])) if sys.argv[1:] else None\n"
    )

    def command(module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-c", prelude + script, *arguments]

    monkeypatch.setattr(child, "child_command", command)


async def messages_of(process: AudioProcess) -> list[Message]:
    messages: list[Message] = []
    async with asyncio.timeout(DEADLINE_S):
        await process.listen(messages.append)
    return messages


def no_file() -> Open:
    return Open(
        options=AudioOptions(backend="file", file=FileOptions(input="/nowhere.wav")),
        settings=Adjust(muted=False, volume_percent=100, input_gain_db=0.0, echo_control="none", hold_input=False),
        epoch=0,
        resume=False,
        resume_frame=0,
    )


def test_a_child_never_learns_our_keys() -> None:
    known = child_environment({"OPENAI_API_KEY": "x", "OPENAI_API_KEY_FILE": "y", "PATH": "z"})
    assert known["PATH"] == "z"
    assert not any(name.startswith("OPENAI") for name in known)


@pytest.mark.asyncio
async def test_the_real_audio_process_answers_and_ends_when_asked() -> None:
    process = await AudioProcess.spawn()
    messages: list[Message] = []
    answered = asyncio.Event()

    def receive(message: Message) -> None:
        messages.append(message)
        answered.set()

    ended = process.listen(receive)
    assert process.send(no_file())
    async with asyncio.timeout(DEADLINE_S):
        await answered.wait()
        process.close()
        await ended
    assert messages == [OpenFailed(reason="/nowhere.wav: no such file", hint="")]
    assert await process.reap() == 0


@pytest.mark.asyncio
async def test_a_child_that_ignores_every_signal_is_killed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    play_child(monkeypatch, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nend.send(b'P')\ntime.sleep(60)")
    process = await AudioProcess.spawn()
    heard = asyncio.Event()
    ended = process.listen(lambda _: heard.set())
    async with asyncio.timeout(DEADLINE_S):
        await heard.wait()
        process.kill()
        await ended
    assert await process.reap() == -9
    process.kill()


@pytest.mark.asyncio
async def test_a_flood_on_stderr_blocks_the_child_and_only_its_last_line_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    play_child(monkeypatch, "sys.stderr.write('noise\\n' * 5000 + 'the last word\\n')")
    process = await AudioProcess.spawn()
    process.drain_stderr()
    assert await messages_of(process) == []
    while process.last_words != "the last word":
        process.drain_stderr()
    assert len(process._stderr) <= 4096
    assert await process.reap() == 0


@pytest.mark.asyncio
async def test_a_child_that_does_not_read_refuses_messages_without_blocking_us(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    play_child(monkeypatch, "time.sleep(60)")
    process = await AudioProcess.spawn()
    sent = 0
    while process.send(no_file()):
        sent += 1
    assert sent > 10
    process.kill()
    await process.reap()


@pytest.mark.asyncio
@pytest.mark.parametrize("nonsense", ["b'?'", "b'J{}'"])
async def test_nonsense_from_the_child_is_an_error_for_who_waits(
    monkeypatch: pytest.MonkeyPatch, nonsense: str
) -> None:
    play_child(monkeypatch, f"end.send({nonsense})\ntime.sleep(60)")
    process = await AudioProcess.spawn()
    with pytest.raises(AudioError):
        await messages_of(process)
    process.kill()
    await process.reap()


@pytest.mark.asyncio
async def test_no_process_to_be_had_is_an_audio_error_and_leaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(asyncio, "create_subprocess_exec", fail)
    with pytest.raises(AudioError, match="temporarily unavailable"):
        await AudioProcess.spawn()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.asyncio
async def test_a_life_leaks_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    play_child(monkeypatch, "")
    descriptors: list[int] = []
    for _ in range(3):
        process = await AudioProcess.spawn()
        await messages_of(process)
        await process.reap()
        descriptors.append(len(os.listdir("/proc/self/fd")))
    assert descriptors[0] == descriptors[2]


@pytest.mark.asyncio
async def test_a_device_list_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    play_child(monkeypatch, "time.sleep(60)")
    monkeypatch.setattr(child, "_LIST_DEADLINE_S", 0.2)
    with pytest.raises(AudioError, match="too long"):
        await list_devices()


@pytest.mark.asyncio
async def test_a_device_list_is_read_from_the_one_shot_process(monkeypatch: pytest.MonkeyPatch) -> None:
    play_child(monkeypatch, "print('{\"devices\": []}')")
    assert await list_devices() == []
