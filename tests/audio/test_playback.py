from __future__ import annotations

from voicebotd.audio.playback import FLUSH_DEADLINE_S, Playback
from voicebotd.audio.playout import BACKLOG_SAMPLES
from voicebotd.conversation.events import Event, Heard, PlayoutFlushed, PlayoutIdle, PlayoutProgressed, PlayoutStarted


def pcm(samples: int) -> bytes:
    return b"\1\0" * samples


def feed_all(playback: Playback) -> int:
    fed = 0
    while chunk := playback.next_chunk():
        playback.fed(chunk)
        fed += len(chunk) // 2
    return fed


def position(playback: Playback, epoch: int, samples: int, now_s: float = 0.0) -> list[Event]:
    return playback.position(epoch, samples, now_s=now_s, latency_s=0.02)


def flushed_event(token: int, **heard: int) -> PlayoutFlushed:
    pieces = tuple(Heard(item_id=item_id, content_index=0, heard_samples=count) for item_id, count in heard.items())
    return PlayoutFlushed(token=token, heard=pieces)


def playing(samples: int = 2400, handed: int = 1000) -> Playback:
    playback = Playback()
    playback.play("a", 0, pcm(samples))
    feed_all(playback)
    position(playback, 0, handed)
    return playback


def test_a_flush_is_answered_with_what_was_handed_over_by_then() -> None:
    playback = playing()
    epoch = playback.flush(7, now_s=1.0)
    assert epoch == playback.epoch == 1
    events = playback.flushed(1, 1200, now_s=1.01)
    assert events[-1] == flushed_event(7, a=1200)


def test_nothing_old_is_fed_after_a_flush_and_the_next_reply_can_be_queued_at_once() -> None:
    playback = playing()
    playback.flush(7, now_s=1.0)
    assert playback.next_chunk() == b""
    playback.play("b", 0, pcm(500))
    assert feed_all(playback) == 500
    assert position(playback, 1, 10)[0] == PlayoutStarted(item_id="b", content_index=0)


def test_positions_of_the_old_epoch_still_count_for_the_old_reply() -> None:
    playback = playing()
    playback.flush(7, now_s=1.0)
    assert position(playback, 0, 1100, 5.0) == [
        PlayoutProgressed(heard=Heard(item_id="a", content_index=0, heard_samples=1100))
    ]
    assert playback.lost() == [flushed_event(7, a=1100)]


def test_a_reply_told_to_be_silent_does_not_become_idle() -> None:
    playback = playing(samples=1000, handed=900)
    playback.flush(7, now_s=1.0)
    events = [*position(playback, 0, 1000, 1.1), *position(playback, 0, 1000, 9.0)]
    assert not any(isinstance(event, PlayoutIdle) for event in events)


def test_a_flush_that_nobody_answers_is_answered_from_the_last_position() -> None:
    playback = playing()
    playback.flush(7, now_s=1.0)
    assert playback.expired(1.0 + FLUSH_DEADLINE_S - 0.01) == []
    assert playback.expired(1.0 + FLUSH_DEADLINE_S) == [flushed_event(7, a=1000)]
    assert playback.expired(99) == []


def test_an_answer_after_its_deadline_says_nothing_new() -> None:
    playback = playing()
    playback.flush(7, now_s=1.0)
    playback.expired(2.0)
    assert playback.flushed(1, 1200, now_s=2.1) == []
    assert position(playback, 0, 1300) == []


def test_when_the_process_dies_every_flush_is_answered_and_the_reply_is_fed_anew() -> None:
    playback = playing()
    playback.flush(7, now_s=1.0)
    playback.play("b", 0, pcm(500))
    playback.flush(8, now_s=1.0)
    playback.play("c", 0, pcm(300))
    feed_all(playback)
    position(playback, 2, 100)
    assert playback.lost() == [flushed_event(7, a=1000), flushed_event(8, b=0)]
    assert feed_all(playback) == 200


def test_half_a_sample_is_cut_off() -> None:
    playback = Playback()
    playback.play("a", 0, b"\1\0\1")
    assert feed_all(playback) == 1


def test_counts_go_on_over_flushes() -> None:
    playback = playing(samples=2400, handed=2400)
    playback.play("a", 0, pcm(240))
    assert playback.gaps == 1
    playback.flush(7, now_s=1.0)
    playback.flushed(1, 2400, now_s=1.0)
    playback.play("b", 0, pcm(BACKLOG_SAMPLES + 48))
    feed_all(playback)
    position(playback, 1, 2400)
    assert (playback.played_ms, playback.gaps, playback.dropped_ms) == (200, 1, 2)


def test_it_plays_from_the_first_sample_queued_to_the_last_one_heard() -> None:
    playback = Playback()
    assert not playback.playing
    playback.play("a", 0, pcm(100))
    assert playback.playing
    feed_all(playback)
    position(playback, 0, 100, 1.0)
    position(playback, 0, 100, 2.0)
    assert not playback.playing
