from __future__ import annotations

from voicebotd.rehearsal.wire import Outbox, Refusal


def test_events_leave_once_and_in_order_and_every_id_is_new() -> None:
    outbox = Outbox("sess_abc")
    outbox.emit("one", x=1)
    outbox.emit("two")
    first, second = outbox.drain()
    assert (first["type"], first["x"], second["type"]) == ("one", 1, "two")
    assert first["event_id"] != second["event_id"]
    assert outbox.drain() == []


def test_an_id_carries_its_session_and_is_short_enough_to_be_sent_back() -> None:
    item_id = Outbox("sess_0123456789ab").new_id("item")
    assert item_id.startswith("item_0123456789ab")
    assert len(item_id) <= 32


def test_a_refusal_becomes_the_services_error_and_names_the_clients_event() -> None:
    outbox = Outbox("sess_abc")
    outbox.refuse(Refusal("invalid_value", "no", param="a.b"), "mine")
    (event,) = outbox.drain()
    assert event["type"] == "error"
    assert event["error"] == {
        "type": "invalid_request_error",
        "code": "invalid_value",
        "message": "no",
        "param": "a.b",
        "event_id": "mine",
    }
