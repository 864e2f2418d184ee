"""A sound file as a stream of mono blocks, and the check that says in one line why a file will not do.

Anything libsndfile reads, at its own rate, any number of channels. soundfile is imported only when a file is used.
Knows no clock and no engine.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voicebotd.audio.level import to_int16
from voicebotd.audio.ring import Samples
from voicebotd.errors import AudioError

_MIN_HZ, _MAX_HZ = 4_000, 384_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What a sound file is."""

    rate_hz: int
    channels: int
    frames: int

    @property
    def duration_s(self) -> float:
        return self.frames / self.rate_hz


class InputFile:
    """Reads an audio file block by block. `input` is a path, or an open file descriptor that stays the caller's.

    Raises `AudioError` where it is missing, unreadable, empty or no audio.
    """

    def __init__(self, input_: str | int, *, resume_frame: int = 0) -> None:
        self.name = "the file" if isinstance(input_, int) else input_
        self._file = self._open(input_)
        self.facts = FileFacts(rate_hz=self._file.samplerate, channels=self._file.channels, frames=self._file.frames)
        if not self.facts.frames:
            raise AudioError(f"{self.name}: has no audio in it")
        if not _MIN_HZ <= self.facts.rate_hz <= _MAX_HZ:
            raise AudioError(f"{self.name}: sample rate {self.facts.rate_hz} Hz is out of range {_MIN_HZ}…{_MAX_HZ}")
        if resume_frame:
            self._file.seek(min(resume_frame, self.facts.frames))

    def _open(self, input_: str | int) -> Any:
        import soundfile  # noqa: PLC0415

        try:
            if isinstance(input_, int):
                os.lseek(input_, 0, os.SEEK_SET)
                return soundfile.SoundFile(input_, closefd=False)
            if not Path(input_).is_file():
                raise AudioError(f"{self.name}: {'is not a file' if Path(input_).exists() else 'no such file'}")
            with Path(input_).open("rb"):  # libsndfile says only "System error" where this says why
                return soundfile.SoundFile(input_)
        except soundfile.SoundFileError:
            formats = "use WAV, FLAC, OGG or MP3"
            raise AudioError(f"{self.name}: is not audio that can be read", hint=formats) from None
        except OSError as error:
            raise AudioError(f"{self.name}: {error.strerror}") from None

    def read(self, frames: int) -> Samples:
        """The next `frames`, fewer at the end of the file; channels are averaged. Raises `AudioError` on damage."""
        import soundfile  # noqa: PLC0415

        try:
            block = self._file.read(frames, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise AudioError(f"{self.name}: damaged: {error}") from None
        # A float file may hold anything, NaN too; the scale makes 16-bit files come out exactly as they went in.
        return to_int16(np.nan_to_num(block.mean(axis=1)) * np.float32(32768))

    def close(self) -> None:
        self._file.close()


def probe(input_: str | int) -> FileFacts:
    """Whether a path or an open descriptor can be the microphone. Raises `AudioError` with one clear line."""
    file = InputFile(input_)
    try:
        if not len(file.read(1)):
            raise AudioError(f"{file.name}: has no audio in it")
    finally:
        file.close()
    if isinstance(input_, int):
        os.lseek(input_, 0, os.SEEK_SET)
    return file.facts
