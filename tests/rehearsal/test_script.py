from __future__ import annotations

from dataclasses import replace

from voicebotd.rehearsal.brain import Answer, Call, Line, Past, Question
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
    waiting=line("one moment"),
)


class Talk:
    """A conversation with a new brain for each question: only what it holds can tell them where it is."""

    def __init__(self, script: Script = SCRIPT) -> None:
        self.script = script
        self.past: list[Past] = []

    def ask(self, text: str | None = None) -> list[str]:
        """Ask in writing, or by voice, and remember what was answered."""
        self.past.append(Past(kind="user", text=text or ""))
        return self.answered(Question(text=text, pcm=b"" if text is None else None, past=tuple(self.past)))

    def go_on(self) -> list[str]:
        return self.answered(Question(past=tuple(self.past), opening=not self.past))

    def answered(self, question: Question) -> list[str]:
        parts = ScriptBrain(self.script).answer(question).parts
        for part in parts:
            given = (
                Past(kind="assistant", text=part.text)
                if isinstance(part, Line)
                else Past(kind="call", name=part.name, text=part.arguments)
            )
            self.past.append(given)
        return [part.text if isinstance(part, Line) else part.name for part in parts]

    def hear(self, pcm: bytes = b"") -> str:
        return ScriptBrain(self.script).hear(pcm, (*self.past, Past(kind="user")))


def test_each_answer_takes_the_next_turn_and_then_the_script_starts_again() -> None:
    talk = Talk()
    assert [talk.ask() for _ in range(4)] == [["one", "two"], ["wait", "f"], ["one", "two"], ["wait", "f"]]


def test_a_script_may_stay_at_its_last_turn() -> None:
    talk = Talk(replace(SCRIPT, after_last="last"))
    assert [talk.ask()[0] for _ in range(4)] == ["one", "wait", "wait", "wait"]


def test_written_messages_take_turns_too() -> None:
    talk = Talk()
    assert talk.ask("hello") == ["one", "two"]
    assert talk.ask("and now?") == ["wait", "f"]


def test_an_output_is_answered_by_the_turn_after_the_call() -> None:
    talk = Talk()
    assert (talk.ask(), talk.ask()) == (["one", "two"], ["wait", "f"])
    talk.past.append(Past(kind="output", text="done"))
    assert talk.go_on() == ["one", "two"]


def test_greeting_idle_prompt_word_of_patience_out_of_band_answer_and_aside_take_no_turn() -> None:
    talk = Talk()
    assert talk.go_on() == ["welcome"]
    assert talk.answered(Question(idle=True)) == ["still there?"]
    assert talk.answered(Question(out_of_band=True)) == ["noted"]
    assert talk.answered(Question(waiting=True)) == ["one moment"]
    assert talk.ask("Your HOURS?") == ["nine to five"]
    assert talk.answered(Question(text="hours", out_of_band=True)) == ["nine to five"]
    assert talk.ask() == ["one", "two"]


def test_without_a_greeting_the_first_turn_opens_the_conversation() -> None:
    assert Talk(replace(SCRIPT, greeting=None)).go_on() == ["one", "two"]


def test_a_question_that_was_not_answered_gets_the_same_answer_when_it_is_asked_again() -> None:
    talk = Talk()
    assert (talk.ask(), talk.ask()) == (["one", "two"], ["wait", "f"])
    del talk.past[-2:]  # the link broke before anything of it was heard
    assert talk.ask() == ["wait", "f"]


def test_who_was_cut_off_says_the_rest_and_only_where_nobody_asks_anything_else() -> None:
    talk = Talk()
    talk.ask()
    del talk.past[-1]
    assert talk.go_on() == ["two"]
    assert talk.go_on() == ["wait", "f"]
    del talk.past[-1]
    assert talk.ask() == ["one", "two"]


def test_speech_is_reported_in_the_words_of_the_turn_that_answers_it() -> None:
    talk = Talk()
    assert (talk.hear(), talk.hear()) == ("first", "first")
    talk.ask()
    assert talk.hear(bytes(48_000)) == "(1.0 s of speech)"


def test_a_turn_says_and_calls_with_what_a_function_answered_and_is_recognised_by_it() -> None:
    told = Line(text="It is {book.code}.", pcm=b"")
    cancel = Call(name="cancel", arguments='{"code": "{book.code}"}')
    script = Script(
        turns=(
            Turn(calls=(Call(name="book", arguments="{}"),)),
            Turn(says=(told,)),
            Turn(calls=(cancel,)),
            Turn(says=(told,)),
        ),
        asides=(Aside(when_text_contains="code", answer=Answer(parts=(told,))),),
        idle=line("still there?"),
        out_of_band=line("noted"),
        waiting=line("one moment"),
        after_last="last",
    )
    past = (
        Past(kind="user", text="?"),
        Past(kind="call", name="book", text="{}"),
        Past(kind="output", text='{"code": 7}'),
    )
    [said] = ScriptBrain(script).answer(Question(past=past)).parts
    assert isinstance(said, Line)
    assert said.text == "It is 7."
    past += (Past(kind="assistant", text="It is 7."), Past(kind="user", text="?"))
    [call] = ScriptBrain(script).answer(Question(past=past)).parts
    assert call == Call(name="cancel", arguments='{"code": "7"}')
    past += (Past(kind="call", name="cancel", text='{"code": "7"}'), Past(kind="output", text="done"))
    [said] = ScriptBrain(script).answer(Question(past=past)).parts
    assert isinstance(said, Line)
    assert said.text == "It is 7."
    [said] = ScriptBrain(script).answer(Question(text="Which code?", past=past)).parts
    assert isinstance(said, Line)
    assert said.text == "It is 7."
