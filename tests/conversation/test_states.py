"""The table is complete: every event that exists has a cell in every state."""

from __future__ import annotations

import pytest

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import events as ev
from voicebotd.conversation.states import LATE, TABLE, Handled, Refused, State

EVERY_EVENT = {
    kind
    for kind in (*vars(ev).values(), *vars(cmd).values())
    if isinstance(kind, type) and issubclass(kind, ev.Event) and kind not in (ev.Event, cmd.Command)
}


@pytest.mark.parametrize("state", State)
def test_every_event_has_a_cell_in_every_state(state: State) -> None:
    assert set(TABLE[state]) == EVERY_EVENT


@pytest.mark.parametrize("state", State)
def test_only_commands_are_refused_because_only_they_can_be_answered(state: State) -> None:
    for kind, cell in TABLE[state].items():
        if isinstance(cell, Refused):
            assert issubclass(kind, cmd.Command)
            assert cell.hint


@pytest.mark.parametrize("state", State)
def test_no_command_is_ignored(state: State) -> None:
    for kind, cell in TABLE[state].items():
        if issubclass(kind, cmd.Command):
            assert cell is not LATE


def test_every_state_can_be_left_and_reached() -> None:
    reached = {
        then for cells in TABLE.values() for cell in cells.values() if isinstance(cell, Handled) for then in cell.then
    }
    assert reached == set(State)
