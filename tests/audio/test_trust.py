from __future__ import annotations

import pytest

from voicebotd.audio.options import EchoControl
from voicebotd.audio.trust import DEATHS, WITHIN_S, Trust


def after_deaths(*at_s: float, wanted: EchoControl = "aec") -> Trust:
    trust = Trust()
    for now_s in at_s:
        trust.died(wanted, now_s)
    return trust


def test_a_library_with_which_one_process_after_another_dies_is_used_no_more() -> None:
    trust = after_deaths(100.0, 101.0)
    assert trust.rung("aec") == "aec"
    assert not trust.why
    trust.died("aec", 100.0 + WITHIN_S)
    assert trust.rung("aec") == "gate"
    assert f"died {DEATHS} times" in trust.why


def test_deaths_that_are_far_apart_have_other_reasons() -> None:
    trust = after_deaths(100.0, 130.0, 100.1 + WITHIN_S)
    assert trust.rung("aec") == "aec"
    trust.died("aec", 100.2 + WITHIN_S)
    assert trust.rung("aec") == "gate"


@pytest.mark.parametrize("wanted", ["gate", "half_duplex", "none"])
def test_what_dies_without_the_library_says_nothing_about_it(wanted: EchoControl) -> None:
    trust = after_deaths(1.0, 2.0, 3.0, wanted=wanted)
    assert trust.rung("aec") == "aec"
    assert trust.rung(wanted) == wanted


def test_a_gate_that_stands_in_for_it_is_not_blamed() -> None:
    trust = after_deaths(1.0, 2.0, 3.0)
    why = trust.why
    trust.died("aec", 4.0)
    assert trust.why == why


def test_a_rung_that_is_chosen_anew_is_tried_anew() -> None:
    trust = after_deaths(1.0, 2.0, 3.0)
    trust.forgive()
    assert trust.rung("aec") == "aec"
    trust.died("aec", 4.0)
    assert not trust.why
