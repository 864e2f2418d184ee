"""When the box may be interrupted, and what is told to the service then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from voicebotd.conversation import barge_in
from voicebotd.conversation.barge_in import Plan, Told
from voicebotd.conversation.events import BargeIn, TurnDetection
from voicebotd.conversation.ledger import Piece


def piece(item_id: str, *, received_ms: int, heard_ms: int, complete: bool = True, output_index: int = 0) -> Piece:
    return Piece(
        item_id=item_id,
        content_index=0,
        response_id="r",
        output_index=output_index,
        received_samples=received_ms * 24,
        heard_samples=heard_ms * 24,
        complete=complete,
    )


@pytest.mark.parametrize(
    ("generating", "service_interrupts", "plan"),
    [
        (True, True, Plan(silence=True, cancel=False)),
        (True, False, Plan(silence=True, cancel=True)),
        (False, False, Plan(silence=True, cancel=False)),
    ],
)
def test_immediate_silences_at_once_and_cancels_only_what_the_service_does_not(
    generating: bool, service_interrupts: bool, plan: Plan
) -> None:
    decided = barge_in.speech_began("immediate", generating=generating, service_interrupts=service_interrupts)
    assert decided == plan


def test_off_lets_the_box_finish() -> None:
    assert barge_in.speech_began("off", generating=True, service_interrupts=False) == Plan()


def test_where_certainty_is_waited_for_the_first_sign_stops_nothing() -> None:
    assert barge_in.speech_began("confirm", generating=True, service_interrupts=False) == Plan()


def told(start_ms: int, end_ms: int, *, wall_ms: int, crowded: bool = False, voiced_ms: int | None = None) -> Told:
    return Told(start_ms=start_ms, end_ms=end_ms, wall_ms=wall_ms, crowded=crowded, voiced_ms=voiced_ms)


SERVER = TurnDetection(prefix_padding_ms=500, silence_duration_ms=1200)
SEMANTIC = TurnDetection(type="semantic_vad", prefix_padding_ms=500)


@pytest.mark.parametrize(
    ("heard", "detection", "length_ms"),
    [
        (told(4500, 6500, wall_ms=1450), SERVER, 300),
        (told(4500, 6150, wall_ms=1150), SERVER, 0),
        (told(4500, 6000, wall_ms=1500), SERVER, 1500),
        (told(4500, 6000, wall_ms=1500, voiced_ms=280), SERVER, 280),
        (told(0, 2300, wall_ms=2250, crowded=True), SERVER, 1050),
        (told(0, 1250, wall_ms=1190, crowded=True), SERVER, 0),
        (told(4500, 5700, wall_ms=700), SERVER, 700),
        (told(4500, 7700, wall_ms=710), SERVER, 1500),
        (told(0, 2700, wall_ms=40, crowded=True), SERVER, 1500),
        (told(4500, 6300, wall_ms=20), SERVER, 100),
        (told(4500, 6100, wall_ms=20), SERVER, 0),
        (told(4500, 6500, wall_ms=1450), SEMANTIC, 1500),
        (told(4500, 4700, wall_ms=150), SEMANTIC, 0),
        (told(4500, 6500, wall_ms=1450, voiced_ms=320), SEMANTIC, 320),
        (told(4500, 6500, wall_ms=30, voiced_ms=20), SEMANTIC, 1500),
    ],
    ids=[
        "without the padding and the silence",
        "never negative",
        "as it is stamped where the stamps plainly hold neither padding nor silence",
        "then by local evidence where there is any",
        "by the clock where the padding is unknown",
        "by the clock, never negative",
        "by the clock where the service does not wait for the silence",
        "by its stamps where it was heard faster than it was spoken",
        "with the padding that it may not have had",
        "a noise is one however fast it was heard",
        "heard fast, never negative",
        "all but the padding where nobody knows the silence",
        "semantic, never negative",
        "by local evidence where there is any",
        "and by its stamps where the evidence was long before",
    ],
)
def test_the_length_of_a_speech_is_what_was_really_spoken(
    heard: Told, detection: TurnDetection, length_ms: int
) -> None:
    assert barge_in.speech_ms(heard, detection) == length_ms


def test_speech_that_reaches_the_shortest_turn_is_one() -> None:
    assert barge_in.is_turn(1000, BargeIn())
    assert not barge_in.is_turn(999, BargeIn())


def test_what_has_no_end_when_that_of_a_noise_would_have_come_is_a_turn() -> None:
    assert barge_in.latest_ms(BargeIn(), SERVER) == 2200
    assert barge_in.latest_ms(BargeIn(min_speech_ms=500), replace(SEMANTIC, eagerness="low")) == 8500


def test_a_hard_stop_silences_and_cancels() -> None:
    assert barge_in.hard_stop(generating=True) == Plan(silence=True, cancel=True)
    assert barge_in.hard_stop(generating=False) == Plan(silence=True, cancel=False)


def test_the_piece_that_was_playing_is_truncated_and_the_later_ones_deleted() -> None:
    mending = barge_in.mend(
        [
            piece("preamble", received_ms=500, heard_ms=500),
            piece("answer", received_ms=4000, heard_ms=1200, output_index=1),
            piece("more", received_ms=800, heard_ms=0, output_index=2),
        ]
    )
    assert mending.truncate is not None
    assert (mending.truncate.item_id, mending.truncate.heard_ms) == ("answer", 1200)
    assert mending.delete == ("more",)


def test_what_was_heard_to_its_end_needs_no_mending() -> None:
    assert barge_in.mend([piece("a", received_ms=500, heard_ms=500)]) == barge_in.Mending(truncate=None, delete=())


def test_all_that_was_received_is_truncated_too_if_more_was_to_come() -> None:
    mending = barge_in.mend([piece("a", received_ms=500, heard_ms=500, complete=False)])
    assert mending.truncate is not None
    assert mending.truncate.heard_ms == 500


def test_an_item_that_nobody_heard_is_deleted_because_a_truncate_at_zero_is_refused() -> None:
    assert barge_in.mend([piece("a", received_ms=500, heard_ms=0)]) == barge_in.Mending(truncate=None, delete=("a",))


def test_the_unheard_second_part_of_a_truncated_item_is_not_deleted_with_it() -> None:
    first = piece("a", received_ms=500, heard_ms=100)
    second = Piece(item_id="a", content_index=1, response_id="r", output_index=0, received_samples=2400)
    mending = barge_in.mend([first, second])
    assert mending == barge_in.Mending(truncate=first, delete=())
