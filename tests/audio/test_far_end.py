from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from voicebotd.audio.far_end import OneClock, TwoClocks
from voicebotd.audio.ring import Samples

FRAME = 240
BLOCK_S = 0.01
TURN = 30_000
"""Samples are numbered 1…TURN, again and again: each tells when it was played, and none is silence."""


def block(value: int, length: int = FRAME) -> Samples:
    return np.full(length, value, dtype=np.int16)


def test_on_one_clock_frames_come_out_as_blocks_went_in() -> None:
    far = OneClock(output_hz=24_000)
    far.push(block(3, 300))
    far.align(FRAME, since_s=0.0)
    assert far.next_frame().tolist() == [3] * FRAME
    assert far.next_frame().tolist() == [3] * 60 + [0] * 180
    assert (far.corrections, far.lead_samples, far.drift_ppm, far.settled) == (0, 0, None, True)


@pytest.mark.parametrize("output_hz", [44_100, 48_000])
def test_on_one_clock_what_the_resampler_keeps_at_first_is_no_shift(output_hz: int) -> None:
    far = OneClock(output_hz=output_hz)
    late: list[Samples] = []
    tone = (10_000 * np.sin(np.arange(output_hz) * 2 * np.pi * 100 / output_hz)).astype(np.int16)
    for at in range(0, output_hz, output_hz // 100):
        far.push(tone[at : at + output_hz // 100])
        late.append(far.next_frame())
    heard = np.concatenate(late)
    first = np.flatnonzero(heard)[0]
    assert 0 < first < FRAME
    assert np.all(np.diff(np.flatnonzero(np.diff(np.signbit(heard[first:])))) <= 121), "no silence in the middle"


@dataclass(kw_only=True)
class Clocks:
    """A loudspeaker whose clock runs `ppm` faster than the microphone's; callbacks come up to `jitter_ms` late."""

    ppm: float = 0.0
    jitter_ms: float = 6.0
    output_starts_s: float = 0.0
    ahead_s: float = 0.0
    """How much earlier than at the start the loudspeaker asks for what it plays."""
    far: TwoClocks = field(default_factory=lambda: TwoClocks(output_hz=24_000, block_ms=10))
    leads: list[float] = field(default_factory=list)
    """How much older the far end was than its near end, for each frame that was heard whole."""
    holes: int = 0

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(1)
        self._frame = 0
        self._played = 0
        self._last_output_s = 0.0
        self._next_output_s = self.output_starts_s
        self.lost_samples = 0
        """That the loudspeaker never got, as after an underrun: it played silence of its own meanwhile."""

    def run(self, seconds: float, *, burst: int = 1) -> None:
        """`burst`: so many blocks of the microphone come at once."""
        numbers = np.arange(FRAME)
        for _ in range(round(seconds / BLOCK_S / burst)):
            self._frame += burst
            now_s = self._frame * BLOCK_S + self._late_s()
            while self._next_output_s <= now_s:
                self.far.push(((self._played + numbers) % TURN + 1).astype(np.int16))
                self._played += FRAME
                self._last_output_s = self._next_output_s
                self._next_output_s = max(
                    self._next_output_s,
                    self.output_starts_s
                    - self.ahead_s
                    + (self._played + self.lost_samples) / 24_000 / (1 + self.ppm * 1e-6)
                    + self._late_s(),
                )
            self.far.align(burst * FRAME, since_s=now_s - self._last_output_s)
            for number in range(burst):
                self._take(self._frame - burst + number + 1)

    def _late_s(self) -> float:
        return float(self._random.uniform(0, self.jitter_ms / 1000))

    def _take(self, frame: int) -> None:
        value = int(self.far.next_frame()[FRAME // 2])
        if not value:
            self.holes += 1
            return
        played = (frame * BLOCK_S - self.output_starts_s) * 24_000 * (1 + self.ppm * 1e-6) - self.lost_samples
        self.leads.append((played - (value - 1 - FRAME / 2) + TURN / 2) % TURN - TURN / 2)


@pytest.mark.parametrize(("ppm", "seconds"), [(100.0, 3600), (-100.0, 1200)])
def test_in_an_hour_of_drift_the_pairing_strays_by_less_than_half_a_block_without_a_jump(
    ppm: float, seconds: int
) -> None:
    clocks = Clocks(ppm=ppm)
    clocks.run(10)
    clocks.leads.clear()
    clocks.holes = 0
    clocks.run(seconds - 10)
    # A frame that is stretched over the turn of the numbers has a sample between the two ends.
    low, high = np.percentile(clocks.leads, [0.01, 99.99])
    assert high - low < FRAME / 2
    assert (clocks.far.corrections, clocks.holes) == (0, 0)
    assert clocks.far.drift_ppm == pytest.approx(ppm, abs=10)
    assert len(clocks.far._fifo) < 6 * FRAME


def test_clocks_that_agree_are_never_corrected() -> None:
    clocks = Clocks()
    clocks.run(1)
    assert clocks.far.drift_ppm is None
    assert not clocks.far.settled
    assert clocks.far.lead_samples == 2 * FRAME
    clocks.run(1)
    assert clocks.far.settled
    clocks.leads.clear()
    clocks.run(130)
    assert max(clocks.leads) - min(clocks.leads) < 0.01
    assert clocks.leads[0] == pytest.approx(clocks.far.lead_samples, abs=FRAME / 4)
    assert clocks.far.drift_ppm == 0.0


@pytest.mark.parametrize("starts_s", [0.0, 0.2])
def test_a_loudspeaker_that_starts_earlier_or_later_leads_by_one_to_four_blocks(starts_s: float) -> None:
    clocks = Clocks(output_starts_s=starts_s)
    clocks.run(2)
    clocks.holes = 0
    clocks.run(5)
    assert FRAME <= clocks.leads[-1] <= 4 * FRAME
    assert clocks.leads[-1] == pytest.approx(clocks.far.lead_samples, abs=FRAME / 2)
    assert clocks.holes == 0


def test_a_loudspeaker_that_was_far_ahead_at_the_start_is_cut_back_uncounted() -> None:
    far = TwoClocks(output_hz=24_000, block_ms=10)
    for value in range(1, 7):
        far.push(block(value))
    far.align(FRAME, since_s=0.0)
    assert [int(far.next_frame()[0]) for _ in range(3)] == [4, 5, 6]
    assert far.corrections == 0


@pytest.mark.parametrize("lost_ms", [30, -30])
def test_time_that_a_device_lost_is_paired_anew_once_within_two_seconds_and_counted(lost_ms: int) -> None:
    clocks = Clocks()
    clocks.run(10)
    before = clocks.leads[-1]
    clocks.lost_samples = lost_ms * 24
    clocks.run(3)
    assert clocks.far.corrections == 1
    assert clocks.leads[-1] == pytest.approx(before, abs=FRAME / 4)


@pytest.mark.parametrize("blocks", [1, -1])
def test_a_loudspeaker_that_asks_for_a_block_more_or_less_ahead_keeps_its_pairing(blocks: int) -> None:
    clocks = Clocks(jitter_ms=2.0)
    clocks.run(10)
    lead = clocks.far.lead_samples
    before = clocks.leads[-1]
    clocks.ahead_s += blocks * BLOCK_S
    clocks.run(60)
    assert clocks.leads[-1] == pytest.approx(before, abs=FRAME / 4)
    assert clocks.far.lead_samples - lead == pytest.approx(blocks * FRAME, abs=FRAME / 3)
    assert clocks.far.corrections == 0


def test_a_loudspeaker_whose_callbacks_keep_coming_late_gets_more_lead_but_never_without_end() -> None:
    clocks = Clocks(jitter_ms=0.0)
    clocks.run(3)
    clocks.jitter_ms = 45.0
    clocks.run(20)
    torn = clocks.holes
    assert clocks.far.corrections >= 1
    clocks.run(20)
    assert clocks.far.corrections <= TwoClocks.MOST_BLOCKS
    assert clocks.holes - torn < torn / 4


def test_a_burst_of_the_microphone_changes_nothing() -> None:
    clocks = Clocks()
    clocks.run(3)
    before = clocks.leads[-1]
    clocks.run(0.3, burst=30)
    clocks.run(3)
    assert clocks.far.corrections == 0
    assert clocks.leads[-1] == pytest.approx(before)


def test_what_comes_too_late_was_silence_and_is_not_heard_later() -> None:
    far = TwoClocks(output_hz=24_000, block_ms=10)
    far.push(block(1))
    far.align(FRAME, since_s=0.0)
    frames = [far.next_frame() for _ in range(4)]
    far.push(block(2, 100))
    far.push(block(3, 400))
    assert [int(frame[0]) for frame in frames] == [0, 0, 1, 0]
    assert far.next_frame().tolist() == [3] * FRAME


def test_a_microphone_that_stood_still_for_half_a_second_is_paired_anew() -> None:
    far = TwoClocks(output_hz=24_000, block_ms=10)
    far.align(FRAME, since_s=0.0)
    for value in range(1, 101):
        far.push(block(value))
    far.align(FRAME, since_s=0.0)
    assert far.corrections == 1
    assert int(far.next_frame()[0]) == 98


def test_a_shift_beyond_what_there_is_voids_what_comes() -> None:
    clocks = Clocks(jitter_ms=0.0)
    clocks.run(3)
    fill = len(clocks.far._fifo)
    clocks.far._shift(fill + 100)
    assert len(clocks.far._fifo) == 0
    clocks.far.push(block(9, 300))
    assert len(clocks.far._fifo) == 200


def test_less_than_a_frame_of_the_microphone_is_no_time() -> None:
    far = TwoClocks(output_hz=24_000, block_ms=5)
    far.push(block(1))
    far.align(FRAME - 1, since_s=0.0)
    assert int(far.next_frame()[0]) == 1


def test_a_stretched_frame_has_no_step() -> None:
    tone = (10_000 * np.sin(np.arange(1000) * 2 * np.pi * 300 / 24_000)).astype(np.int16)
    steepest = np.abs(np.diff(tone)).max()
    for owed, used in ((1.0, 241), (-1.0, 239)):
        far = TwoClocks(output_hz=24_000, block_ms=10)
        far.push(tone)
        far._owed = owed
        frames = np.concatenate([far.next_frame() for _ in range(3)])
        assert np.abs(np.diff(frames)).max() <= 1.01 * steepest + 1
        assert frames[-1] == tone[used + 2 * FRAME - 1]


def test_the_pairing_is_known_once_it_is_settled_and_a_short_hole_does_not_change_that() -> None:
    clocks = Clocks()
    clocks.run(1.4)
    assert not clocks.far.known
    clocks.run(0.5)
    assert clocks.far.known
    clocks.far._fifo.pop(24_000)
    for number in range(1, 5):
        assert not clocks.far.next_frame().any()
        assert clocks.far.known == (number <= TwoClocks.BORNE_FRAMES)


@pytest.mark.parametrize("lost_ms", [400, -400])
def test_from_time_that_a_device_lost_until_it_is_paired_anew_the_far_end_is_not_known(lost_ms: int) -> None:
    clocks = Clocks()
    clocks.run(5)
    clocks.lost_samples = lost_ms * 24
    known = []
    for _ in range(300):
        clocks.run(BLOCK_S)
        known.append(clocks.far.known)
    assert not any(known[10:95])
    assert all(known[150:])
    assert clocks.far.corrections
