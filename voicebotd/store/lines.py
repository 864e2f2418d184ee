"""A record of the history as text: a JSON document on a line of its own, or Markdown for people.

Owns both formats. Pure. Times are UTC in both: an export is read elsewhere.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Literal

from voicebotd.conversation.records import AnyRecord, ConversationRecord, ToolCallRecord, TurnRecord

Format = Literal["jsonl", "markdown"]
_KINDS = {ConversationRecord: "conversation", TurnRecord: "turn", ToolCallRecord: "tool_call"}
_SPEAKERS = {"user": "visitor", "assistant": "assistant", "system": "system"}


def line_of(record: AnyRecord, form: Format) -> str:
    """Return the record with its line break; Markdown does not tell usage, so that is empty."""
    return json_line(record) if form == "jsonl" else markdown(record)


def json_line(record: AnyRecord) -> str:
    """`record` says what it is: conversation, turn, tool_call or usage; the rest are its fields."""
    kind = _KINDS.get(type(record), "usage")
    return json.dumps({"record": kind, **record.to_dict()}, ensure_ascii=False) + "\n"


def markdown(record: AnyRecord) -> str:
    match record:
        case ConversationRecord():
            what = " ".join(filter(None, (record.source, record.provider, record.model)))
            ended = f", ended {_moment(record.ended_at)}: {_plain(record.end_reason)}" if record.ended_at else ""
            return f"\n## {_moment(record.started_at)}\n\nConversation `{record.conversation_id}`: {what}{ended}\n\n"
        case TurnRecord():
            cut = f" *(interrupted; heard: {_plain(record.heard_text) or 'nothing'})*" if record.interrupted else ""
            return (
                f"- {_moment(record.started_at)} **{_SPEAKERS[record.role]}:** {_plain(record.generated_text)}{cut}\n"
            )
        case ToolCallRecord():
            call = f"{_plain(record.name)}({_plain(record.arguments)})"
            return f"- {_moment(record.started_at)} *called* {call}, {record.status}: {_plain(record.output)}\n"
        case _:
            return ""


def _moment(epoch_s: float | None) -> str:
    return "(no time)" if epoch_s is None else datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _plain(text: str) -> str:
    """On one line, and nothing in it is Markdown or HTML: what a visitor says is shown, never obeyed."""
    return re.sub(r"([\\`*_\[\]<>#|&~])", r"\\\1", " ".join(text.split()))
