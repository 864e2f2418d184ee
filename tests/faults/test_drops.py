"""Drops at random moments; `make drops` tries two hundred."""

from __future__ import annotations

import random

import pytest
from faultrig.drops import converse_with_drops
from faultrig.hurry import hurried

PACE = 5.0
DROPS = 12

pytestmark = pytest.mark.usefixtures("log")


def test_every_question_is_answered_once_however_often_the_link_is_dropped() -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    report = hurried(lambda: converse_with_drops(drops=DROPS, seed=seed), pace=PACE)
    assert report.problems == [], f"seed {seed}"
    assert report.drops == DROPS
    assert report.early is not None
    assert report.late is not None
    assert report.late.descriptors <= report.early.descriptors + 2
    assert report.late.tasks <= report.early.tasks + 4
