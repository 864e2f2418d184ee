"""The soak in short: two clocks that run apart, and both sides of the echo stay together."""

import pytest
from soak import Log, soak


def test_half_a_minute_on_two_clocks_keeps_both_sides_of_the_echo_together():
    log = soak(100.0, 0.5, 1)
    assert len(log.leads_ms) > 10
    assert log.stray_blocks < 1  # of memory a minute says nothing
    assert log.counters["xruns"] == log.counters["underruns"] == log.counters["dropped_capture_frames"] == 0


@pytest.mark.parametrize(
    ("leads_ms", "rss_mb", "failures"),
    [
        ([20.0] * 50 + [29.0], [100.0] * 8, []),
        ([20.0] * 50 + [31.0], [100.0] * 8, ["far and near strayed by 1.1 blocks"]),
        ([20.0] * 50, [50.0, 80.0, 100.0, 104.0, 120.0], ["memory grew by 22 MB after the warm-up"]),
        ([], [100.0], ["the pairing was never seen"]),
    ],
)
def test_a_soak_fails_where_the_sides_part_or_memory_grows(leads_ms, rss_mb, failures):
    assert Log(drift_ppm=100.0, leads_ms=leads_ms, rss_mb=rss_mb).failures == failures
