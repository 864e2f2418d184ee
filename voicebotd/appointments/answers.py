"""What a function of the appointments answers: facts for programs, and a message that the model can speak.

Owns the shape of answers. `status` is stable and fit for programs. Every answer says what day and time it is, because
nothing else tells the model. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from voicebotd.appointments.local import local
from voicebotd.appointments.records import Appointment, Change, ImpossibleError
from voicebotd.appointments.shop import Service, Shop
from voicebotd.appointments.words import (
    WEEKDAYS,
    code_words,
    day_words,
    listed,
    minute_words,
    moment_words,
    time_words,
)

Answer = dict[str, Any]


def present(now: int, zone: ZoneInfo) -> Answer:
    """What day and time it is, as a part of every answer."""
    wall = local(now, zone)
    return {
        "today": f"{day_words(wall.date())}, {wall.date().isoformat()}",
        "now": time_words(now, zone),
        "time_zone": zone.key,
    }


def offer(shop: Shop, day: str | None = None) -> Answer:
    """What can be booked, and when the shop is open as a rule; `day`: a sentence about the day that was asked for."""
    days = [WEEKDAYS[weekday] for weekday in sorted(shop.weekdays)]
    hours = f"from {minute_words(shop.opens)} to {minute_words(shop.closes)}"
    breaks = [f"from {minute_words(start)} to {minute_words(end)}" for start, end in sorted(shop.breaks)]
    closed = f", closed {listed(breaks, 'and')}" if breaks else ""
    services = [f"{service.name} ({service.minutes} minutes)" for service in shop.services]
    message = f"There are {listed(services, 'and')}. Open {hours} on {listed(days, 'and')}{closed}."
    return {
        "status": "ok",
        "message": " ".join(filter(None, (message, day))),
        "services": {service.name: service.minutes for service in shop.services},
    }


def free(days: Iterable[tuple[date, Sequence[int]]], service: Service, zone: ZoneInfo) -> Answer:
    """The free times of some days, of which each has one at least; of no day: none can be had."""
    told = [
        {"date": day.isoformat(), "day": day_words(day), "free": [time_words(start, zone) for start in starts]}
        for day, starts in days
    ]
    message = "Offer two or three of these times." if told else "Nothing is free. The staff may know more."
    return {
        "status": "ok" if told else "nothing_free",
        "message": message,
        "service": service.name,
        "minutes": service.minutes,
        "days": told,
    }


def done(change: Change, zone: ZoneInfo, *, again: bool = False) -> Answer:
    """What a change did. `again`: it was done a moment ago already, by another call for the same."""
    after = change.appointment
    what, when = f"{after.service} for {after.name}", moment_words(after.starts_at, zone)
    if change.action == "cancelled":
        return _told("already_cancelled" if again else "cancelled", f"Cancelled: {what} on {when}.", after, zone)
    digits = code_words(after.code)
    if change.action == "moved":
        before = moment_words(change.was_at, zone)
        message = f"Changed: {what}, from {before} to {when}. The confirmation code stays {digits}."
        return _told("rescheduled", message, after, zone)
    remedy = "Tell it digit by digit: it is needed to change or cancel the appointment."
    if again:
        message = f"This was booked a moment ago: {what} on {when}. The confirmation code is {digits}. {remedy}"
        return _told("already_booked", message, after, zone)
    return _told("booked", f"Booked: {what} on {when}. The confirmation code is {digits}. {remedy}", after, zone)


def found(appointments: Sequence[Appointment], zone: ZoneInfo) -> Answer:
    """The appointments that a visitor has shown to be theirs, one at least."""
    words = [f"{each.service} for {each.name} on {moment_words(each.starts_at, zone)}" for each in appointments]
    return {
        "status": "found",
        "message": f"{listed(words, 'and')}.",
        "appointments": [facts(each, zone) for each in appointments],
    }


def unknown() -> Answer:
    """No appointment is theirs. It does not say whether the name or the code is wrong: both are other people's."""
    message = (
        "There is no coming appointment with this name and this code. Repeat both to the visitor and ask whether they "
        "are right. Whoever has lost the code is helped by the staff."
    )
    return {"status": "not_found", "message": message}


def refused(error: ImpossibleError, nearest: Sequence[int] | None, zone: ZoneInfo) -> Answer:
    """Why a wish cannot be granted, and what could be had instead; `nearest` None: another time would be no help."""
    answer: Answer = {"status": "refused", "reason": error.reason, "message": error.message}
    if nearest is None:
        return answer
    if not nearest:
        return answer | {"message": f"{error.message} Nothing else is free near that time.", "nearest_free": []}
    words = [moment_words(start, zone) for start in nearest]
    return answer | {
        "message": f"{error.message} The nearest free times are {listed(words, 'and')}.",
        "nearest_free": [
            {"date": local(start, zone).date().isoformat(), "time": time_words(start, zone)} for start in nearest
        ],
    }


def facts(appointment: Appointment, zone: ZoneInfo) -> Answer:
    """One appointment as its owner may know it."""
    return {
        "service": appointment.service,
        "name": appointment.name,
        "date": local(appointment.starts_at, zone).date().isoformat(),
        "time": time_words(appointment.starts_at, zone),
        "until": time_words(appointment.ends_at, zone),
        "code": appointment.code,
    }


def _told(status: str, message: str, appointment: Appointment, zone: ZoneInfo) -> Answer:
    return {"status": status, "message": message, "appointment": facts(appointment, zone)}
