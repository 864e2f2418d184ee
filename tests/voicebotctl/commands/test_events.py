import json

import pytest

from voicebotctl.commands import events as events_module
from voicebotctl.meter import Meter

EVENT = {"topic": "turn", "seq": 8, "time": 1_700_000_000.5, "data": {"event": "speech_started", "item_id": "i1"}}


@pytest.fixture
def happening(daemon):
    daemon.events += [
        {"method": "event", "params": EVENT},
        {"method": "unheard_of", "params": {}},
        {"method": "gap", "params": {"dropped": 3}},
    ]
    return daemon


def test_events_are_one_document_per_line_the_snapshot_first(ctl, happening):
    outcome = ctl("events", "--json")
    snapshot, event, gap, end = map(json.loads, outcome.out.splitlines())
    assert snapshot == {"topic": "snapshot", "seq": 7, "data": {"state": {"state": "listening"}}}
    assert event == EVENT
    assert gap == {"topic": "gap", "data": {"dropped": 3}}
    assert end["error"]["kind"] == "client.unreachable"
    assert outcome.code == 69


def test_events_are_one_line_each_for_people(ctl, happening):
    lines = ctl("events").out.splitlines()
    assert lines[0] == '7 - snapshot {"state": {"state": "listening"}}'
    assert lines[1].startswith("8 ")
    assert lines[1].endswith(' turn {"event": "speech_started", "item_id": "i1"}')
    assert lines[2] == '- - gap {"dropped": 3}'


def test_topics_are_subscribed_once_each_and_without_any_all_of_them(ctl, happening):
    ctl("events", "turn", "state", "turn")
    ctl("events")
    assert happening.sent() == [("events.subscribe", {"topics": ["turn", "state"]}), ("events.subscribe", {})]


def test_a_topic_that_does_not_exist_is_a_mistake(ctl, daemon):
    outcome = ctl("events", "turns")
    assert (outcome.code, daemon.requests) == (2, [])
    assert "turns: unknown, did you mean turn?" in outcome.err


def test_watch_tells_what_happens_in_sentences(ctl, happening):
    outcome = ctl("watch")
    assert [line[9:] for line in outcome.out.splitlines()] == [
        "the box is listening",
        "visitor speaks",
        "3 events were lost on the way here",
    ]
    assert outcome.code == 69


def test_watch_asks_for_nothing_that_comes_ten_times_a_second(ctl, happening):
    ctl("watch")
    ((_, params),) = happening.sent()
    assert "audio.level" not in params["topics"]


LEVEL = {"topic": "audio.level", "seq": 9, "time": 1_700_000_000.6, "data": {"input_dbfs": -30.0}}
METER = "\r\x1b[Kmic [#####.....]  -30 dBFS"
WIPED = "\r\x1b[K"


@pytest.fixture
def at_a_terminal(monkeypatch):
    monkeypatch.setattr(events_module, "Meter", lambda out, _environ, *, wanted=True: Forced(out, wanted=wanted))


class Forced(Meter):
    """On whatever the test captures."""

    def __init__(self, out, *, wanted):
        super().__init__(out, {}, wanted=wanted)
        self.shows = wanted


@pytest.mark.usefixtures("at_a_terminal")
def test_watch_at_a_terminal_has_the_level_as_a_line_below_the_conversation(ctl, happening):
    happening.events.insert(0, {"method": "event", "params": LEVEL})
    out = ctl("watch").out
    ((_, params),) = happening.sent()
    assert params["topics"][-1] == "audio.level"
    before, after = out.split(METER)
    assert before.endswith("the box is listening\n")
    assert after.startswith(WIPED)
    assert "visitor speaks\n" in after


@pytest.mark.usefixtures("at_a_terminal")
def test_events_at_a_terminal_show_levels_in_one_place_and_leave_the_line_clean(ctl, daemon):
    daemon.events += 2 * [{"method": "event", "params": LEVEL}]
    out = ctl("events", "audio.level").out
    assert out.endswith(METER + METER + WIPED)


@pytest.mark.usefixtures("at_a_terminal")
def test_in_json_a_level_is_a_document_like_any_other(ctl, daemon):
    daemon.events.append({"method": "event", "params": LEVEL})
    assert json.loads(ctl("events", "audio.level", "--json").out.splitlines()[1]) == LEVEL


def test_levels_for_a_pipe_are_lines(ctl, daemon):
    daemon.events.append({"method": "event", "params": LEVEL})
    assert ctl("events", "audio.level").out.splitlines()[1].endswith(' audio.level {"input_dbfs": -30.0}')


def test_watch_in_json_is_one_document_per_line(ctl, happening):
    lines = [json.loads(line) for line in ctl("watch", "--json").out.splitlines()]
    assert [line.get("topic") for line in lines] == ["snapshot", "turn", "gap", None]


@pytest.fixture
def waits(monkeypatch):
    """Instead of waiting to reconnect, note how long; the fifth time somebody presses Ctrl-C."""
    noted = []

    def sleep(seconds):
        noted.append(seconds)
        if len(noted) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(events_module.time, "sleep", sleep)
    monkeypatch.setattr(events_module.random, "random", lambda: 1.0)
    return noted


def test_watch_waits_longer_and_longer_for_a_daemon_that_is_away(away, waits):
    outcome = away("watch", "--reconnect")
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0]
    assert outcome.code == 130
    assert all("there is no socket at" in line for line in outcome.out.splitlines())


def test_watch_that_reconnects_begins_again_with_a_snapshot_and_short_waits(ctl, happening, waits):
    outcome = ctl("watch", "--reconnect", "--json")
    topics = [json.loads(line).get("topic") for line in outcome.out.splitlines()]
    assert topics[:8] == ["snapshot", "turn", "gap", "away"] * 2
    assert waits == [0.25] * 5


def test_the_wait_never_exceeds_its_cap(away, monkeypatch):
    noted = []

    def sleep(seconds):
        noted.append(seconds)
        if len(noted) == 12:
            raise KeyboardInterrupt

    monkeypatch.setattr(events_module.time, "sleep", sleep)
    monkeypatch.setattr(events_module.random, "random", lambda: 1.0)
    away("watch", "--reconnect")
    assert max(noted) == events_module.LAST_RETRY_S


def test_a_protocol_mismatch_is_not_waited_for(ctl, daemon, waits):
    daemon.greeting = b"220 smtp\n"
    assert ctl("watch", "--reconnect").code == 76
    assert waits == []
