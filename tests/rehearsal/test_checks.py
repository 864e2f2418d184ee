from __future__ import annotations

from typing import Any

import pytest

from voicebotd.rehearsal import checks
from voicebotd.rehearsal.checks import Check
from voicebotd.rehearsal.wire import Refusal

RECORD = checks.record({"a": checks.integer(0), "b": checks.text()}, required=("a",))
TAGGED = checks.tagged("type", {"x": checks.record({"type": checks.choice("x")})})
PAIRS = checks.pairs(longest=2, longest_key=3, longest_value=4)


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (checks.text(), ""),
        (checks.text(longest=2), "ab"),
        (checks.flag, False),
        (checks.anything, object),
        (checks.integer(0, 5), 5),
        (checks.integer(0), 10**9),
        (checks.number(0.0, 1.0), 1),
        (checks.choice("a", "b"), "b"),
        (checks.exactly((["audio"], ["text"])), ["text"]),
        (checks.nullable(checks.text()), None),
        (checks.nullable(checks.text()), "a"),
        (checks.by_kind({str: checks.choice("inf"), int: checks.integer(1)}), 7),
        (checks.array(checks.text(), longest=2), ["a", "b"]),
        (checks.array(checks.text()), ["a", "b", "c"]),
        (PAIRS, {"abc": "abcd"}),
        (RECORD, {"a": 1}),
        (TAGGED, {"type": "x"}),
    ],
)
def test_what_fits_comes_back_as_it_was(check: Check, value: Any) -> None:
    assert check(value, "p") == value


@pytest.mark.parametrize(
    ("check", "value", "code", "param"),
    [
        (checks.text(), 1, "invalid_value", "p"),
        (checks.text(longest=2), "abc", "string_above_max_length", "p"),
        (checks.flag, 1, "invalid_value", "p"),
        (checks.integer(0), True, "invalid_value", "p"),
        (checks.integer(0), 1.0, "invalid_value", "p"),
        (checks.integer(0), -1, "invalid_value", "p"),
        (checks.integer(0, 5), 6, "invalid_value", "p"),
        (checks.number(0.0, 1.0), "0.5", "invalid_value", "p"),
        (checks.number(0.0, 1.0), True, "invalid_value", "p"),
        (checks.number(0.0, 1.0), 1.1, "invalid_value", "p"),
        (checks.number(0.0, 1.0), float("nan"), "invalid_value", "p"),
        (checks.choice("a"), ["a"], "invalid_value", "p"),
        (checks.by_kind({str: checks.text()}), 1, "invalid_value", "p"),
        (checks.by_kind({int: checks.integer(0)}), True, "invalid_value", "p"),
        (checks.array(checks.text()), "a", "invalid_value", "p"),
        (checks.array(checks.text()), ["a", 1], "invalid_value", "p[1]"),
        (checks.array(checks.text(), longest=1), ["a", "b"], "invalid_value", "p"),
        (PAIRS, [], "invalid_value", "p"),
        (PAIRS, {"a": "", "b": "", "c": ""}, "invalid_value", "p"),
        (PAIRS, {"abcd": ""}, "string_above_max_length", "p"),
        (PAIRS, {"a": "abcde"}, "string_above_max_length", "p.a"),
        (PAIRS, {"a": 1}, "invalid_value", "p.a"),
        (RECORD, [], "invalid_value", "p"),
        (RECORD, {"b": ""}, "missing_required_parameter", "p.a"),
        (RECORD, {"a": 1, "z": 1}, "unknown_parameter", "p.z"),
        (RECORD, {"a": 1, "b": 2}, "invalid_value", "p.b"),
        (TAGGED, "x", "invalid_value", "p"),
        (TAGGED, {}, "missing_required_parameter", "p.type"),
        (TAGGED, {"type": "y"}, "invalid_value", "p.type"),
        (TAGGED, {"type": []}, "invalid_value", "p.type"),
        (checks.audio, "not base64!", "invalid_value", "p"),
        (checks.audio, "AAA=AAA=", "invalid_value", "p"),
        (checks.audio, 5, "invalid_value", "p"),
        (checks.audio, "AA==", "invalid_value", "p"),
        (checks.audio, "ü", "invalid_value", "p"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_path(check: Check, value: Any, code: str, param: str) -> None:
    with pytest.raises(Refusal) as refused:
        check(value, "p")
    assert (refused.value.code, refused.value.param) == (code, param)
    assert refused.value.message


def test_audio_comes_back_as_samples() -> None:
    assert checks.audio("AAEC/w==", "p") == b"\x00\x01\x02\xff"


def test_a_path_at_the_top_has_no_dot() -> None:
    with pytest.raises(Refusal) as refused:
        RECORD({}, "")
    assert refused.value.param == "a"
