"""The conversation with the recorded visitor, and the judgement whether it went as rehearsed.

Owns what it must have shown. How it is held is `file_conversation.py`'s.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from voicebotd import file_conversation
from voicebotd.config.load import LoadedConfig
from voicebotd.control.contract_results import FileDocument
from voicebotd.demo import visitor
from voicebotd.demo.stage import Stage
from voicebotd.errors import VoicebotError
from voicebotd.rehearsal.speech import SAMPLE_RATE_HZ


async def converse(config: LoadedConfig, *, recording: Path, scratch: Path, stage: Stage) -> None:
    """Hold it. `scratch`: a directory for the visitor's file. Raises VoicebotError where it went otherwise."""
    microphone = scratch / "visitor.wav"
    pcm = visitor.speech(config.settings.turn_detection.silence_duration_ms / 1000)
    soundfile.write(microphone, np.frombuffer(pcm, dtype="<i2"), SAMPLE_RATE_HZ)
    document = await file_conversation.hold(
        config, str(microphone), both_sides_path=str(recording), observe=stage.observe
    )
    if missing := what_is_missing(document):
        raise VoicebotError(f"the conversation did not go as rehearsed: {missing}")


def what_is_missing(document: FileDocument) -> str:
    """Three turns of the visitor, an answer to each, one of them interrupted. Empty when all of it is there."""
    visitor_turns = [turn for turn in document.turns if turn.role == "user"]
    answers = [turn for turn in document.turns if turn.role == "assistant"]
    if len(visitor_turns) != 3 or len(answers) != 3:
        return f"the visitor had {len(visitor_turns)} turns and {len(answers)} answers instead of 3"
    if [turn.interrupted for turn in answers] != [True, False, False]:
        return "it was not the first answer alone that was interrupted"
    return ""
