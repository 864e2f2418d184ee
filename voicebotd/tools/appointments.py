"""The functions by which the model books: check, schedule, reschedule, cancel, find.

Owns what the model reads of them (their docstrings), and what it is told when the book cannot be read or written: never
that something is booked. The steps are `voicebotd.appointments.reception`'s, the book is the store's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from uuid import uuid4

import structlog

from voicebotd.appointments.answers import Answer
from voicebotd.appointments.reception import Reception
from voicebotd.appointments.records import CallKey
from voicebotd.errors import StorageError, ToolError
from voicebotd.tools.registry import Call

GROUP = "appointments"
_UNREADABLE = (
    "The book of appointments cannot be read just now. Say that you cannot look it up at the moment, and that the "
    "staff will be glad to help. Do not guess."
)
_UNSAVED = (
    "It could not be saved. Do not say that it is done. Apologise, say that you cannot {what} at the moment, and that "
    "the staff will be glad to help; you may try once more if the visitor wishes."
)
_log = structlog.get_logger("appointments")


class AppointmentTools:
    """The functions, over one reception."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    @property
    def functions(self) -> tuple[Callable[..., Coroutine[Any, Any, Answer]], ...]:
        return (
            self.check_availability,
            self.schedule_appointment,
            self.reschedule_appointment,
            self.cancel_appointment,
            self.find_appointments,
        )

    async def check_availability(self, service: str | None = None, date: str | None = None) -> Answer:
        """Look up free times. Also tells what day and time it is now, the services, and the opening hours.

        Call it before you speak of any date or free time, and again when another day is wanted. It books nothing.
        Without a date it answers with the next days that have free times.

        Args:
            service: the service that is wanted, for example consultation; left out, it tells which there are.
            date: the day as YYYY-MM-DD, or today, tomorrow, or a weekday such as Friday for the next one.
        """
        return await _kept(self._reception.check(service, date), _UNREADABLE)

    async def schedule_appointment(self, service: str, date: str, time: str, name: str, call: Call) -> Answer:
        """Book an appointment, once the visitor has said yes to the service, the day, the time and the name.

        It is booked only if the status is "booked" or "already_booked": then tell the confirmation code. Any other
        status says why it is not booked, and which times are free instead.

        Args:
            service: the service, for example consultation.
            date: the day as YYYY-MM-DD.
            time: the time at which it begins as HH:MM, on the clock of the shop.
            name: the visitor's first and last name.
        """
        work = self._reception.schedule(service, date, time, name, _key(call))
        return await _kept(work, _UNSAVED.format(what="book"))

    async def reschedule_appointment(self, name: str, code: str, date: str, time: str, call: Call) -> Answer:
        """Move an appointment of the visitor to another time, once they have said yes to it. The service stays.

        It is moved only if the status is "rescheduled"; with any other status the old time still holds.

        Args:
            name: the name under which it was booked.
            code: the confirmation code that the visitor was given, six digits.
            date: the new day as YYYY-MM-DD.
            time: the new time at which it begins as HH:MM, on the clock of the shop.
        """
        work = self._reception.reschedule(name, code, date, time, _key(call))
        return await _kept(work, _UNSAVED.format(what="change it"))

    async def cancel_appointment(self, name: str, code: str, call: Call) -> Answer:
        """Cancel an appointment of the visitor, once they have said yes to that.

        It is cancelled only if the status is "cancelled" or "already_cancelled".

        Args:
            name: the name under which it was booked.
            code: the confirmation code that the visitor was given, six digits.
        """
        work = self._reception.cancel(name, code, _key(call))
        return await _kept(work, _UNSAVED.format(what="cancel it"))

    async def find_appointments(self, name: str, code: str) -> Answer:
        """Look up what a visitor has booked. Needs both name and confirmation code; never guess either.

        Args:
            name: the name under which it was booked.
            code: the confirmation code that the visitor was given, six digits.
        """
        return await _kept(self._reception.find(name, code), _UNREADABLE)


def _key(call: Call) -> CallKey:
    # A person's call has no name of its own, and no two of those are the same wish.
    return CallKey(conversation_id=call.conversation_id, call_id=call.call_id or uuid4().hex)


async def _kept(work: Awaitable[Answer], apology: str) -> Answer:
    """Raises ToolError with the apology where the database cannot do it; what is wrong is for the log and `status`."""
    try:
        return await work
    except StorageError as error:
        _log.warning("the book of appointments cannot be used", reason=error.message, hint=error.hint)
        raise ToolError(apology) from error
