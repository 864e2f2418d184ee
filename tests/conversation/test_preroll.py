"""What was heard before: the newest of it, once, and not without bounds."""

from __future__ import annotations

from voicebotd.conversation.preroll import LONGEST_MS, PreRoll

FRAMES = [bytes([number]) * 480 for number in range(50)]


def kept(frames: list[bytes]) -> PreRoll:
    preroll = PreRoll()
    for frame in frames:
        preroll.keep(frame)
    return preroll


def test_the_newest_is_given_in_its_order() -> None:
    assert kept(FRAMES).take(30) == b"".join(FRAMES[-3:])
    assert kept(FRAMES).take(25) == b"".join(FRAMES[-3:]), "whole frames"
    assert kept(FRAMES[:2]).take(500) == b"".join(FRAMES[:2]), "there is no more"


def test_nothing_is_given_twice() -> None:
    preroll = kept(FRAMES)
    assert preroll.take(0) == b""
    assert preroll.take(500) == b""


def test_no_more_than_half_a_minute_is_kept() -> None:
    preroll = kept([b"\0" * 480] * (LONGEST_MS // 10 + 50))
    assert len(preroll.take(2 * LONGEST_MS)) == LONGEST_MS * 48
