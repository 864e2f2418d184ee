"""What the demonstration shows: who speaks, both transcripts, what was heard of an interrupted answer, and no colours
where nobody asked for any.
"""

from __future__ import annotations

import io
from typing import Any

import pytest

from voicebotd.demo.stage import Stage


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(*events: tuple[str, dict[str, Any]], out: io.StringIO | None = None, **environ: str) -> str:
    out = out if out is not None else io.StringIO()
    stage = Stage(out, environ)
    for topic, data in events:
        stage.observe(topic, data)
    return out.getvalue()


def delta(text: str, item_id: str = "a") -> tuple[str, dict[str, Any]]:
    return "transcript", {"role": "assistant", "item_id": item_id, "delta": text, "final": False}


def final(role: str, text: str, heard: str | None = None) -> tuple[str, dict[str, Any]]:
    data = {"role": role, "item_id": "a", "text": text, "final": True}
    return "transcript", {**data, "heard_text": text if heard is None else heard, "interrupted": heard is not None}


DONE = ("response", {"event": "done", "status": "completed", "response_id": "r"})
INTERRUPTED = ("response", {"event": "interrupted", "heard_ms": 900, "item_id": "a"})


def test_the_assistants_words_are_shown_once_when_all_of_them_are_known() -> None:
    assert shown(delta("Good "), delta("morning.")) == ""

    text = shown(delta("Good "), delta("morning."), DONE, final("assistant", "Good morning."))

    assert text.count("assistant: Good morning.") == 1


def test_each_of_several_messages_of_an_answer_has_its_line() -> None:
    text = shown(delta("One moment.", "a"), delta("It is noon.", "b"), DONE)

    assert [line.split(": ")[1] for line in text.splitlines()] == ["One moment.", "It is noon."]


def test_an_interruption_tells_how_much_and_which_words_were_heard() -> None:
    text = shown(delta("Good morning to you."), DONE, final("assistant", "Good morning to you.", "Good"), INTERRUPTED)

    assert "assistant: Good morning to you." in text
    assert text.rstrip().endswith("interrupted after 900 ms; heard: Good …")


def test_an_answer_that_is_cut_before_it_was_all_written_is_shown_as_far_as_it_came() -> None:
    text = shown(delta("Good morn"), final("assistant", "Good morn", ""), INTERRUPTED)

    assert "assistant: Good morn\n" in text
    assert "heard: nothing …" in text


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (final("user", "Hello there."), "visitor: Hello there."),
        (("turn", {"event": "speech_started", "item_id": "u"}), "visitor speaks"),
        (("state", {"state": "speaking"}), "speaking"),
        (("tool", {"event": "called", "name": "book", "arguments": "{}", "call_id": "c"}), "calls book({})"),
        (("error", {"code": "x", "message": "no such thing"}), "error: no such thing"),
    ],
)
def test_everything_else_is_told_as_it_happens(event: tuple[str, dict[str, Any]], words: str) -> None:
    assert words in shown(event)


def test_what_people_need_not_see_is_not_shown() -> None:
    assert shown(("usage", {"tokens": 5})) == ""


@pytest.mark.parametrize(("out", "environ"), [(io.StringIO(), {}), (Terminal(), {"NO_COLOR": "1"})])
def test_there_are_no_colours_without_a_terminal_or_where_they_are_unwanted(
    out: io.StringIO, environ: dict[str, str]
) -> None:
    Stage(out, environ).say("Hello")

    assert out.getvalue() == "Hello\n"


def test_a_terminal_gets_colours() -> None:
    assert "\x1b[" in shown(("state", {"state": "speaking"}), out=Terminal())
