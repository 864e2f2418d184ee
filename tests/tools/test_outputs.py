"""What the model is told of a call: always something that it can speak about."""

from __future__ import annotations

import dataclasses
import datetime
import json
from typing import Any

import pytest
from pydantic import BaseModel

from voicebotd.errors import ToolError
from voicebotd.tools import outputs


@dataclasses.dataclass
class Slot:
    at: datetime.time


class Day(BaseModel):
    slots: list[Any]


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (None, "done"),
        ("open until six", "open until six"),
        ({"free": ["9:00"], "café": 1.5}, '{"free":["9:00"],"café":1.5}'),
        (Slot(at=datetime.time(9, 30)), '{"at":"09:30:00"}'),
        (Day(slots=[datetime.date(2026, 12, 1)]), '{"slots":["2026-12-01"]}'),
        ({1, 2}, "[1,2]"),
        (True, "true"),
    ],
)
def test_a_result_is_told_as_text(result: Any, told: str) -> None:
    assert outputs.tell(result) == told


def endless() -> list[Any]:
    itself: list[Any] = []
    itself.append(itself)
    return itself


@pytest.mark.parametrize("result", [object(), float("nan"), {"handle": object()}, endless(), b"\xff\xfe"])
def test_a_result_that_is_no_json_is_told_as_such(result: Any) -> None:
    with pytest.raises(ToolError, match="returned what cannot be told"):
        outputs.tell(result)


def test_a_result_of_megabytes_is_cut_and_says_so() -> None:
    told = outputs.tell("x" * 5_000_000)
    assert len(told) < outputs.MOST_CHARACTERS + 200
    assert told.endswith("[Cut: these are the first 16000 of 5000000 characters. Ask for less if you can.]")
    assert outputs.tell(["x" * outputs.MOST_CHARACTERS]).startswith('["xx')


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (outputs.failure("The day is over."), "The day is over."),
        (outputs.raised("book"), "The function book failed."),
        (outputs.timed_out("book", 2.5), "did not answer within 2.5 s"),
        (outputs.unknown("bok", ["book", "cancel"]), "There is no function 'bok'. There is only: book, cancel."),
        (outputs.unknown("bok", []), "There are no functions at present."),
        (outputs.busy(40), "40 functions are running or waiting already"),
    ],
)
def test_a_failure_is_a_sentence_that_the_model_reads(output: str, words: str) -> None:
    assert words in json.loads(output)["error"]


def test_a_failure_is_as_short_as_a_result() -> None:
    assert len(outputs.failure("x" * 5_000_000)) < outputs.MOST_CHARACTERS + 50
