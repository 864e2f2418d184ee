"""The judgement whether the conversation went as rehearsed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from voicebotd.control.contract_results import FileDocument, FileTimings, TokenUsage, Turn
from voicebotd.demo.recorded import what_is_missing


def document(*turns: str) -> FileDocument:
    """Turns by their first letter: user, assistant, and X for an answer that was interrupted."""
    return FileDocument(
        conversation_id="c",
        turns=[
            Turn(
                item_id=str(number),
                number=number,
                role="user" if kind == "u" else "assistant",
                text="",
                heard_text="",
                audio_ms=0,
                heard_ms=0,
                interrupted=kind == "X",
                status="completed",
                started_at=None,
                ended_at=None,
            )
            for number, kind in enumerate(turns, start=1)
        ],
        tool_calls=[],
        usage=TokenUsage(),
        timings=FileTimings(input_ms=0, output_ms=0, elapsed_s=0.0, first_audio_ms=[]),
    )


def test_three_turns_with_the_first_answer_interrupted_are_as_rehearsed() -> None:
    assert what_is_missing(document("u", "X", "u", "a", "u", "a")) == ""


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ("", "0 turns and 0 answers"),
        ("uXua", "2 turns and 2 answers"),
        ("uXuau", "3 turns and 2 answers"),
        ("uauaua", "interrupted"),
        ("uXuXua", "interrupted"),
    ],
)
def test_anything_else_is_named(turns: Sequence[str], words: str) -> None:
    assert words in what_is_missing(document(*turns))
