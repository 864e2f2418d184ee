from __future__ import annotations

from voicebotd.rehearsal.brain import Line, Past, Question
from voicebotd.rehearsal.items import PCM_BYTES_PER_MS
from voicebotd.rehearsal.parrot import LONGEST_MEMORY, Memory, ParrotBrain, number_of

SPEECH = bytes(2400 * PCM_BYTES_PER_MS)
NOTHING = "Say something, and I will say it back to you."


def user(text: str = "") -> Past:
    return Past(kind="user", text=text)


def assistant(text: str) -> Past:
    return Past(kind="assistant", text=text)


def said(question: Question, memory: Memory | None = None) -> Line:
    (line,) = ParrotBrain(memory or Memory()).answer(question).parts
    assert isinstance(line, Line)
    return line


def test_a_parrot_says_the_visitors_own_audio_back_and_which_question_it_was() -> None:
    line = Line(text="(question 1, 2.4 s of your own voice)", pcm=SPEECH)
    assert said(Question(pcm=SPEECH)) == said(Question(pcm=SPEECH, past=(user(),))) == line


def test_a_parrot_says_written_text_back() -> None:
    line = said(Question(text="Good morning"))
    assert line.text == "Good morning"
    assert line.pcm


def test_a_parrot_with_nothing_to_repeat_asks_for_something() -> None:
    assert said(Question(opening=True)).text == NOTHING
    assert said(Question(past=(user("a b"),))).text == NOTHING


def test_a_parrot_does_not_claim_to_know_the_words() -> None:
    assert ParrotBrain(Memory()).hear(SPEECH, (user(),)) == "(question 1, 2.4 s of speech)"


def test_questions_are_counted_and_what_names_a_number_is_believed() -> None:
    assert number_of((user(), assistant("Hello."), user())) == 2
    assert number_of((assistant("(question 7, 1.0 s of your own voice)"), user())) == 8
    assert number_of((user("(question 7, 1.0 s of speech)"), assistant("(question 7,"), user(), user())) == 9


def test_a_question_given_in_writing_to_another_session_is_answered_with_its_sound() -> None:
    memory = Memory()
    transcript = ParrotBrain(memory).hear(SPEECH, (user(),))
    answer = said(Question(text=transcript, past=(user(transcript),)), memory)
    assert answer == Line(text="(question 1, 2.4 s of your own voice)", pcm=SPEECH)


def test_another_session_says_the_rest_of_an_answer() -> None:
    memory = Memory()
    whole = said(Question(pcm=SPEECH), memory)
    rest = said(Question(past=(user(), assistant("(question 1, 2.4"))), memory)
    assert rest.text == "s of your own voice)"
    assert whole.pcm.endswith(rest.pcm)
    assert abs(len(rest.pcm) / len(SPEECH) - 5 / 8) < 0.05


def test_an_answer_that_was_cut_off_twice_goes_on_after_both_parts() -> None:
    memory = Memory()
    said(Question(pcm=SPEECH), memory)
    rest = said(Question(past=(user(), assistant("(question"), assistant("1, 2.4"))), memory)
    assert rest.text == "s of your own voice)"


def test_nothing_is_left_of_a_whole_or_an_unknown_answer() -> None:
    memory = Memory()
    whole = said(Question(pcm=SPEECH), memory)
    for held in (whole.text, "(question 3,"):
        assert said(Question(past=(user(), assistant(held))), memory).text == NOTHING


def test_the_oldest_question_is_forgotten() -> None:
    memory = Memory()
    transcripts = [ParrotBrain(memory).hear(SPEECH, (user(),) * (n + 1)) for n in range(LONGEST_MEMORY + 1)]
    assert memory.find(transcripts[0].replace("speech", "your own voice")) is None
    assert memory.find(transcripts[1].replace("speech", "your own voice")) is not None
