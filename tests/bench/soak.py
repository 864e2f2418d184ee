"""A long conversation through the real engine in virtual time: `python tests/bench/soak.py [--minutes M] [--seed N]`.

Two clocks that run apart, both sides talking. Fails where memory grows, or where the echo canceller's two inputs stray
from each other by more than one block.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from table import show
from turns.box import Box, Setup, Talker, box_in_a_room
from turns.clock import Clock, run
from turns.corpus import long_reply, visitors
from turns.room import BLOCK, RATE_HZ, Acoustics
from turns.scenarios import speak

DRIFTS_PPM = (100.0, -100.0)
LOOK_EVERY_BLOCKS = 50
SEARCH_MS = 100
WARM_UP_SHARE = 0.25
"""Of the run: by then all caches and buffers are as full as they get."""
MOST_GROWTH_MB = 8.0


@dataclass(slots=True, kw_only=True)
class Log:
    """What one soak saw. Leads are how much older the far frame is than the near one beside it, in ms."""

    drift_ppm: float
    minutes: float = 0.0
    leads_ms: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    counters: dict[str, object] = field(default_factory=dict)

    @property
    def stray_blocks(self) -> float:
        """The farthest that the pairing was from where it mostly is, in blocks."""
        leads = np.array(self.leads_ms)
        return float(np.abs(leads - np.median(leads)).max() / 10) if len(leads) else float("nan")

    @property
    def growth_mb(self) -> float:
        """Medians of the later half against the earlier: a long reply takes some MB and gives them back."""
        earlier, later = np.array_split(np.array(self.rss_mb[int(len(self.rss_mb) * WARM_UP_SHARE) :]), 2)
        return float(np.median(later) - np.median(earlier)) if len(later) else 0.0

    @property
    def failures(self) -> list[str]:
        found = []
        if not self.leads_ms:
            found.append("the pairing was never seen")
        elif self.stray_blocks > 1:
            found.append(f"far and near strayed by {self.stray_blocks:.1f} blocks")
        if self.growth_mb > MOST_GROWTH_MB:
            found.append(f"memory grew by {self.growth_mb:.0f} MB after the warm-up")
        return found


class Tap:
    """Looks at what the echo ladder is given, and finds in what was played where its far frame is from."""

    def __init__(self, box: Box, log: Log) -> None:
        self._box = box
        self._log = log
        self._count = 0
        ladder = box.pump._ladder
        self._process = ladder.process
        ladder.process = self._look  # type: ignore[method-assign]

    def _look(self, near, far, **pairing):
        self._count += 1
        if self._count % LOOK_EVERY_BLOCKS == 0:
            self._find(far)
        return self._process(near, far, **pairing)

    def _find(self, far) -> None:
        blocks = self._box.played[-2 * SEARCH_MS // 10 :]
        recent = np.concatenate(blocks).astype(np.float64)
        sound = far.astype(np.float64)
        if (sound**2).mean() < 100_000 or len(recent) < 2 * BLOCK:
            return
        energy = np.convolve(recent**2, np.ones(BLOCK), mode="valid")
        match = np.correlate(recent, sound, mode="valid") / np.sqrt(np.maximum(energy, 1e4) * (sound**2).sum())
        place = int(match.argmax())
        if match[place] < 0.99:
            return
        # The loudspeaker goes on between its callbacks: where it is now, and where the far frame ends.
        since_s = self._box.now_s - self._box.played_at_s[-1]
        end = place + BLOCK - len(recent) - since_s * RATE_HZ
        self._log.leads_ms.append(-end / RATE_HZ * 1000)


def rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def soak(drift_ppm: float, minutes: float, seed: int) -> Log:
    """Talk for so long; everything that the bench itself would keep is thrown away on the way."""
    log = Log(drift_ppm=drift_ppm)
    run(clock := Clock(), _talk(log, minutes, seed, clock))
    return log


async def _talk(log: Log, minutes: float, seed: int, clock: Clock) -> None:
    rng = np.random.default_rng(seed)
    acoustics = Acoustics(delay_ms=60, rt60_s=0.3, erl_db=12, drift_ppm=log.drift_ppm, seed=seed)
    setup = Setup(rung="aec", mode="confirm", acoustics=acoustics, callback_phase=0.3)
    talker = Talker(lambda: long_reply(rng, float(rng.uniform(5, 20))))
    async with box_in_a_room(setup, talker, clock) as box:
        Tap(box, log)
        while box.seconds < minutes * 60:
            if not box.sounding and not await box.run(2, until=lambda: box.sounding):
                await speak(box)
            await box.run(float(rng.uniform(2, 12)))
            said = visitors()[rng.integers(len(visitors()))]
            box.say(said.samples)
            await box.run(said.duration_s + 1.5)
            _forget(box, talker)
            log.rss_mb.append(rss_mb())
        status = box.audio.status
        names = (
            "echo_rung",
            "echo_why",
            "drift_ppm",
            "drift_corrections",
            "xruns",
            "underruns",
            "dropped_capture_frames",
        )
        log.counters = {name: getattr(status, name) for name in names}
        log.counters["turns"] = box.manager.snapshot().turns
        log.minutes = box.seconds / 60


def _forget(box: Box, talker: Talker) -> None:
    """Throw away what the bench and the server keep of the past, so that what grows is the box itself."""
    del box.played[:-100], box.played_at_s[:-100]
    box.captured.clear()
    box.recorded.clear()
    box.events.clear()
    box.happened.clear()
    box.service.forget()
    talker.said.clear()
    gc.collect()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="of audio; default 60")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began_s = time.monotonic()
    with ProcessPoolExecutor(len(DRIFTS_PPM), mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(soak, ppm, arguments.minutes, arguments.seed) for ppm in DRIFTS_PPM]
        logs = [future.result() for future in futures]
    head = ("clocks", "minutes", "seen", "lead ms", "strayed blocks", "RSS MB", "grown MB", *logs[0].counters)
    rows = [
        (
            f"{log.drift_ppm:+.0f} ppm",
            f"{log.minutes:.0f}",
            len(log.leads_ms),
            f"{np.median(log.leads_ms):.1f}" if log.leads_ms else "-",
            f"{log.stray_blocks:.2f}",
            f"{log.rss_mb[-1]:.0f}",
            f"{log.growth_mb:.1f}",
            *(f"{value:.0f}" if isinstance(value, float) else str(value) for value in log.counters.values()),
        )
        for log in logs
    ]
    show("soak: the audio engine in a long conversation", head, rows)
    print(f"\nseed {arguments.seed}, {time.monotonic() - began_s:.0f} s")
    failures = [f"{log.drift_ppm:+.0f} ppm: {failure}" for log in logs for failure in log.failures]
    print("\n".join(failures) if failures else "bounded memory, both sides of the echo paired within one block")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
