"""WAV files of what the loudspeaker played and of both sides of a conversation, written as it goes.

Own RIFF header instead of a library's, because a recording must be whole up to its last second when the process is
killed, and must go on where it ended when a successor takes over. Knows no device.
"""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from voicebotd.audio.options import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ
from voicebotd.audio.ring import Samples
from voicebotd.errors import AudioError

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_RIFF_MAX_BYTES = 0xFFFFFFFF - _HEADER.size
_HEADER_EVERY_BYTES = SAMPLE_RATE_HZ * BYTES_PER_SAMPLE


def _header(data_bytes: int, channels: int) -> bytes:
    frame_bytes = channels * BYTES_PER_SAMPLE
    return _HEADER.pack(
        b"RIFF", data_bytes + _HEADER.size - 8, b"WAVE",
        b"fmt ", 16, 1, channels, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ * frame_bytes, frame_bytes, 16,
        b"data", data_bytes,
    )  # fmt: skip


class WavWriter:
    """A 24 kHz 16-bit WAV whose header is right at least once a second of audio.

    `resume` goes on at the end of what is already there. Raises `AudioError` when the file cannot be opened; a
    disk that fills up later ends the recording, never the conversation.
    """

    def __init__(self, path: str, *, channels: int, resume: bool) -> None:
        self._channels = channels
        self._file: BinaryIO | None = None
        try:
            append = resume and Path(path).exists()
            self._file = Path(path).open("r+b" if append else "wb")  # noqa: SIM115 - lives as long as this object
            self._bytes = max(0, self._file.seek(0, 2) - _HEADER.size)
            self._headed_bytes = self._bytes
            self._write_header(self._file)
        except OSError as error:
            raise AudioError(f"cannot write {path}: {error.strerror}", hint="name a writable file") from None

    def write(self, samples: Samples) -> None:
        """Append interleaved samples."""
        if self._file is None or self._bytes + samples.nbytes > _RIFF_MAX_BYTES:
            return
        try:
            self._file.write(samples.astype("<i2", copy=False).tobytes())
            self._bytes += samples.nbytes
            if self._bytes - self._headed_bytes >= _HEADER_EVERY_BYTES * self._channels:
                self._write_header(self._file)
        except OSError:
            self._abandon(self._file)

    def _write_header(self, file: BinaryIO) -> None:
        file.seek(0)
        file.write(_header(self._bytes, self._channels))
        file.seek(0, 2)
        file.flush()
        self._headed_bytes = self._bytes

    def close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._write_header(self._file)
            self._abandon(self._file)

    def _abandon(self, file: BinaryIO) -> None:
        self._file = None
        with contextlib.suppress(OSError):
            file.close()


class Recorder:
    """Keeps the loudspeaker alone, both sides, both or nothing, from paired 24 kHz frames."""

    def __init__(self, *, speaker_path: str | None, both_sides_path: str | None, resume: bool) -> None:
        self._speaker = WavWriter(speaker_path, channels=1, resume=resume) if speaker_path else None
        self._both = WavWriter(both_sides_path, channels=2, resume=resume) if both_sides_path else None

    @property
    def active(self) -> bool:
        return self._speaker is not None or self._both is not None

    def write(self, near: Samples, far: Samples) -> None:
        if self._speaker:
            self._speaker.write(far)
        if self._both:
            self._both.write(np.column_stack((near, far)).ravel())

    def close(self) -> None:
        for writer in (self._speaker, self._both):
            if writer:
                writer.close()
