"""The quick rows of the table of faults; `make faults` prints all of it."""

from __future__ import annotations

import pytest
from faultrig.cells import CELLS, Cell
from faultrig.hurry import hurried
from faultrig.scene import play

PACE = 5.0

pytestmark = pytest.mark.usefixtures("log")


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.quick], ids=lambda cell: cell.name)
def test_every_question_is_answered_once_whatever_fails(cell: Cell) -> None:
    outcome = hurried(lambda: play(cell), pace=PACE)
    assert outcome.problems == []
    assert (outcome.words_lost, outcome.duplicates) == (0, 0)


def test_two_failures_in_a_row_are_told_by_a_sound_and_so_is_the_end_of_them() -> None:
    cell = next(cell for cell in CELLS if cell.name == "status=503/2 while reconnecting")
    outcome = hurried(lambda: play(cell), pace=PACE)
    assert outcome.hears == ["link_lost", "link_back"]
    assert "503" in outcome.status
