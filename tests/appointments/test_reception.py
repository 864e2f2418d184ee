"""Booking, moving, cancelling and finding, step by step, with a book in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from itertools import count, pairwise
from typing import Any

import pytest
from books import MemoryBook
from hypothesis import given, settings
from hypothesis import strategies as st
from shops import ALWAYS, BERLIN, NOW, SHOP, at

from voicebotd.appointments.reception import SAME_WISH_S, Reception
from voicebotd.appointments.records import Appointment, CallKey
from voicebotd.appointments.shop import Shop

Answer = dict[str, Any]


class Desk:
    """A reception with a clock that stands still, whose calls are numbered."""

    def __init__(self, shop: Shop = SHOP) -> None:
        self.book = MemoryBook()
        self.shop = shop
        self.now = float(NOW)
        self._calls = count(1)
        numbers = count(1)
        self.reception = Reception(
            book=self.book,
            shop=lambda: self.shop,
            now=lambda: self.now,
            new_id=lambda: f"a{next(numbers)}",
            new_code=lambda: f"{100_000 + len(self.book.appointments)}",
        )

    def key(self) -> CallKey:
        return CallKey(conversation_id="c", call_id=f"call{next(self._calls)}")

    def schedule(self, time: str = "10:00", name: str = "Anna Meyer", **more: Any) -> Answer:
        wish = {"service": "consultation", "date": "2026-03-03", "time": time, "name": name, "call": self.key()} | more
        return run(self.reception.schedule(**wish))

    def reschedule(self, code: str, time: str, name: str = "Anna Meyer", **more: Any) -> Answer:
        wish = {"name": name, "code": code, "date": "2026-03-04", "time": time, "call": self.key()} | more
        return run(self.reception.reschedule(**wish))

    def cancel(self, code: str, name: str = "Anna Meyer", **more: Any) -> Answer:
        return run(self.reception.cancel(**({"name": name, "code": code, "call": self.key()} | more)))

    def find(self, code: str, name: str = "Anna Meyer") -> Answer:
        return run(self.reception.find(name, code))


def run(steps: Coroutine[Any, Any, Answer]) -> Answer:
    return asyncio.run(steps)


def code_of(answer: Answer) -> str:
    assert answer["status"] == "booked"
    return str(answer["appointment"]["code"])


def stranger(start: str, minutes: int = 30, name: str = "Otto Schulz") -> Appointment:
    begins = at(start)
    return Appointment(
        appointment_id=f"other {start}",
        code="999999",
        service="consultation",
        name=name,
        starts_at=begins,
        ends_at=begins + minutes * 60,
        zone="Europe/Berlin",
    )


def test_without_a_service_it_tells_what_there_is_and_what_day_it_is() -> None:
    answer = run(Desk().reception.check(None, None))
    assert (answer["status"], answer["today"]) == ("ok", "Monday 2 March 2026, 2026-03-02")


def test_without_a_service_a_day_is_answered_with_its_hours_or_why_it_has_none() -> None:
    told = run(Desk().reception.check(None, "tomorrow"))
    assert told["message"].endswith("On Tuesday 3 March 2026 we are open from 09:00 to 17:00.")
    assert run(Desk().reception.check(None, "Sunday"))["message"] == "We are closed on Sunday 8 March 2026."
    assert run(Desk().reception.check(None, "2026-02-30"))["reason"] == "no_such_date"


def test_without_a_day_it_tells_the_next_three_that_have_free_times() -> None:
    answer = run(Desk().reception.check("consultation", None))
    assert [each["date"] for each in answer["days"]] == ["2026-03-02", "2026-03-03", "2026-03-04"]


def test_a_time_that_is_booked_is_not_free_any_more() -> None:
    desk = Desk()
    desk.schedule("10:00", service="basic")
    assert run(desk.reception.check("basic", "tomorrow"))["days"][0]["free"][:2] == ["09:00", "11:00"]


@pytest.mark.parametrize(
    ("service", "date", "reason"), [("massage", None, "unknown_service"), ("basic", "Sunday", "closed")]
)
def test_what_cannot_be_looked_up_is_refused(service: str, date: str | None, reason: str) -> None:
    answer = run(Desk().reception.check(service, date))
    assert (answer["status"], answer["reason"]) == ("refused", reason)
    assert ("nearest_free" in answer) == (reason == "closed")


def test_a_wish_that_the_rules_allow_is_booked_in_utc_with_its_zone() -> None:
    desk = Desk()
    desk.schedule("10:00", service="a basic service", name="  anna   Meyer ")
    assert desk.book.booked == [
        Appointment(
            appointment_id="a1",
            code="100000",
            service="basic",
            name="anna Meyer",
            starts_at=at("2026-03-03T10:00"),
            ends_at=at("2026-03-03T11:00"),
            zone="Europe/Berlin",
            created_at=NOW,
            changed_at=NOW,
        )
    ]


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"service": "massage"}, "unknown_service"),
        ({"date": "2026-02-30"}, "no_such_date"),
        ({"date": "whenever"}, "unreadable_date"),
        ({"time": "25:00"}, "no_such_time"),
        ({"time": "10:10"}, "off_grid"),
        ({"time": "03:00"}, "outside_hours"),
        ({"date": "2026-03-01"}, "past"),
        ({"date": "2027-03-01"}, "too_far"),
        ({"name": "x" * 300}, "unusable_name"),
    ],
)
def test_a_wish_that_cannot_be_granted_books_nothing(wish: dict[str, str], reason: str) -> None:
    desk = Desk()
    answer = desk.schedule(**wish)
    assert (answer["status"], answer["reason"], desk.book.appointments) == ("refused", reason, {})
    assert answer["message"].endswith((".", "?"))


def test_a_taken_time_is_answered_with_the_nearest_free_ones_and_not_with_whose_it_is() -> None:
    desk = Desk()
    desk.schedule("10:00")
    answer = desk.schedule("10:00", name="Otto Schulz")
    assert (answer["status"], answer["reason"]) == ("refused", "taken")
    assert [each["time"] for each in answer["nearest_free"]] == ["09:00", "09:30", "10:30"]
    assert "Anna" not in str(answer)


def test_the_same_call_books_once_and_answers_the_same() -> None:
    desk = Desk()
    key = desk.key()
    first = desk.schedule(call=key)
    code = code_of(first)
    desk.reschedule(code, "12:00")
    assert desk.schedule(call=key) == first
    assert len(desk.book.appointments) == 1


def test_the_same_wish_again_at_once_is_the_same_appointment() -> None:
    desk = Desk()
    first = desk.schedule()
    desk.now += SAME_WISH_S
    again = desk.schedule(name="anna meyer")
    assert (again["status"], again["appointment"]) == ("already_booked", first["appointment"])


@pytest.mark.parametrize(
    ("later_s", "name", "service"),
    [(SAME_WISH_S + 1, "Anna Meyer", "consultation"), (1, "Anna Maier", "consultation"), (1, "Anna Meyer", "basic")],
)
def test_another_wish_for_the_same_time_gets_no_code(later_s: int, name: str, service: str) -> None:
    desk = Desk()
    code = code_of(desk.schedule())
    desk.now += later_s
    answer = desk.schedule(name=name, service=service)
    assert answer["reason"] == "taken"
    assert code not in str(answer)


def test_a_time_within_another_appointment_is_taken() -> None:
    desk = Desk()
    desk.schedule("10:00", service="premium")
    assert desk.schedule("11:00")["reason"] == "taken"


def test_a_time_that_another_takes_between_looking_and_writing_is_taken() -> None:
    desk = Desk()
    desk.book.meanwhile = [stranger("2026-03-03T10:00")]
    answer = desk.schedule("10:00")
    assert answer["reason"] == "taken"
    assert "10:00" not in [each["time"] for each in answer["nearest_free"]]


def test_an_appointment_is_found_by_name_and_code_together_only() -> None:
    desk = Desk()
    code = code_of(desk.schedule())
    assert desk.find(code, "Frau Maier")["appointments"][0]["time"] == "10:00"
    refusals = [desk.find("999999"), desk.find(code, "Otto Schulz")]
    assert [answer["status"] for answer in refusals] == ["not_found"] * 2
    assert refusals[0] == refusals[1]


@pytest.mark.parametrize(
    ("name", "code", "reason"), [("", "123456", "unusable_name"), ("Anna", "12", "unreadable_code")]
)
def test_a_name_or_code_that_is_none_is_asked_for_again(name: str, code: str, reason: str) -> None:
    desk = Desk()
    answers = [desk.find(code, name), desk.cancel(code, name), desk.reschedule(code, "12:00", name)]
    assert [answer["reason"] for answer in answers] == [reason] * 3


def test_a_past_appointment_is_nobodys_any_more() -> None:
    desk = Desk()
    code = code_of(desk.schedule())
    desk.now = at("2026-03-03T10:00")
    assert [desk.find(code)["status"], desk.cancel(code)["status"]] == ["not_found"] * 2


def test_an_appointment_is_moved_and_keeps_its_length_and_code() -> None:
    desk = Desk()
    code = code_of(desk.schedule(service="basic"))
    desk.shop = replace(SHOP, services=SHOP.services[:1])  # what is not offered any more can still be moved
    answer = desk.reschedule(code, "12:00")
    assert answer["status"] == "rescheduled"
    assert (
        answer["appointment"] | {"date": "2026-03-04", "time": "12:00", "until": "13:00", "code": code}
        == (answer["appointment"])
    )
    assert [each.starts_at for each in desk.book.booked] == [at("2026-03-04T12:00")]


def test_an_appointment_may_be_moved_into_its_own_time() -> None:
    desk = Desk()
    code = code_of(desk.schedule("10:00", service="basic"))
    assert desk.reschedule(code, "10:30", date="2026-03-03")["status"] == "rescheduled"


def test_a_move_to_the_same_time_is_none() -> None:
    desk = Desk()
    code = code_of(desk.schedule("10:00"))
    answer = desk.reschedule(code, "10:00", date="2026-03-03")
    assert (answer["reason"], "nearest_free" in answer) == ("same_time", False)


def test_a_move_that_cannot_be_made_leaves_the_old_time() -> None:
    desk = Desk()
    code = code_of(desk.schedule("10:00"))
    assert desk.reschedule(code, "20:00")["reason"] == "outside_hours"
    desk.book.meanwhile = [stranger("2026-03-04T12:00")]
    taken = desk.reschedule(code, "12:00")
    assert (taken["reason"], len(taken["nearest_free"])) == ("taken", 3)
    assert desk.find(code)["appointments"][0]["time"] == "10:00"


def test_what_is_cancelled_meanwhile_cannot_be_moved() -> None:
    desk = Desk()
    code = code_of(desk.schedule("10:00"))
    [booked] = desk.book.booked
    desk.book.meanwhile = [replace(booked, status="cancelled")]
    assert desk.reschedule(code, "12:00")["status"] == "not_found"
    assert desk.reschedule(code, "12:00")["status"] == "not_found"


def test_a_cancelled_time_is_free_again() -> None:
    desk = Desk()
    code = code_of(desk.schedule("10:00"))
    assert desk.cancel(code)["status"] == "cancelled"
    assert desk.find(code)["status"] == "not_found"
    assert desk.schedule("10:00", name="Otto Schulz")["status"] == "booked"


def test_cancelling_twice_is_cancelling_once() -> None:
    desk = Desk()
    code = code_of(desk.schedule("10:00"))
    key = desk.key()
    first = desk.cancel(code, call=key)
    assert desk.cancel(code, call=key) == first
    assert desk.cancel(code)["status"] == "already_cancelled"
    assert desk.cancel("999999")["status"] == "not_found"


def test_of_two_appointments_with_one_code_the_one_that_is_booked_is_meant() -> None:
    desk = Desk()
    code = code_of(desk.schedule("10:00"))
    desk.cancel(code)
    desk.book.appointments["twin"] = replace(desk.book.appointments["a1"], appointment_id="twin", status="booked")
    assert desk.cancel(code)["status"] == "cancelled"


def test_the_same_move_twice_answers_the_same() -> None:
    desk = Desk()
    code = code_of(desk.schedule("10:00"))
    key = desk.key()
    first = desk.reschedule(code, "12:00", call=key)
    assert desk.reschedule(code, "12:00", call=key) == first


def test_changed_rules_hold_at_once() -> None:
    desk = Desk()
    assert desk.schedule("20:00")["status"] == "refused"
    desk.shop = ALWAYS
    assert desk.schedule("20:00")["status"] == "booked"


STEP = st.tuples(
    st.sampled_from(["book", "move", "cancel", "repeat"]),
    st.integers(0, 3),
    st.sampled_from(["consultation", "basic", "premium"]),
    st.integers(0, 9),
)


@settings(deadline=None)
@given(st.lists(STEP, max_size=40))
def test_whatever_visitors_do_no_two_appointments_overlap_and_each_answer_is_true(steps) -> None:
    desk = Desk(replace(SHOP, closes=14 * 60))
    codes: list[tuple[str, str]] = []
    key = desk.key()
    for what, who, service, half_hour in steps:
        name, time = f"Visitor {'ABCD'[who]}", f"{9 + half_hour // 2:02d}:{half_hour % 2 * 30:02d}"
        if what != "repeat":
            key = desk.key()
        if what in ("book", "repeat"):
            answer = desk.schedule(time, name, service=service, call=key)
            if answer["status"] == "booked":
                codes.append((name, answer["appointment"]["code"]))
        elif codes and what == "move":
            name, code = codes[who % len(codes)]
            answer = desk.reschedule(code, time, name, date="2026-03-03", call=key)
        elif codes:
            name, code = codes[who % len(codes)]
            answer = desk.cancel(code, name, call=key)
        else:
            continue
        booked = sorted((each.starts_at, each.ends_at) for each in desk.book.booked)
        assert all(ends <= starts for (_, ends), (starts, _) in pairwise(booked))
        if answer["status"] in ("booked", "rescheduled") and what != "repeat":
            assert at(f"{answer['appointment']['date']}T{answer['appointment']['time']}", BERLIN) in dict(booked)
