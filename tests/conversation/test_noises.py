"""A noise's item is deleted once, whenever it comes, and a turn's never."""

from __future__ import annotations

from voicebotd.conversation.noises import Noises


def test_the_item_of_a_noise_is_to_be_deleted_once() -> None:
    noises = Noises()
    assert not noises.exists("u1")
    noises.add("u1")
    assert noises.exists("u1")
    assert not noises.exists("u1")
    noises.add("u1")
    assert not noises.exists("u1")
    assert "u1" in noises


def test_an_item_that_is_a_turn_after_all_is_forgotten() -> None:
    noises = Noises()
    noises.add("u1")
    noises.forget("u1")
    noises.forget("u2")
    assert "u1" not in noises


def test_the_oldest_is_forgotten_first() -> None:
    noises = Noises()
    for number in range(Noises.MAX_REMEMBERED + 1):
        noises.add(f"u{number}")
    assert "u0" not in noises
    assert "u1" in noises
