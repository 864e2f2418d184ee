"""The sound card that is not there: a private PulseAudio, its microphone, its loudspeaker, and its faults.

Owns the life of one virtual card (`virtual-audio.sh` beside the tests) and the recorders on it. Knows no daemon.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from rig.sound import RATE_HZ, Recording, Samples, first_sound, write_wav
from rig.waiting import SCALE, wait_for

SCRIPT = Path(__file__).resolve().parent.parent / "virtual-audio.sh"
RECORD_LATENCY_MS = 5
PLAY_LATENCY_MS = 50
PRIORITY = 20


class Ear:
    """Listens at the loudspeaker until it is closed or the sound server dies."""

    def __init__(self, environment: dict[str, str], source: str = "vspk.monitor") -> None:
        self._lock = threading.Lock()
        self._chunks: list[bytes] = []
        self._bytes = 0
        self._start_s = float("inf")
        command = ["parec", f"--device={source}", "--format=s16le", f"--rate={RATE_HZ}", "--channels=1"]
        command += [f"--latency-msec={RECORD_LATENCY_MS}", f"--process-time-msec={RECORD_LATENCY_MS}"]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        wait_for(lambda: self._bytes, 5, "first recorded sample")

    def _listen(self) -> None:
        assert self._process.stdout
        descriptor = self._process.stdout.fileno()
        while chunk := os.read(descriptor, 65536):
            now_s = time.monotonic()
            with self._lock:
                self._chunks.append(chunk)
                self._bytes += len(chunk)
                # Delivery can be late but never early: the earliest estimate of the start is the truest.
                self._start_s = min(self._start_s, now_s - self._bytes / 2 / RATE_HZ)

    def sound(self) -> Recording:
        """Everything recorded so far."""
        with self._lock:
            data = b"".join(self._chunks)
            start_s = self._start_s
        return Recording(samples=np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2"), start_s=start_s)

    def wait_until_recorded(self, time_s: float) -> Recording:
        """Return the recording once it reaches the moment `time_s`."""

        def reached() -> Recording | None:
            recording = self.sound()
            return recording if recording.time_of(len(recording.samples)) >= time_s else None

        return wait_for(reached, max(0.0, time_s - time.monotonic()) + 3, f"recording up to {time_s:.3f}")

    def wait_for_sound(self, deadline_s: float, *, since_s: float = 0.0) -> float:
        """Return the time of the first sound after `since_s`."""

        def heard() -> float | None:
            recording = self.sound().since(since_s)
            first = first_sound(recording.samples)
            return None if first is None else recording.time_of(first)

        return wait_for(heard, deadline_s, "sound from the loudspeaker", every_s=0.02)

    def wait_for_silence(self, lasting_s: float, deadline_s: float) -> None:
        """Return once the last `lasting_s` seconds were silent."""

        def silent() -> bool:
            recording = self.sound()
            tail = recording.samples[-round(lasting_s * RATE_HZ) :]
            return len(tail) >= lasting_s * RATE_HZ - 1 and first_sound(tail) is None

        wait_for(silent, deadline_s, f"silence of {lasting_s} s from the loudspeaker", every_s=0.05)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(5)
        self._thread.join(5)
        assert self._process.stdout
        self._process.stdout.close()


class VirtualCard:
    """One private sound server with a microphone one can speak into and a loudspeaker one can listen to."""

    def __init__(self) -> None:
        # A Unix socket's path holds 107 bytes, so not below pytest's own directories.
        self.directory = Path(tempfile.mkdtemp(prefix="va-", dir="/tmp"))
        self.env = {
            "PULSE_SERVER": f"unix:{self.directory}/native.sock",
            "ALSA_CONFIG_PATH": f"{self.directory}/asound.conf",
            "PULSE_RUNTIME_PATH": f"{self.directory}/pulse",
        }
        """What a program needs in its environment to find this card."""
        self._speaking: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.env, "HOME": f"{self.directory}/home"}

    def _do(self, verb: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(SCRIPT), verb, *arguments],
            env={**os.environ, "VA_DIR": str(self.directory)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20 * SCALE,
            check=False,
        )
        assert done.returncode == 0, f"virtual-audio.sh {verb}: {done.stdout}{done.stderr}"

    def start(self) -> None:
        """Start it, before everything else that runs: a real card has its own clock, which no busy machine slows."""
        self._do("start")
        pid = int((self.directory / "pulse" / "pid").read_text())
        with suppress(PermissionError):  # without the right to, a busy machine damages the sound
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(PRIORITY))

    def stop(self) -> None:
        self._do("stop")

    def kill9(self) -> None:
        """The sound server dies without a word."""
        self._do("kill9")

    def freeze(self) -> None:
        self._do("freeze")

    def thaw(self) -> None:
        self._do("thaw")

    def suspend(self) -> None:
        self._do("suspend")

    def resume(self) -> None:
        self._do("resume")

    def remove(self) -> None:
        """Stop for good and leave nothing behind."""
        self.hush()
        self.stop()
        shutil.rmtree(self.directory)

    def say(self, samples: Samples, *, into: str = "mic_in") -> subprocess.Popen[bytes]:
        """Begin to speak into the microphone (or the loudspeaker); the process ends when the last sample was heard."""
        path = write_wav(self.directory / f"said-{len(self._speaking)}.wav", samples)
        speaking = subprocess.Popen(
            ["paplay", f"--device={into}", f"--latency-msec={PLAY_LATENCY_MS}", str(path)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._speaking.append(speaking)
        return speaking

    def hush(self) -> None:
        """Nobody speaks any more."""
        for speaking in self._speaking:
            speaking.kill()
            speaking.wait(5)
        self._speaking.clear()

    def say_it_all(self, samples: Samples, *, into: str = "mic_in") -> None:
        """Speak until the last sample was heard."""
        speaking = self.say(samples, into=into)
        assert speaking.wait((len(samples) / RATE_HZ + 5) * SCALE) == 0

    @contextmanager
    def loop_back(self, *, delay_ms: int = 60, gain_db: float = -6.0) -> Iterator[None]:
        """The microphone hears the loudspeaker while the block runs: what a box on an open table does."""
        self._do("loop", str(delay_ms), str(gain_db))
        try:
            yield
        finally:
            self._do("unloop")

    @contextmanager
    def listening(self, source: str = "vspk.monitor") -> Iterator[Ear]:
        """Record the loudspeaker while the block runs."""
        ear = Ear(self.environment, source)
        try:
            yield ear
        finally:
            ear.close()
