"""What a function answers: facts for programs, sentences for the model, and the day and time for both."""

from __future__ import annotations

from dataclasses import replace

from shops import BERLIN, CONSULTATION, NOW, SHOP, at, day

from voicebotd.appointments import answers
from voicebotd.appointments.records import Appointment, Change, ImpossibleError

ANNA = Appointment(
    appointment_id="a1",
    code="417209",
    service="consultation",
    name="Anna Meyer",
    starts_at=at("2026-03-03T10:00"),
    ends_at=at("2026-03-03T10:30"),
    zone="Europe/Berlin",
)
FACTS = {
    "service": "consultation",
    "name": "Anna Meyer",
    "date": "2026-03-03",
    "time": "10:00",
    "until": "10:30",
    "code": "417209",
}
BOOKED = Change(action="booked", appointment=ANNA, was_at=ANNA.starts_at)


def test_the_model_is_told_what_day_and_time_it_is() -> None:
    assert answers.present(NOW, BERLIN) == {
        "today": "Monday 2 March 2026, 2026-03-02",
        "now": "08:10",
        "time_zone": "Europe/Berlin",
    }


def test_what_there_is_is_told_with_lengths_and_hours() -> None:
    shop = replace(SHOP, weekdays=frozenset({0, 2}), breaks=((13 * 60, 14 * 60),))
    assert answers.offer(shop)["message"] == (
        "There are consultation (30 minutes), basic (60 minutes) and premium (120 minutes). "
        "Open from 09:00 to 17:00 on Monday and Wednesday, closed from 13:00 to 14:00."
    )
    assert answers.offer(SHOP)["message"].endswith("on Monday, Tuesday, Wednesday, Thursday and Friday.")
    assert answers.offer(SHOP, "On Tuesday we are closed.")["message"].endswith("Friday. On Tuesday we are closed.")
    assert answers.offer(SHOP)["services"] == {"consultation": 30, "basic": 60, "premium": 120}


def test_free_times_are_listed_by_day() -> None:
    answer = answers.free([(day("2026-03-03"), [ANNA.starts_at])], CONSULTATION, BERLIN)
    assert (answer["status"], answer["days"]) == (
        "ok",
        [{"date": "2026-03-03", "day": "Tuesday 3 March 2026", "free": ["10:00"]}],
    )
    nothing = answers.free([], CONSULTATION, BERLIN)
    assert (nothing["status"], nothing["days"]) == ("nothing_free", [])


def test_a_booking_is_told_with_its_code_and_what_it_is_for() -> None:
    answer = answers.done(BOOKED, BERLIN)
    assert (answer["status"], answer["appointment"]) == ("booked", FACTS)
    assert answer["message"].startswith(
        "Booked: consultation for Anna Meyer on Tuesday 3 March 2026 at 10:00. The confirmation code is 417 209."
    )


def test_a_booking_that_was_there_already_says_so() -> None:
    answer = answers.done(BOOKED, BERLIN, again=True)
    assert answer["status"] == "already_booked"
    assert answer["message"].startswith("This was booked a moment ago: consultation for Anna Meyer")


def test_a_move_is_told_with_both_times() -> None:
    after = replace(ANNA, starts_at=at("2026-03-04T11:00"), ends_at=at("2026-03-04T11:30"))
    answer = answers.done(Change(action="moved", appointment=after, was_at=ANNA.starts_at), BERLIN)
    assert answer["status"] == "rescheduled"
    assert "from Tuesday 3 March 2026 at 10:00 to Wednesday 4 March 2026 at 11:00" in answer["message"]


def test_a_cancellation_is_told_and_so_is_one_made_before() -> None:
    change = Change(action="cancelled", appointment=replace(ANNA, status="cancelled"), was_at=ANNA.starts_at)
    statuses = [answers.done(change, BERLIN, again=again)["status"] for again in (False, True)]
    assert statuses == ["cancelled", "already_cancelled"]
    assert answers.done(change, BERLIN)["message"].startswith("Cancelled: consultation for Anna Meyer on Tuesday")


def test_what_a_visitor_has_is_listed() -> None:
    answer = answers.found([ANNA], BERLIN)
    assert (answer["status"], answer["appointments"]) == ("found", [FACTS])
    assert answer["message"] == "consultation for Anna Meyer on Tuesday 3 March 2026 at 10:00."


def test_whoever_shows_nothing_is_told_nothing() -> None:
    assert answers.unknown()["status"] == "not_found"
    assert "both" in answers.unknown()["message"]


def test_a_refusal_has_a_reason_and_the_nearest_free_times() -> None:
    error = ImpossibleError("taken", "That is taken.", near=ANNA.starts_at)
    answer = answers.refused(error, [at("2026-03-03T09:30"), at("2026-03-03T10:30")], BERLIN)
    assert answer == {
        "status": "refused",
        "reason": "taken",
        "message": "That is taken. The nearest free times are Tuesday 3 March 2026 at 09:30 and "
        "Tuesday 3 March 2026 at 10:30.",
        "nearest_free": [{"date": "2026-03-03", "time": "09:30"}, {"date": "2026-03-03", "time": "10:30"}],
    }


def test_a_refusal_offers_nothing_where_nothing_is_free_or_no_time_would_help() -> None:
    full = answers.refused(ImpossibleError("taken", "That is taken.", near=1), [], BERLIN)
    assert (full["message"], full["nearest_free"]) == ("That is taken. Nothing else is free near that time.", [])
    unclear = answers.refused(ImpossibleError("unusable_name", "That is no name."), None, BERLIN)
    assert unclear == {"status": "refused", "reason": "unusable_name", "message": "That is no name."}
