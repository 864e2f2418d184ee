"""A book in memory, as strict as the database's."""

from __future__ import annotations

from dataclasses import replace

from voicebotd.appointments.records import Appointment, CallKey, Change, GoneError, OverlapError, Taken


class MemoryBook:
    """Fills in `Book`. `meanwhile`: what another visitor does right before the next change."""

    def __init__(self) -> None:
        self.appointments: dict[str, Appointment] = {}
        self.changes: dict[CallKey, Change] = {}
        self.meanwhile: list[Appointment] = []

    @property
    def booked(self) -> list[Appointment]:
        return [each for each in self.appointments.values() if each.status == "booked"]

    async def book(self, appointment: Appointment, call: CallKey) -> Change:
        return self._note(call, Change(action="booked", appointment=appointment, was_at=appointment.starts_at))

    async def move(self, appointment: Appointment, call: CallKey) -> Change:
        self._interfere()
        before = self._still_booked(appointment)
        return self._note(call, Change(action="moved", appointment=appointment, was_at=before.starts_at))

    async def cancel(self, appointment: Appointment, call: CallKey) -> Change:
        self._interfere()
        before = self._still_booked(appointment)
        after = replace(before, status="cancelled", changed_at=appointment.changed_at)
        return self._note(call, Change(action="cancelled", appointment=after, was_at=before.starts_at))

    async def change_by(self, call: CallKey) -> Change | None:
        return self.changes.get(call)

    async def starting_at(self, starts_at: int) -> Appointment | None:
        return next((each for each in self.booked if each.starts_at == starts_at), None)

    async def taken(self, from_s: int, to_s: int) -> list[Taken]:
        found = [each for each in self.booked if each.starts_at < to_s and each.ends_at > from_s]
        return sorted(
            (Taken(starts_at=each.starts_at, ends_at=each.ends_at) for each in found), key=lambda each: each.starts_at
        )

    async def with_code(self, code: str) -> list[Appointment]:
        return [each for each in self.appointments.values() if each.code == code]

    def _interfere(self) -> None:
        for each in self.meanwhile:
            self.appointments[each.appointment_id] = each
        self.meanwhile = []

    def _still_booked(self, appointment: Appointment) -> Appointment:
        found = self.appointments.get(appointment.appointment_id)
        if found is None or found.status != "booked":
            raise GoneError("gone")
        return found

    def _note(self, call: CallKey, change: Change) -> Change:
        self._interfere()
        after = change.appointment
        for other in self.booked:
            overlaps = other.starts_at < after.ends_at and after.starts_at < other.ends_at
            if after.status == "booked" and overlaps and other.appointment_id != after.appointment_id:
                raise OverlapError("taken")
        self.appointments[after.appointment_id] = after
        self.changes[call] = change
        return change
