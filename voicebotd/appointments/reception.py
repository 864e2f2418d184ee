"""The steps of booking, moving and cancelling: read what was asked, ask the rules, write in the book, answer.

Owns their order, and who may open which appointment. A wish that cannot be granted is an answer with its reason and
the nearest free times. Time, chance and the book come from outside; what the book raises (`StorageError`) goes through.

An appointment is opened by its name and its code of six digits together. A stranger would have to guess one of 900 000
by voice, and no telephone number has to be kept. Who has lost the code asks the staff.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from voicebotd.appointments import answers
from voicebotd.appointments.answers import Answer
from voicebotd.appointments.diary import Diary
from voicebotd.appointments.records import (
    Appointment,
    Book,
    CallKey,
    Change,
    GoneError,
    ImpossibleError,
    OverlapError,
    Taken,
)
from voicebotd.appointments.shop import Service, Shop
from voicebotd.appointments.visitor_name import clean_name, equal_name, read_code, same_name
from voicebotd.appointments.when import read_date, read_time

SAME_WISH_S = 600
"""So long after a booking the same wish under the same name is the same visitor's: the box was cut off before it could
say that it is done, or the model asks twice. Later that time is taken, and whose it is is nobody's business."""
DAYS_OFFERED = 3
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """One book and its rules. `shop` is asked at each call, so that changed rules hold at once."""

    book: Book
    shop: Callable[[], Shop]
    now: Callable[[], float]
    """Seconds since the epoch."""
    new_id: Callable[[], str]
    new_code: Callable[[], str]
    """Six digits that nobody can guess."""

    async def check(self, service: str | None, date: str | None) -> Answer:
        """Free times: of that day, or of the next days that have any; without a service, what there is at all."""
        diary = await self._diary()
        wanted = None
        try:
            day = None if date is None else read_date(date, diary.today)
            if service is None:
                return self._told(answers.offer(diary.shop, None if day is None else diary.hours_on(day)))
            wanted = diary.shop.service(service)
            if day is None:
                days = list(diary.next_free(wanted, days=DAYS_OFFERED))
            else:
                days = [(day, diary.choice_on(day, wanted))]
        except ImpossibleError as error:
            return self._refused(error, wanted, diary)
        return self._told(answers.free(days, wanted, diary.shop.zone))

    async def schedule(self, service: str, date: str, time: str, name: str, call: CallKey) -> Answer:
        if (earlier := await self.book.change_by(call)) is not None:
            return self._done(earlier)
        diary = await self._diary()
        wanted = None
        try:
            wanted = diary.shop.service(service)
            cleaned = clean_name(name)
            start = diary.moment(read_date(date, diary.today), read_time(time))
            diary.check(start, wanted)
        except ImpossibleError as error:
            return self._refused(error, wanted, diary)
        appointment = self._new(wanted, start, cleaned, diary.shop)
        try:
            return self._done(await self.book.book(appointment, call))
        except OverlapError:
            if (same := await self._same_wish(appointment)) is not None:
                return self._done(Change(action="booked", appointment=same, was_at=same.starts_at), again=True)
            return self._refused(diary.taken_error(start), wanted, await self._diary())

    async def reschedule(self, name: str, code: str, date: str, time: str, call: CallKey) -> Answer:
        if (earlier := await self.book.change_by(call)) is not None:
            return self._done(earlier)
        service = None
        diary = await self._diary()
        try:
            theirs = [each for each in await self._theirs(name, code) if each.status == "booked"]
            if not theirs:
                return self._told(answers.unknown())
            before = theirs[0]
            diary = await self._diary(without=before)
            service = Service(name=before.service, minutes=(before.ends_at - before.starts_at) // 60)
            start = diary.moment(read_date(date, diary.today), read_time(time))
            diary.check(start, service)
        except ImpossibleError as error:
            return self._refused(error, service, diary)
        if start == before.starts_at:
            return self._refused(ImpossibleError("same_time", "The appointment is at that time already."))
        return await self._move(before, start, service, call)

    async def cancel(self, name: str, code: str, call: CallKey) -> Answer:
        if (earlier := await self.book.change_by(call)) is not None:
            return self._done(earlier)
        try:
            theirs = await self._theirs(name, code)
        except ImpossibleError as error:
            return self._refused(error)
        if not theirs:
            return self._told(answers.unknown())
        try:
            return self._done(await self.book.cancel(replace(theirs[0], changed_at=int(self.now())), call))
        except GoneError:
            gone = Change(action="cancelled", appointment=theirs[0], was_at=theirs[0].starts_at)
            return self._done(gone, again=True)

    async def find(self, name: str, code: str) -> Answer:
        try:
            theirs = [each for each in await self._theirs(name, code) if each.status == "booked"]
        except ImpossibleError as error:
            return self._refused(error)
        return self._told(answers.found(theirs, self.shop().zone) if theirs else answers.unknown())

    async def _move(self, before: Appointment, start: int, service: Service, call: CallKey) -> Answer:
        length_s = before.ends_at - before.starts_at
        after = replace(
            before,
            starts_at=start,
            ends_at=start + length_s,
            zone=self.shop().zone.key,
            changed_at=int(self.now()),
        )
        try:
            return self._done(await self.book.move(after, call))
        except OverlapError:
            diary = await self._diary(without=before)
            return self._refused(diary.taken_error(start), service, diary)
        except GoneError:
            return self._told(answers.unknown())

    async def _theirs(self, name: str, code: str) -> list[Appointment]:
        """What is to come under this name and code, cancelled or not; booked ones first."""
        cleaned, digits = clean_name(name), read_code(code)
        found = [
            each
            for each in await self.book.with_code(digits)
            if each.starts_at > self.now() and same_name(each.name, cleaned)
        ]
        return sorted(found, key=lambda each: (each.status != "booked", each.starts_at))

    async def _same_wish(self, wish: Appointment) -> Appointment | None:
        """What was booked a moment ago for the very same wish."""
        found = await self.book.starting_at(wish.starts_at)
        if found is None or (found.service, found.ends_at) != (wish.service, wish.ends_at):
            return None
        recent = 0 <= wish.created_at - found.created_at <= SAME_WISH_S
        return found if recent and equal_name(found.name, wish.name) else None

    def _new(self, service: Service, start: int, name: str, shop: Shop) -> Appointment:
        now = int(self.now())
        return Appointment(
            appointment_id=self.new_id(),
            code=self.new_code(),
            service=service.name,
            name=name,
            starts_at=start,
            ends_at=start + service.minutes * 60,
            zone=shop.zone.key,
            created_at=now,
            changed_at=now,
        )

    async def _diary(self, *, without: Appointment | None = None) -> Diary:
        """The rules and what is taken now; `without`: as if that appointment were not there."""
        shop, now = self.shop(), int(self.now())
        taken = await self.book.taken(now, now + (shop.horizon_days + 2) * _DAY_S)
        if without is not None:
            own = Taken(starts_at=without.starts_at, ends_at=without.ends_at)
            taken = [each for each in taken if each != own]
        return Diary(shop, taken, now=now)

    def _done(self, change: Change, *, again: bool = False) -> Answer:
        return self._told(answers.done(change, self.shop().zone, again=again))

    def _refused(self, error: ImpossibleError, service: Service | None = None, diary: Diary | None = None) -> Answer:
        nearest = None
        if error.near is not None and service is not None and diary is not None:
            nearest = diary.nearest(error.near, service)
        return self._told(answers.refused(error, nearest, self.shop().zone))

    def _told(self, answer: Answer) -> Answer:
        return answer | answers.present(int(self.now()), self.shop().zone)
