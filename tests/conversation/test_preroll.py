"""What was heard before: the newest of it, once for each session, and not without bounds."""

from __future__ import annotations

import pytest

from voicebotd.conversation.effects import Since
from voicebotd.conversation.preroll import LONGEST_MS, PreRoll

FRAMES = [bytes([number]) * 480 for number in range(50)]
"""Of 10 ms each."""


def kept(frames: list[bytes], *, sent: bool = False, preroll: PreRoll | None = None) -> PreRoll:
    """Frame number n was heard at n hundredths of a second after 100 s."""
    preroll = preroll or PreRoll()
    for number, frame in enumerate(frames):
        preroll.keep(frame, 100.0 + number / 100, sent=sent)
    return preroll


def test_the_newest_is_given_in_its_order() -> None:
    assert kept(FRAMES).take(30) == b"".join(FRAMES[-3:])
    assert kept(FRAMES).take(25) == b"".join(FRAMES[-3:]), "whole frames"
    assert kept(FRAMES[:2]).take(500) == b"".join(FRAMES[:2]), "there is no more"


def test_nothing_is_given_twice() -> None:
    preroll = kept(FRAMES)
    assert preroll.take(30) == b"".join(FRAMES[-3:])
    assert preroll.take(500) == b""
    assert kept(FRAMES, sent=True).take(500) == b"", "the session was sent it as it was heard"


def test_what_was_not_sent_and_is_not_wanted_is_not_given_later() -> None:
    preroll = kept(FRAMES)
    assert preroll.take(0) == b""
    preroll.keep(b"\xff" * 480, 101.0, sent=False)
    assert preroll.take(500) == b"\xff" * 480


def test_no_more_than_a_minute_is_kept() -> None:
    preroll = kept([b"\0" * 480] * (LONGEST_MS // 10 + 50))
    assert len(preroll.take(2 * LONGEST_MS)) == LONGEST_MS * 48


def test_a_new_session_is_told_also_what_the_one_before_was_sent() -> None:
    preroll = kept(FRAMES, sent=True)
    assert preroll.take_again(30, None) == b"".join(FRAMES[-3:])
    assert preroll.take_again(30, Since(at_s=100.455)) == b"".join(FRAMES[46:]), "from that time on"
    assert preroll.take_again(0, Since(at_s=101.0)) == b"", "nothing came since"


def test_the_place_in_what_was_sent_is_exact_whatever_the_clock_says() -> None:
    preroll = kept(FRAMES[:20])
    preroll.take(0)
    for frame in FRAMES[20:]:
        preroll.keep(frame, 500.0, sent=True)
    assert preroll.take_again(0, Since(place_ms=100)) == b"".join(FRAMES[30:]), "the session heard 10 frames before"
    assert preroll.take_again(0, Since(place_ms=95)) == b"".join(FRAMES[39:]), "of its own clock, and whole frames"


def test_the_earlier_of_time_and_place_counts() -> None:
    since = Since(at_s=100.30, place_ms=100)
    assert kept(FRAMES, sent=True).take_again(0, since) == b"".join(FRAMES[10:])
    assert kept(FRAMES, sent=True).take_again(0, Since(at_s=100.05, place_ms=100)) == b"".join(FRAMES[5:])


def test_what_was_sent_to_no_session_comes_after_all_that_was() -> None:
    preroll = kept(FRAMES[:20], sent=True)
    kept(FRAMES[20:], preroll=preroll)
    assert preroll.take_again(0, Since(place_ms=300)) == b"".join(FRAMES[20:])


def test_the_clock_of_each_session_begins_at_zero() -> None:
    preroll = kept(FRAMES, sent=True)
    preroll.take_again(100, None)
    assert preroll.take_again(0, Since(place_ms=50)) == b"".join(FRAMES[45:])


@pytest.mark.parametrize("preroll_ms", [0, 500])
def test_what_is_forgotten_is_gone_and_the_clock_with_it(preroll_ms: int) -> None:
    preroll = kept(FRAMES, sent=True)
    preroll.forget()
    assert preroll.take_again(preroll_ms, Since(at_s=0.0)) == b""
    kept(FRAMES[:5], sent=True, preroll=preroll)
    assert preroll.take_again(0, Since(place_ms=20)) == b"".join(FRAMES[2:5])
