import pytest

from voicebotctl.narrate import narrated
from voicebotctl.render import Style
from voicebotd.control.contract import TOPICS

PLAIN = Style(colour=False)
MARGIN = " " * 9


def told(topic, **data):
    return narrated({"topic": topic, "data": data}, PLAIN).removeprefix(MARGIN)


@pytest.mark.parametrize(
    ("topic", "data", "sentence"),
    [
        (
            "snapshot",
            {"state": {"state": "speaking"}, "link": {"state": "ready"}},
            "the box is speaking, the link is ready",
        ),
        ("snapshot", {}, "the box is unknown"),
        ("state", {"state": "hearing", "before": "listening"}, "hearing"),
        ("turn", {"event": "speech_started", "item_id": "i"}, "visitor speaks"),
        ("turn", {"event": "speech_stopped", "item_id": "i"}, "visitor is silent"),
        ("turn", {"event": "committed", "item_id": "i"}, ""),
        ("transcript", {"role": "user", "delta": "He", "final": False}, ""),
        ("transcript", {"role": "user", "text": "Hello", "final": True}, "  visitor: Hello"),
        ("response", {"event": "created", "response_id": "r"}, ""),
        ("response", {"event": "done", "status": "completed"}, ""),
        (
            "response",
            {"event": "done", "status": "failed", "reason": "", "error": "quota"},
            "the response is failed: quota",
        ),
        ("response", {"event": "done", "status": "incomplete"}, "the response is incomplete: no reason given"),
        ("response", {"event": "interrupted", "heard_ms": 740, "item_id": "i"}, "interrupted after 740 ms"),
        ("response", {"event": "ducked"}, "somebody speaks over it: softer"),
        ("response", {"event": "paused"}, "still speaking: paused"),
        ("response", {"event": "resumed"}, "goes on where it paused"),
        ("turn", {"event": "noise"}, "it was a noise"),
        ("turn", {"event": "too_long"}, "the visitor spoke too long: answered as if it were over"),
        ("tool", {"event": "called", "name": "book", "arguments": '{"at": 10}'}, 'calls book({"at": 10})'),
        ("tool", {"event": "answered", "name": "book", "output": "done"}, "book answered done"),
        (
            "tool",
            {"event": "failed", "name": "book", "status": "timed_out", "output": "late"},
            "book did not answer in time: late",
        ),
        ("tool", {"event": "failed", "name": "book", "status": "failed", "output": "no"}, "book failed: no"),
        ("link", {"state": "ready", "model": "gpt-x"}, "connected to gpt-x"),
        (
            "link",
            {"state": "lost", "reason": "reset", "hint": "wait", "retry_in_s": 1.25},
            "the link is lost: reset, next attempt in 1.2 s; wait",
        ),
        ("link", {"state": "refused", "reason": "wrong key", "retry_in_s": None}, "the link is refused: wrong key"),
        ("device", {"state": "lost", "reason": "unplugged", "hint": ""}, "sound is lost: unplugged"),
        ("device", {"state": "ready", "input": "mic", "output": "spk"}, "microphone mic, loudspeaker spk"),
        ("error", {"code": "no_answer", "message": "no answer\x1b"}, "error: no answer"),
        ("config", {"turn_detection": {}}, ""),
        ("gap", {"dropped": 3}, "3 events were lost on the way here"),
        ("away", {"message": "no daemon"}, "no daemon"),
        ("audio.level", {"dbfs": -30}, ""),
    ],
)
def test_an_event_is_told_in_a_sentence_or_not_at_all(topic, data, sentence):
    assert told(topic, **data) == sentence


@pytest.mark.parametrize("topic", [*TOPICS, "gap"])
def test_an_event_of_another_shape_is_shown_as_it_is_and_stops_nothing(topic):
    assert isinstance(told(topic, unheard_of=1), str)
    assert isinstance(narrated({"topic": topic, "data": None}, PLAIN), str)


def test_an_event_of_another_shape_is_shown_raw():
    assert told("tool", what="?") == "tool {'what': '?'}"


def test_a_sentence_begins_with_the_time_of_the_event():
    line = narrated({"topic": "error", "time": 0.0, "data": {"message": "no"}}, PLAIN)
    assert line.endswith(":00 error: no")
    assert line.index(" ") == 8
