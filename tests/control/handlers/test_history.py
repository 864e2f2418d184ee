"""What was said earlier, read back."""

from contextlib import asynccontextmanager

import pytest

from voicebotd.control.handlers.box import Repositories
from voicebotd.conversation.records import ConversationRecord, ToolCallRecord, TurnRecord, UsageRecord
from voicebotd.store.database import Database

pytestmark = pytest.mark.asyncio


@pytest.fixture
def open_historian(open_box, tmp_path):
    """A box with a history of `conversations` conversations of one turn each, c1 the oldest."""

    @asynccontextmanager
    async def opened(conversations: int = 0):
        database = Database(tmp_path / "history.db")
        await database.open()
        kept = Repositories.of(database)
        try:
            for number in range(1, conversations + 1):
                await remember(kept, number)
            async with open_box(history=kept) as box:
                yield box, database
        finally:
            await database.close()

    return opened


async def remember(kept: Repositories, number: int) -> None:
    record = ConversationRecord(
        conversation_id=f"c{number}",
        source="file",
        provider="openai",
        model="m",
        started_at=1000.0 + number,
        ended_at=2000.0 + number,
        end_reason="requested",
    )
    turn = TurnRecord(
        conversation_id=f"c{number}",
        item_id="i",
        number=1,
        role="assistant",
        generated_text="Good morning to you!",
        heard_text="Good morning",
        audio_ms=1500,
        heard_ms=800,
        interrupted=True,
        status="interrupted",
        started_at=1001.0,
        ended_at=1002.0,
    )
    await kept.conversations.create(record)
    await kept.turns.create(turn)


async def test_conversations_are_listed_newest_first_with_the_number_of_their_turns(open_historian):
    async with open_historian(3) as (box, _):
        listed = (await box.call("history.list"))["conversations"]
    assert [(one["conversation_id"], one["turns"]) for one in listed] == [("c3", 1), ("c2", 1), ("c1", 1)]
    assert listed[0] == {
        "conversation_id": "c3",
        "started_at": 1003.0,
        "ended_at": 2003.0,
        "source": "file",
        "provider": "openai",
        "model": "m",
        "end_reason": "requested",
        "turns": 1,
    }


async def test_the_list_goes_on_page_by_page(open_historian):
    async with open_historian(3) as (box, _):
        first = (await box.call("history.list", limit=2))["conversations"]
        rest = (await box.call("history.list", limit=2, before=first[-1]["conversation_id"]))["conversations"]
    assert [one["conversation_id"] for one in first + rest] == ["c3", "c2", "c1"]


async def test_an_unknown_place_to_go_on_from_is_not_found(open_historian, fakes):
    async with open_historian(1) as (box, _):
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("history.list", before="nowhere")
    assert (refused.value.code, refused.value.kind) == (1007, "history.not_found")
    assert "nowhere" in refused.value.message
    assert not refused.value.retryable


async def test_a_conversation_is_shown_with_what_was_said_and_what_was_heard(open_historian):
    async with open_historian(2) as (box, _):
        shown = await box.call("history.get", conversation_id="c1")
    assert shown["conversation"]["conversation_id"] == "c1"
    assert shown["conversation"]["turns"] == 1
    [turn] = shown["turns"]
    assert (turn["text"], turn["heard_text"], turn["interrupted"]) == ("Good morning to you!", "Good morning", True)
    assert (turn["audio_ms"], turn["heard_ms"], turn["role"], turn["status"]) == (1500, 800, "assistant", "interrupted")
    assert (turn["started_at"], turn["ended_at"]) == (1001.0, 1002.0)


async def test_a_conversation_is_shown_with_what_was_called_and_what_it_used(open_historian):
    async with open_historian(1) as (box, database):
        kept = Repositories.of(database)
        call = ToolCallRecord(
            conversation_id="c1",
            call_id="k",
            name="book",
            arguments='{"day": 1}',
            output="booked",
            status="completed",
            duration_ms=20,
            started_at=1001.5,
        )
        await kept.tool_calls.create(call)
        for source_id in ("r1", "r2"):
            used = UsageRecord(conversation_id="c1", source_id=source_id, input_audio=10, output_audio=3, usd=0.25)
            await kept.usage.create(used)
        shown = await box.call("history.get", conversation_id="c1")
    assert shown["tool_calls"] == [
        {
            "call_id": "k",
            "name": "book",
            "arguments": '{"day": 1}',
            "output": "booked",
            "status": "completed",
            "duration_ms": 20,
            "started_at": 1001.5,
        }
    ]
    assert (shown["usage"]["input_audio"], shown["usage"]["output_audio"], shown["usd"]) == (20, 6, 0.5)
    assert shown["recordings"] == []


async def test_a_conversation_is_shown_with_where_its_sound_is(open_historian, tmp_path):
    directory = tmp_path / "recordings"
    directory.mkdir()
    for name in ("20260102.c1.flac", "20260101.c1.flac", "20260101.c11.flac", "20260103.c1.flac.part"):
        (directory / name).touch()
    async with open_historian(1) as (box, _):
        shown = await box.call("history.get", conversation_id="c1")
    assert shown["recordings"] == [str(directory / "20260101.c1.flac"), str(directory / "20260102.c1.flac")]


async def test_what_was_said_is_found_latest_first_page_by_page(open_historian):
    async with open_historian(3) as (box, _):
        first = await box.call("history.search", query="morn* good", limit=2)
        rest = await box.call("history.search", query="morn* good", limit=2, before=first["next"])
    assert [hit["conversation_id"] for hit in first["hits"] + rest["hits"]] == ["c3", "c2", "c1"]
    assert rest["next"] is None
    assert first["hits"][0] == {
        "conversation_id": "c3",
        "item_id": "i",
        "number": 1,
        "role": "assistant",
        "started_at": 1001.0,
        "snippet": "Good morning to you!",
        "marks": [[0, 4], [5, 12]],
    }


async def test_what_nobody_said_is_not_found_which_is_no_error(open_historian):
    async with open_historian(1) as (box, _):
        assert await box.call("history.search", query="zebra") == {"hits": [], "next": None}


async def test_a_query_without_a_word_is_refused_with_what_can_be_asked(open_historian, fakes):
    async with open_historian(1) as (box, _):
        with pytest.raises(fakes.RefusedError, match="query has no letter and no digit") as refused:
            await box.call("history.search", query="?!")
    assert (refused.value.code, refused.value.kind) == (-32602, "rpc.invalid_params")
    assert "appoint*" in refused.value.hint


async def test_without_an_id_the_latest_is_shown(open_historian):
    async with open_historian(2) as (box, _):
        assert (await box.call("history.get"))["conversation"]["conversation_id"] == "c2"


async def test_an_unknown_conversation_is_not_found_and_the_list_is_pointed_to(open_historian, fakes):
    async with open_historian(1) as (box, _):
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("history.get", conversation_id="c9")
    assert (refused.value.code, refused.value.kind) == (1007, "history.not_found")
    assert "c9" in refused.value.message
    assert "history list" in refused.value.hint


async def test_an_empty_history_has_nothing_to_list_and_nothing_to_show(open_historian, fakes):
    async with open_historian() as (box, _):
        assert (await box.call("history.list")) == {"conversations": []}
        with pytest.raises(fakes.RefusedError, match="no conversation yet") as refused:
            await box.call("history.get")
    assert refused.value.kind == "history.not_found"


@pytest.mark.parametrize(
    ("method", "params"), [("history.list", {}), ("history.get", {}), ("history.search", {"query": "x"})]
)
async def test_where_no_history_is_kept_it_says_how_to_keep_one(open_box, fakes, method, params):
    async with open_box(history=None) as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call(method, **params)
    assert (refused.value.code, refused.value.kind) == (1010, "history.unavailable")
    assert "history.enabled" in refused.value.hint
    assert not refused.value.retryable


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("history.list", {}),
        ("history.list", {"before": "c1"}),
        ("history.get", {}),
        ("history.search", {"query": "x"}),
    ],
)
async def test_a_database_that_cannot_be_read_is_worth_another_attempt(open_historian, fakes, method, params):
    async with open_historian(1) as (box, database):
        await database.close()
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call(method, **params)
    assert (refused.value.code, refused.value.kind) == (1010, "history.unavailable")
    assert refused.value.retryable
