from __future__ import annotations

from dataclasses import replace

from voicebotd.rehearsal.brain import Answer, Call, Line, Question
from voicebotd.rehearsal.script import Aside, Script, ScriptBrain, Turn


def line(text: str) -> Line:
    return Line(text=text, pcm=b"")


SCRIPT = Script(
    turns=(
        Turn(says=(line("one"), line("two")), hears="first"),
        Turn(says=(line("wait"),), calls=(Call(name="f", arguments="{}"),)),
    ),
    asides=(Aside(when_text_contains="hours", answer=Answer(parts=(line("nine to five"),))),),
    greeting=line("welcome"),
    idle=line("still there?"),
    out_of_band=line("noted"),
)
SPOKEN = Question(pcm=b"")


def texts(brain: ScriptBrain, question: Question = SPOKEN) -> list[str]:
    return [part.text if isinstance(part, Line) else part.name for part in brain.answer(question).parts]


def test_each_response_takes_the_next_turn_and_then_the_script_starts_again() -> None:
    brain = ScriptBrain(SCRIPT)
    assert [texts(brain) for _ in range(3)] == [["one", "two"], ["wait", "f"], ["one", "two"]]


def test_a_script_may_stay_at_its_last_turn() -> None:
    brain = ScriptBrain(replace(SCRIPT, after_last="last"))
    assert [texts(brain)[0] for _ in range(3)] == ["one", "wait", "wait"]


def test_written_messages_take_turns_too() -> None:
    brain = ScriptBrain(SCRIPT)
    assert texts(brain, Question(text="hello")) == ["one", "two"]
    assert texts(brain, Question(text="and now?")) == ["wait", "f"]


def test_greeting_idle_prompt_out_of_band_answer_and_aside_take_no_turn() -> None:
    brain = ScriptBrain(SCRIPT)
    assert texts(brain, Question(opening=True)) == ["welcome"]
    assert texts(brain, Question(idle=True)) == ["still there?"]
    assert texts(brain, Question(out_of_band=True)) == ["noted"]
    assert texts(brain, Question(text="Your HOURS?")) == ["nine to five"]
    assert texts(brain, Question(text="hours", out_of_band=True)) == ["nine to five"]
    assert texts(brain) == ["one", "two"]


def test_without_a_greeting_the_first_turn_opens_the_conversation() -> None:
    assert texts(ScriptBrain(replace(SCRIPT, greeting=None)), Question(opening=True)) == ["one", "two"]


def test_speech_is_reported_in_the_words_of_the_turn_that_answers_it() -> None:
    brain = ScriptBrain(SCRIPT)
    assert (brain.hear(b""), brain.hear(b"")) == ("first", "first")
    brain.answer(SPOKEN)
    assert brain.hear(bytes(48_000)) == "(1.0 s of speech)"
