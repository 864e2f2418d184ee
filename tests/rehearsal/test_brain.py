from __future__ import annotations

from voicebotd.rehearsal.brain import Line, ParrotBrain, Question
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS

SPEECH = bytes(2400 * PCM_BYTES_PER_MS)


def said(question: Question) -> Line:
    (line,) = ParrotBrain().answer(question).parts
    assert isinstance(line, Line)
    return line


def test_a_parrot_says_the_visitors_own_audio_back() -> None:
    assert said(Question(pcm=SPEECH)) == Line(text="(2.4 s of your own voice)", pcm=SPEECH)


def test_a_parrot_says_written_text_back() -> None:
    line = said(Question(text="Good morning"))
    assert line.text == "Good morning"
    assert line.pcm


def test_a_parrot_with_nothing_to_repeat_asks_for_something() -> None:
    assert "Say something" in said(Question(opening=True)).text


def test_a_parrot_does_not_claim_to_know_the_words() -> None:
    assert ParrotBrain().hear(SPEECH) == "(2.4 s of speech)"
