from __future__ import annotations

import json
from typing import Any

from voicebotd.realtime.repeats import REMEMBERED, Repeats


def is_repeat(repeats: Repeats, event: dict[str, Any]) -> bool:
    return repeats.is_repeat(event, json.dumps(event))


def event(event_id: str | None, **fields: Any) -> dict[str, Any]:
    return {"type": "x", **fields} if event_id is None else {"type": "x", "event_id": event_id, **fields}


def test_an_event_that_comes_again_as_it_was_is_a_repeat() -> None:
    repeats = Repeats()
    assert [is_repeat(repeats, event("a", delta="AAAA")) for _ in range(3)] == [False, True, True]
    assert not is_repeat(repeats, event("b", delta="AAAA"))


def test_events_without_an_id_are_never_repeats() -> None:
    repeats = Repeats()
    assert not any(is_repeat(repeats, event(None)) for _ in range(3))


def test_a_service_whose_ids_mean_nothing_is_not_judged_by_them() -> None:
    repeats = Repeats()
    assert not is_repeat(repeats, event("same", n=1))
    assert not is_repeat(repeats, event("same", n=2))
    assert not is_repeat(repeats, event("same", n=2))


def test_so_many_events_are_remembered() -> None:
    repeats = Repeats()
    for number in range(REMEMBERED + 1):
        is_repeat(repeats, event(str(number)))
    assert is_repeat(repeats, event("1"))
    assert not is_repeat(repeats, event("0"))
