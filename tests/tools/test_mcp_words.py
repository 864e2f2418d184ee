"""What is said of a server and of its answers."""

from __future__ import annotations

import pytest
from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from voicebotd.tools import mcp_words as words


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (TextContent(type="text", text="sun"), "sun"),
        (
            ImageContent(type="image", data="", mime_type="image/png"),
            "[It also returned image/png, which cannot be spoken.]",
        ),
        (
            AudioContent(type="audio", data="", mime_type="audio/wav"),
            "[It also returned audio/wav, which cannot be spoken.]",
        ),
        (
            ResourceLink(type="resource_link", name="map", uri="file:///map"),
            "[It also returned a link: map, file:///map]",
        ),
        (
            EmbeddedResource(type="resource", resource=TextResourceContents(uri="file:///a", text="words")),
            "words",
        ),
        (
            EmbeddedResource(type="resource", resource=BlobResourceContents(uri="file:///b", blob="")),
            "[It also returned a file, file:///b, which cannot be spoken.]",
        ),
    ],
)
def test_every_kind_of_content_becomes_text(content, text):
    assert words.told(CallToolResult(content=[content])) == text


def test_what_has_no_text_is_told_by_its_structure():
    assert words.told(CallToolResult(content=[], structured_content={"sun": 3})) == '{"sun":3}'
    both = CallToolResult(content=[TextContent(type="text", text="three")], structured_content={"sun": 3})
    assert words.told(both) == "three"
    assert words.told(CallToolResult(content=[])) == "done"


def test_parts_are_told_in_their_order():
    parts = [TextContent(type="text", text=text) for text in ("one", "", "two")]
    assert words.told(CallToolResult(content=parts)) == "one\ntwo"


def test_what_came_to_nothing_says_whether_something_was_done():
    assert "nothing was done" in words.away("town", "it died")
    assert "whether it had its effect is not known" in words.died("town", "pay")
    assert words.refused("town", -3, "no") == "The server town refused the call: no (-3)."
    assert "does not fit" in words.unfit("town", "pay")


def test_a_server_that_dies_again_and_again_is_left_alone_for_longer_up_to_a_minute():
    assert [words.pause_s(deaths, 1.0) for deaths in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert words.pause_s(1000, 1.0) == 60.0
    assert words.pause_s(1000, 0.0) == 30.0


def test_the_innermost_of_a_group_is_the_reason():
    group = ExceptionGroup("tasks", [ExceptionGroup("inner", [OSError("no\nway")])])
    assert words.reason(group) == "no way"
    assert words.reason(TimeoutError()) == "TimeoutError"


def test_the_end_of_a_process_is_told_with_its_last_word():
    assert words.ended(None, "") == "closed its output"
    assert words.ended(3, "bad key") == "ended with exit code 3: bad key"
    assert words.ended(-9, "") == "was killed by signal 9"
