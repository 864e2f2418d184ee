"""What is exported reads the same in every program, and nothing that was said turns into markup."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebotd.conversation.records import AnyRecord, ConversationRecord, ToolCallRecord, TurnRecord, UsageRecord
from voicebotd.store.lines import line_of

CONVERSATION = ConversationRecord(
    conversation_id="c1", provider="openai", model="m", started_at=0.0, ended_at=60.0, end_reason="eof", source="file"
)
TURN = TurnRecord(
    conversation_id="c1",
    item_id="i",
    number=1,
    role="user",
    generated_text="Grüß Gott",
    heard_text="Grüß",
    started_at=1.0,
)
CALL = ToolCallRecord(
    conversation_id="c1", call_id="k", name="book", arguments='{"day": 1}', output="done", status="completed"
)
USAGE = UsageRecord(conversation_id="c1", source_id="r", usd=0.5)


@pytest.mark.parametrize(
    ("record", "kind"), [(CONVERSATION, "conversation"), (TURN, "turn"), (CALL, "tool_call"), (USAGE, "usage")]
)
def test_a_json_line_says_what_it_is_and_has_every_field(record: AnyRecord, kind: str) -> None:
    line = line_of(record, "jsonl")
    assert json.loads(line) == {"record": kind, **record.to_dict()}
    assert line.endswith("}\n")


@given(st.text())
def test_whatever_was_said_a_record_is_one_json_line(text: str) -> None:
    line = line_of(TurnRecord(conversation_id="c", item_id="i", number=1, role="user", generated_text=text), "jsonl")
    assert line.count("\n") == 1
    assert json.loads(line)["generated_text"] == text


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (
            CONVERSATION,
            "\n## 1970-01-01 00:00:00 UTC\n\nConversation `c1`: file openai m, ended 1970-01-01 00:01:00 UTC: eof\n\n",
        ),
        (ConversationRecord(conversation_id="c1"), "\n## (no time)\n\nConversation `c1`: microphone\n\n"),
        (TURN, "- 1970-01-01 00:00:01 UTC **visitor:** Grüß Gott\n"),
        (
            TurnRecord(
                conversation_id="c", item_id="i", number=1, role="assistant", generated_text="a b", heard_text="a",
                interrupted=True,
            ),
            "- (no time) **assistant:** a b *(interrupted; heard: a)*\n",
        ),
        (
            TurnRecord(conversation_id="c", item_id="i", number=1, role="system", interrupted=True),
            "- (no time) **system:**  *(interrupted; heard: nothing)*\n",
        ),
        (CALL, '- (no time) *called* book({"day": 1}), completed: done\n'),
        (USAGE, ""),
    ],
)  # fmt: skip
def test_markdown_is_for_people(record: AnyRecord, text: str) -> None:
    assert line_of(record, "markdown") == text


def test_nothing_that_was_said_is_markup() -> None:
    said = TurnRecord(
        conversation_id="c", item_id="i", number=1, role="user", generated_text="# <b>*x*</b>\n\n- [a](b) `c` ~d~ \\"
    )
    assert line_of(said, "markdown") == (
        r"- (no time) **visitor:** \# \<b\>\*x\*\</b\> - \[a\](b) \`c\` \~d\~ " + "\\\\\n"
    )
