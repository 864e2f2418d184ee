from __future__ import annotations

from typing import Any

import pytest

from voicebotd.rehearsal.faults import Twist
from voicebotd.rehearsal.twists import HELD_S, SURPRISE, Twists, decorated

A: dict[str, Any] = {"type": "a", "n": 1}
B: dict[str, Any] = {"type": "b", "n": 2}
C: dict[str, Any] = {"type": "b", "n": 3}


def sent(twist: Twist, *events: dict[str, Any]) -> list[dict[str, Any]]:
    twists = Twists()
    twists.add(twist)
    return [each for event in events for each in twists.apply(event, 0.0)]


def test_nothing_happens_to_events_that_nobody_tampers_with() -> None:
    assert Twists().apply(A, 0.0) == [A]


@pytest.mark.parametrize(
    ("twist", "events"),
    [
        (Twist(kind="duplicate"), [A, A, B, B, C, C]),
        (Twist(kind="duplicate", type="a"), [A, A, B, C]),
        (Twist(kind="lose", type="b"), [A]),
        (Twist(kind="lose", type="b", count=1), [A, C]),
        (Twist(kind="reorder", type="a"), [B, A, C]),
        (Twist(kind="reorder"), [B, A]),
        (Twist(kind="decorate", type="a"), [A | SURPRISE, B, C]),
    ],
)
def test_what_is_sent_in_place_of_the_events(twist: Twist, events: list[dict[str, Any]]) -> None:
    assert sent(twist, A, B, C) == events


def test_what_is_held_back_is_released_when_nothing_follows() -> None:
    twists = Twists()
    twists.add(Twist(kind="reorder"))
    assert twists.due_s is None
    assert twists.release(5.0) == []
    assert twists.apply(A, 5.0) == []
    assert twists.due_s == 5.0 + HELD_S
    assert twists.release(5.0) == []
    assert twists.release(5.0 + HELD_S) == [A]
    assert twists.due_s is None


def test_several_things_can_happen_to_an_event() -> None:
    twists = Twists()
    twists.add(Twist(kind="decorate"))
    twists.add(Twist(kind="duplicate"))
    assert twists.apply(A, 0.0) == [A | SURPRISE] * 2


def test_every_object_in_an_event_is_decorated() -> None:
    assert decorated({"item": {"content": [{"x": 1}]}}) == {
        "item": {"content": [{"x": 1, **SURPRISE}], **SURPRISE},
        **SURPRISE,
    }
