"""What a session says and hears in its server's dialect."""

from __future__ import annotations

from voicebotd.conversation.effects import (
    DeleteItem,
    UpdateSession,
)
from voicebotd.conversation.events import ItemDeleted
from voicebotd.realtime.dialects import DIALECTS
from voicebotd.realtime.encode import append_audio
from voicebotd.realtime.session import SessionConfig, full_update
from voicebotd.realtime.wire import Wire

CONFIG = SessionConfig(model="m", instructions="Be kind")


def test_openai_is_spoken_to_in_the_ga_shape() -> None:
    wire = Wire(DIALECTS["openai"])
    assert wire.opening(CONFIG) == full_update(CONFIG)
    assert wire.append_audio(b"\1\0") == append_audio(b"\1\0")
    assert wire.encode(UpdateSession(event_id="e", instructions="Be brief")) == {
        "type": "session.update",
        "event_id": "e",
        "session": {"type": "realtime", "instructions": "Be brief"},
    }
    deleted = wire.encode(DeleteItem(event_id="e", item_id="item_1"))
    assert deleted == {"type": "conversation.item.delete", "event_id": "e", "item_id": "item_1"}


def test_what_a_server_says_is_decoded() -> None:
    message = {"type": "conversation.item.deleted", "item_id": "item_1"}
    assert Wire(DIALECTS["openai"]).decode(message) == (ItemDeleted(item_id="item_1"),)
