"""The audio process: `python -m voicebotd.audio.engine --fd N`, spoken to over the socketpair's end N.

Its main thread is the engine thread: it wakes when a callback left something or a message came, and moves audio
between socket and rings. A second thread reads the socket. The process may be killed at any moment and ends by itself
when the daemon does. Never imported by the daemon.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from voicebotd.audio.callback import Exchange
from voicebotd.audio.link import Inbox, Link, read_messages
from voicebotd.audio.options import AudioOptions
from voicebotd.audio.protocol import (
    Adjust,
    Flush,
    Flushed,
    Message,
    Open,
    Opened,
    OpenFailed,
    Play,
)
from voicebotd.audio.pump import Pump
from voicebotd.audio.recorder import Recorder
from voicebotd.audio.sources import Source, StreamFormat
from voicebotd.errors import AudioError

HEARTBEAT_S = 0.1
SWITCH_INTERVAL_S = 0.0005
"""How long one thread may keep the interpreter; 5 ms, the default, gave 10 xruns under load where 0.5 ms gave none."""
NICENESS = -10
"""Before everything else on the box that asks for nothing; PortAudio's threads inherit it."""


def make_source(options: AudioOptions, resume_frame: int) -> Source:
    """The back-end that `options` name. Imports only what that one needs."""
    if options.backend == "file":
        from voicebotd.audio.file_source import FileSource  # noqa: PLC0415

        return FileSource(options, resume_frame=resume_frame)
    try:
        from voicebotd.audio.portaudio_source import PortAudioSource  # noqa: PLC0415
    except OSError as error:
        raise AudioError(f"PortAudio is missing: {error}", hint="install the package libportaudio2") from None
    return PortAudioSource(options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """An open source and what works on it."""

    pump: Pump
    opened: Opened
    source: Source
    """Kept for as long as it sounds: PortAudio calls back into objects that nothing else refers to."""


def open_sound(message: Open, *, wake: Callable[[], None]) -> Sound:
    """Open what `message` asks for. Raises `AudioError`; may hang where PortAudio does."""
    options = message.options
    recorder = Recorder(
        speaker_path=options.file.output_path if options.file else None,
        both_sides_path=options.record_both_sides_path,
        resume=message.resume,
    )
    plugged: list[tuple[StreamFormat, Pump]] = []

    def connect(form: StreamFormat) -> Exchange:
        pump = Pump(form, options, epoch=message.epoch, recorder=recorder, wake=wake)
        pump.adjust(message.settings)
        plugged.append((form, pump))
        return pump.exchange

    try:
        source = make_source(options, message.resume_frame)
        latency = source.open(connect)
    except AudioError:
        recorder.close()
        raise
    form, pump = plugged[0]
    pump.opened(latency)
    opened = Opened(
        input_name=form.input_name,
        output_name=form.output_name,
        streams=form.streams,
        sample_rate_hz=form.input_hz,
        input_latency_ms=round(latency.input_ms, 1),
        output_latency_ms=round(latency.output_ms, 1),
    )
    return Sound(pump=pump, opened=opened, source=source)


class Engine:
    """The engine thread."""

    def __init__(self, link: Link, inbox: Inbox) -> None:
        self._link = link
        self._inbox = inbox
        self._pump: Pump | None = None
        self._source: Source | None = None
        self._beat_at_s = 0.0

    def run(self) -> None:
        """Work until the daemon closes the socket."""
        while not self._inbox.closed:
            self.step()
        if self._pump is not None:
            self._pump.close()

    def step(self) -> None:
        """Sleep until there is something to do, and do it."""
        for message in self._inbox.wait(HEARTBEAT_S):
            self._handle(message)
        if self._pump is not None:
            self._work(self._pump)

    def _work(self, pump: Pump) -> None:
        for message in pump.work():
            self._link.send(message)
        now_s = time.monotonic()
        if now_s >= self._beat_at_s and pump.proven:
            self._beat_at_s = now_s + HEARTBEAT_S
            self._link.send(pump.heartbeat(now_s=now_s, dropped_frames=self._link.dropped_frames))

    def _handle(self, message: Message) -> None:
        if isinstance(message, Open):
            self._open(message)
        elif self._pump is None:
            self._answer_unopened(message)
        elif isinstance(message, Play):
            self._pump.play(message.pcm)
        elif isinstance(message, Flush):
            self._pump.flush(message.epoch)
        elif isinstance(message, Adjust):
            self._pump.adjust(message)

    def _answer_unopened(self, message: Message) -> None:
        if isinstance(message, Flush):
            self._link.send(Flushed(epoch=message.epoch, handed_samples=0))

    def _open(self, message: Open) -> None:
        try:
            sound = open_sound(message, wake=self._inbox.wake)
        except AudioError as error:
            self._link.send(OpenFailed(reason=error.message, hint=error.hint))
            return
        self._pump, self._source = sound.pump, sound.source
        self._link.patient = message.options.backend == "file"
        self._link.send(sound.opened)


def main() -> None:
    parser = argparse.ArgumentParser(prog="voicebotd.audio.engine")
    parser.add_argument("--fd", type=int, required=True, help="this process's end of the socketpair")
    end = socket.socket(fileno=parser.parse_args().fd)
    # A terminal's ctrl-C and systemd's SIGTERM reach the whole group; the daemon decides when its audio ends.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with contextlib.suppress(PermissionError):  # where the unit grants no LimitNICE, it runs as well as it can
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    inbox, finished = Inbox(), threading.Event()
    threading.Thread(target=read_messages, args=(end, inbox, finished), name="reader", daemon=True).start()
    try:
        Engine(Link(end), inbox).run()
    except BrokenPipeError:
        pass  # the daemon died between its last message and our next
    except Exception:  # noqa: BLE001 - the process's boundary: say it on stderr, where the manager looks
        traceback.print_exc()
        os._exit(1)
    finished.set()
    # Not a normal exit: sounddevice terminates PortAudio at exit, and that can hang.
    os._exit(0)


if __name__ == "__main__":
    main()
