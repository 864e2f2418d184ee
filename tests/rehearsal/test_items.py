from __future__ import annotations

import pytest

from voicebotd.rehearsal.items import PCM_BYTES_PER_MS, Conversation, Item, Part, item_from_wire
from voicebotd.rehearsal.wire import Refusal


def spoken(item_id: str, milliseconds: int) -> Item:
    part = Part(type="output_audio", text="Hello there", pcm=bytearray(milliseconds * PCM_BYTES_PER_MS))
    return Item(item_id=item_id, type="message", parts=[part])


def call(item_id: str, call_id: str) -> Item:
    return Item(item_id=item_id, type="function_call", name="f", call_id=call_id, text="{}")


def output(item_id: str, call_id: str) -> Item:
    return Item(item_id=item_id, type="function_call_output", call_id=call_id, text="1")


def ids(conversation: Conversation) -> list[str]:
    return [item.item_id for item in conversation]


@pytest.fixture
def conversation() -> Conversation:
    held = Conversation()
    held.add(spoken("a", 500))
    held.add(spoken("b", 500))
    return held


def test_items_are_added_at_the_end_at_the_root_or_after_another(conversation: Conversation) -> None:
    assert conversation.add(spoken("c", 1)) == "b"
    assert conversation.add(spoken("first", 1), after="root") is None
    assert conversation.add(spoken("between", 1), after="a") == "a"
    assert ids(conversation) == ["first", "a", "between", "b", "c"]


@pytest.mark.parametrize(
    ("item", "after", "code", "param"),
    [
        (spoken("a", 1), None, "invalid_value", "item.id"),
        (spoken("c", 1), "nobody", "item_not_found", "previous_item_id"),
        (output("c", "call_unknown"), None, "invalid_tool_call_id", None),
    ],
)
def test_an_item_that_does_not_belong_is_refused_and_nothing_changes(
    conversation: Conversation, item: Item, after: str | None, code: str, param: str | None
) -> None:
    with pytest.raises(Refusal) as refused:
        conversation.add(item, after=after)
    assert (refused.value.code, refused.value.param) == (code, param)
    assert ids(conversation) == ["a", "b"]


def test_an_output_belongs_to_its_call(conversation: Conversation) -> None:
    conversation.add(call("c", "call_1"))
    assert conversation.add(output("d", "call_1")) == "c"


def test_finding_and_deleting_need_an_item_that_is_there(conversation: Conversation) -> None:
    assert conversation.find("b").item_id == "b"
    conversation.delete("b")
    for act in (conversation.find, conversation.delete):
        with pytest.raises(Refusal) as refused:
            act("b")
        assert refused.value.code == "item_not_found"
    assert ids(conversation) == ["a"]


def test_truncating_keeps_the_beginning_and_drops_the_transcript(conversation: Conversation) -> None:
    conversation.truncate("a", 0, 120)
    item = conversation.find("a")
    assert len(item.parts[0].pcm) == 120 * PCM_BYTES_PER_MS
    assert item.parts[0].text is None
    assert item.truncated


def test_a_truncated_message_still_says_its_share_of_the_words() -> None:
    part = Part(type="output_audio", text="one two three four", pcm=bytearray(400 * PCM_BYTES_PER_MS))
    item = Item(item_id="a", type="message", parts=[part])
    conversation = Conversation()
    conversation.add(item)
    assert item.said == "one two three four"
    conversation.truncate("a", 0, 210)
    assert item.said == "one two three"
    conversation.truncate("a", 0, 100)
    assert item.said == "one two"


@pytest.mark.parametrize(
    ("item_id", "content_index", "audio_end_ms", "code", "message"),
    [
        ("nobody", 0, 100, "item_truncate_invalid_item_id", "nobody"),
        ("a", 0, 501, "invalid_value", "Audio content of 500ms is already shorter than 501ms"),
        ("a", 0, 0, None, "Only model output audio messages can be truncated"),
        ("a", 1, 100, None, "Only model output audio messages can be truncated"),
        ("silent", 0, 100, None, "Only model output audio messages can be truncated"),
        ("user", 0, 100, None, "Only model output audio messages can be truncated"),
        ("call", 0, 100, None, "Only model output audio messages can be truncated"),
    ],
)
def test_what_cannot_be_truncated_is_refused(
    conversation: Conversation, item_id: str, content_index: int, audio_end_ms: int, code: str | None, message: str
) -> None:
    conversation.add(spoken("silent", 0))
    heard = Part(type="input_audio", pcm=bytearray(500 * PCM_BYTES_PER_MS))
    conversation.add(Item(item_id="user", type="message", role="user", parts=[heard]))
    conversation.add(call("call", "call_1"))
    with pytest.raises(Refusal, match=message) as refused:
        conversation.truncate(item_id, content_index, audio_end_ms)
    assert refused.value.code == code
    assert not any(item.truncated for item in conversation)


def test_a_message_shows_its_audio_only_when_asked() -> None:
    item = Item(item_id="a", type="message", parts=[Part(type="output_audio", text="Hi", pcm=bytearray(b"\x00\x01"))])
    assert item.wire()["content"] == [{"type": "output_audio", "transcript": "Hi"}]
    assert item.wire(with_audio=True)["content"] == [{"type": "output_audio", "transcript": "Hi", "audio": "AAE="}]


@pytest.mark.parametrize(
    "given",
    [
        {"id": "a", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"id": "a", "type": "function_call", "name": "f", "call_id": "c", "arguments": "{}"},
        {"id": "a", "type": "function_call_output", "call_id": "c", "output": "1"},
    ],
)
def test_a_clients_item_comes_back_as_it_was_sent(given: dict[str, object]) -> None:
    wire = item_from_wire(given, item_id="ours", call_id="ours").wire()
    assert wire == {**given, "object": "realtime.item", "status": "completed"}


def test_an_item_without_ids_gets_ours() -> None:
    given = {"type": "function_call", "name": "f", "arguments": "{}", "status": "incomplete"}
    item = item_from_wire(given, item_id="item_1", call_id="call_1")
    assert (item.item_id, item.call_id, item.status) == ("item_1", "call_1", "incomplete")


def test_a_clients_audio_is_kept() -> None:
    content = [{"type": "input_audio", "audio": b"\x01\x02", "transcript": "Hi"}]
    item = item_from_wire({"type": "message", "role": "user", "content": content}, item_id="a", call_id="")
    assert (item.parts[0].pcm, item.parts[0].text) == (b"\x01\x02", "Hi")


def test_the_answer_to_a_question_for_approval_is_kept_as_it_came() -> None:
    given = {"type": "mcp_approval_response", "approval_request_id": "a", "approve": False, "reason": "no"}
    wire = item_from_wire(given, item_id="i", call_id="").wire()
    assert wire == {**given, "id": "i", "object": "realtime.item", "status": "completed"}


def test_a_call_that_the_service_made_itself_shows_where_and_what_came_of_it() -> None:
    wire = Item(item_id="m", type="mcp_call", name="search", text="{}", server="docs", output="found").wire()
    assert (wire["server_label"], wire["name"], wire["arguments"], wire["output"]) == ("docs", "search", "{}", "found")
