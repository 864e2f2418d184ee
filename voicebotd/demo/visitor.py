"""The recorded visitor of the demonstration: bundled clips, with pauses into which the answers of its script fit.

Owns who says what when. Arithmetic over the clips' lengths only; it cannot hear. The pauses leave a second or more of
room on every side, so that a slow machine makes the same conversation.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebotd.rehearsal.script_file import BUNDLED
from voicebotd.rehearsal.speech import SAMPLE_RATE_HZ, clip

SCRIPT = BUNDLED / "demo.yaml"
"""What the assistant answers to these lines, with their transcripts."""
BYTES_PER_SAMPLE = 2
CONNECTING_S = 1.5
"""The microphone runs while the link is still coming up."""
ANSWERING_S = 0.3
"""From the end of a turn to the first sound of its answer."""
INTERRUPTING_S = 5.0
"""How much of the long answer is heard before the visitor speaks over it: a third."""
THINKING_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    pause_s: float
    """Silence before the clip."""
    clip: str


def lines(turn_silence_s: float) -> tuple[Line, ...]:
    """The visitor's part. `turn_silence_s`: the silence by which the service knows that a turn is over."""
    answer_s = turn_silence_s + ANSWERING_S
    return (
        Line(pause_s=CONNECTING_S, clip="visitor_booking"),
        Line(pause_s=answer_s + INTERRUPTING_S, clip="visitor_interrupts"),
        Line(pause_s=answer_s + clip("assistant_booked").duration_s + THINKING_S, clip="visitor_goodbye"),
    )


def speech(turn_silence_s: float) -> bytes:
    """The visitor's part as a microphone would hear it: 24 kHz mono s16le."""
    said = bytearray()
    for line in lines(turn_silence_s):
        said += bytes(BYTES_PER_SAMPLE * round(line.pause_s * SAMPLE_RATE_HZ)) + clip(line.clip).pcm
    return bytes(said)
