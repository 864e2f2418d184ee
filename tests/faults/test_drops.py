"""Drops at random moments; `make drops` tries two hundred."""

from __future__ import annotations

import random

import pytest
from faultrig.course import Course, parrot
from faultrig.drops import converse_with_drops, course_with_bookings
from faultrig.hurry import hurried

PACE = 5.0
DROPS = 8

pytestmark = pytest.mark.usefixtures("log")


@pytest.mark.parametrize("course", [parrot(), course_with_bookings(DROPS)], ids=["parrot", "bookings"])
def test_every_question_is_answered_once_however_often_the_link_is_dropped(course: Course) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    report = hurried(lambda: converse_with_drops(course, drops=DROPS, seed=seed), pace=PACE)
    assert report.problems == [], f"seed {seed}"
    assert report.drops == DROPS
    assert report.early is not None
    assert report.late is not None
    assert report.late.descriptors <= report.early.descriptors + 2
    assert report.late.tasks <= report.early.tasks + 4
