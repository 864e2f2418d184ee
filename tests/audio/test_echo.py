"""The real library, in simulated rooms."""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from voicebotd.audio import echo
from voicebotd.audio.echo import WebRtcCanceller, aec_installed
from voicebotd.audio.ladder import Ladder
from voicebotd.audio.ring import Samples
from voicebotd.errors import AudioError

pytestmark = pytest.mark.skipif(not aec_installed(), reason="livekit has no wheel for this machine")
FRAME = 240


@pytest.fixture(scope="module")
def rooms() -> ModuleType:
    path = Path(__file__).parent.parent / "room.py"
    spec = importlib.util.spec_from_file_location("room", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["room"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(ladder: Ladder, near: np.ndarray, far: np.ndarray) -> np.ndarray:
    whole = len(near) // FRAME * FRAME
    frames = range(0, whole, FRAME)
    return np.concatenate([ladder.process(near[at : at + FRAME], far[at : at + FRAME]) for at in frames])


def test_loading_is_silent_and_leaves_the_daemon_alone() -> None:
    code = (
        "import sys; import voicebotd.audio.ladder as ladder; assert ladder.aec_installed();"
        "assert 'livekit.rtc' not in sys.modules;"
        "ladder.Ladder('aec', tail_ms=300, round_trip_ms=900); assert 'livekit.rtc' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_takes_most_of_the_echo_away(rooms: ModuleType) -> None:
    far = rooms.clip("assistant_services")[: 5 * 24_000]
    near = rooms.Room(loss_db=6).microphone(far)
    canceller = WebRtcCanceller(delay_ms=60)
    out = np.concatenate(
        [canceller.process(near[at : at + FRAME], far[at : at + FRAME]) for at in range(0, len(far), FRAME)]
    )
    late = slice(3 * 24_000, None)
    assert np.std(near[late].astype(float)) > 10 * np.std(out[late].astype(float))


def level_dbfs(samples: Samples) -> float:
    return 20 * math.log10(max(float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))), 1e-3) / 32768)


def test_in_a_room_whose_echo_is_as_loud_as_the_visitor_only_the_visitor_is_heard(rooms: ModuleType) -> None:
    far = np.concatenate([rooms.clip(name) for name in ("assistant_services", "assistant_booked")])[: 14 * 24_000]
    room = rooms.Room(loss_db=3, delay_ms=80)
    loud_dbfs = rooms.speech_dbfs(room.echo(far))
    visitor = rooms.placed(rooms.at_level(rooms.clip("visitor_interrupts"), loud_dbfs), 10.0, len(far))
    ladder = Ladder("aec", tail_ms=300, round_trip_ms=60)
    out = run(ladder, room.microphone(far, visitor), far)
    assert level_dbfs(out[7 * 24_000 : 10 * 24_000]) < loud_dbfs - 25
    assert np.abs(out[10 * 24_000 :].astype(int)).max() > 1000
    assert ladder.report().delay_ms == pytest.approx(80, abs=0.5)
    assert (ladder.report().erle_db or 0) > 10


def test_a_library_that_fails_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    canceller = WebRtcCanceller(delay_ms=0)
    monkeypatch.setattr(canceller, "_far", object())
    with pytest.raises(AudioError, match="failed"):
        canceller.process(np.zeros(FRAME, dtype=np.int16), np.zeros(FRAME, dtype=np.int16))


def test_a_library_that_is_missing_or_does_not_start_is_an_error_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from livekit import rtc  # noqa: PLC0415

    monkeypatch.setattr(rtc, "AudioProcessingModule", lambda **_: 1 / 0)
    with pytest.raises(AudioError, match="does not start"):
        WebRtcCanceller(delay_ms=0)
    monkeypatch.setitem(sys.modules, "livekit", None)
    with pytest.raises(AudioError, match="cannot be loaded"):
        WebRtcCanceller(delay_ms=0)


def test_whether_it_is_installed_is_told_without_loading_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo, "find_spec", lambda name: None)
    assert not aec_installed()
