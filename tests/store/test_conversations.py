"""Conversations, turns and calls: created, read, updated, deleted, saved again with more known, listed newest first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from voicebotd.conversation.records import ConversationRecord, ToolCallRecord, TurnRecord
from voicebotd.store.base import BaseRepository
from voicebotd.store.conversations import SNIPPET_WORDS, ConversationRepository, ToolCallRepository, TurnRepository
from voicebotd.store.database import Database
from voicebotd.store.faults import StoreError
from voicebotd.store.search import QueryError

HELLO = ConversationRecord(
    conversation_id="c1", source="file", provider="openai", model="m", started_at=1.5, ended_at=9.5, end_reason="eof"
)
ANSWER = TurnRecord(
    conversation_id="c1",
    item_id="i2",
    number=2,
    role="assistant",
    generated_text="Good morning, how may I help?",
    heard_text="Good morning",
    audio_ms=2400,
    heard_ms=900,
    interrupted=True,
    status="interrupted",
    response_id="r1",
    started_at=2.0,
    ended_at=3.0,
)
QUESTION = TurnRecord(conversation_id="c1", item_id="i1", number=1, role="user", heard_text="Grüß Gott 👋")

BOOKING = ToolCallRecord(
    conversation_id="c1",
    call_id="k1",
    name="schedule_appointment",
    arguments='{"service": "basic"}',
    output='{"booked": true}',
    status="completed",
    response_id="r1",
    duration_ms=120,
    started_at=2.5,
    ended_at=2.75,
)


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "history.db")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def conversations(database: Database) -> ConversationRepository:
    return ConversationRepository(database)


@pytest.fixture
def turns(database: Database) -> TurnRepository:
    return TurnRepository(database)


@pytest.fixture
def calls(database: Database) -> ToolCallRepository:
    return ToolCallRepository(database)


@pytest.mark.asyncio
async def test_a_record_comes_back_equal_in_every_field(
    conversations: ConversationRepository, turns: TurnRepository
) -> None:
    assert await conversations.create(HELLO) == HELLO
    await turns.create(ANSWER)
    assert await conversations.get_by_id("c1") == HELLO
    assert await turns.get_by_id("c1", "i2") == ANSWER
    assert (await turns.get_all())[0].interrupted is True


@pytest.mark.asyncio
async def test_what_is_not_there_is_none_and_deleting_it_says_so(conversations: ConversationRepository) -> None:
    assert await conversations.get_by_id("nobody") is None
    assert await conversations.get_whole("nobody") is None
    assert await conversations.delete("nobody") is False


@pytest.mark.asyncio
async def test_creating_twice_is_a_conflict_and_changes_nothing(conversations: ConversationRepository) -> None:
    await conversations.create(HELLO)
    with pytest.raises(StoreError) as raised:
        await conversations.create(replace(HELLO, model="other"))
    assert raised.value.fault == "conflict"
    assert await conversations.get_all() == [HELLO]


@pytest.mark.asyncio
async def test_update_overwrites_and_refuses_what_is_not_there(conversations: ConversationRepository) -> None:
    with pytest.raises(StoreError, match="c1") as raised:
        await conversations.update(HELLO)
    assert raised.value.fault == "not_found"
    await conversations.create(HELLO)
    changed = replace(HELLO, model="other", ended_at=None)
    assert await conversations.update(changed) == changed
    assert await conversations.get_by_id("c1") == changed


@pytest.mark.asyncio
async def test_save_writes_again_under_the_same_ids_and_keeps_the_known_times(turns: TurnRepository) -> None:
    await ConversationRepository(turns._database).create(HELLO)
    await turns.save(replace(ANSWER, ended_at=None, status="in_progress"))
    await turns.save(replace(ANSWER, started_at=7.0, ended_at=8.0))
    await turns.save(replace(ANSWER, started_at=None, ended_at=None, heard_text="Good"))
    assert await turns.get_all() == [replace(ANSWER, started_at=2.0, ended_at=8.0, heard_text="Good")]


@pytest.mark.asyncio
async def test_saving_a_conversation_again_keeps_its_turns_and_its_place(
    conversations: ConversationRepository, turns: TurnRepository
) -> None:
    await conversations.save(replace(HELLO, ended_at=None, end_reason=""))
    await turns.save(QUESTION)
    await conversations.save(ConversationRecord(conversation_id="c2"))
    await conversations.save(HELLO)
    stored = await conversations.get_whole("c1")
    assert stored is not None
    assert (stored.conversation, stored.turns) == (HELLO, (QUESTION,))
    assert [record.conversation_id for record in await conversations.page()] == ["c2", "c1"]


@pytest.mark.asyncio
async def test_a_conversation_comes_with_its_own_turns_and_calls_in_order_ready_for_json(
    conversations: ConversationRepository, turns: TurnRepository, calls: ToolCallRepository
) -> None:
    for name in ("c1", "c2"):
        await conversations.create(replace(HELLO, conversation_id=name))
    await turns.create(ANSWER)
    await turns.create(QUESTION)
    await turns.create(replace(QUESTION, conversation_id="c2"))
    await calls.create(replace(BOOKING, call_id="k2"))
    await calls.create(BOOKING)
    await calls.create(replace(BOOKING, conversation_id="c2"))
    stored = await conversations.get_whole("c1")
    assert stored is not None
    document = stored.to_dict()
    assert document["conversation_id"] == "c1"
    assert [turn["item_id"] for turn in document["turns"]] == ["i1", "i2"]
    assert [call["call_id"] for call in document["tool_calls"]] == ["k2", "k1"]


@pytest.mark.asyncio
async def test_of_a_conversation_that_lasted_for_months_the_last_turns_come_and_then_those_before(
    conversations: ConversationRepository, turns: TurnRepository
) -> None:
    await conversations.create(HELLO)
    await said(turns, "one", "two", "three", "four", "five")
    latest = await conversations.get_whole("c1", limit=2)
    before = await conversations.get_whole("c1", limit=2, before=4)
    assert latest is not None
    assert before is not None
    assert [[turn.number for turn in stored.turns] for stored in (latest, before)] == [[4, 5], [2, 3]]


@pytest.mark.asyncio
async def test_a_call_comes_back_equal_and_its_outcome_is_saved_over_its_beginning(
    conversations: ConversationRepository, calls: ToolCallRepository
) -> None:
    await conversations.create(HELLO)
    await calls.save(replace(BOOKING, output="", status="running", duration_ms=0, ended_at=None))
    await calls.save(replace(BOOKING, started_at=None))
    assert await calls.get_by_id("c1", "k1") == BOOKING
    assert await calls.get_all() == [BOOKING]


@pytest.mark.asyncio
async def test_turns_are_counted_for_the_conversations_asked_for_and_no_others(
    conversations: ConversationRepository, turns: TurnRepository
) -> None:
    for name in ("c1", "c2", "c3"):
        await conversations.create(replace(HELLO, conversation_id=name))
    await turns.create(QUESTION)
    await turns.create(ANSWER)
    await turns.create(replace(QUESTION, conversation_id="c2"))
    assert await turns.count(["c1", "c3"]) == {"c1": 2}
    assert await turns.count([]) == {}


@pytest.mark.asyncio
async def test_pages_go_from_the_newest_to_the_oldest_even_when_the_clock_went_backwards(
    conversations: ConversationRepository,
) -> None:
    for number in range(5):
        await conversations.create(ConversationRecord(conversation_id=f"c{number}", started_at=100.0 - number))
    first = await conversations.page(limit=2)
    second = await conversations.page(limit=2, before=first[-1].conversation_id)
    third = await conversations.page(limit=2, before=second[-1].conversation_id)
    assert [[record.conversation_id for record in page] for page in (first, second, third)] == [
        ["c4", "c3"],
        ["c2", "c1"],
        ["c0"],
    ]


@pytest.mark.asyncio
async def test_a_page_before_a_conversation_that_is_not_there_is_refused(
    conversations: ConversationRepository,
) -> None:
    with pytest.raises(StoreError) as raised:
        await conversations.page(before="nobody")
    assert raised.value.fault == "not_found"


@pytest.mark.asyncio
async def test_deleting_a_conversation_deletes_its_turns_and_its_calls(
    conversations: ConversationRepository, turns: TurnRepository, calls: ToolCallRepository
) -> None:
    await conversations.create(HELLO)
    await turns.create(QUESTION)
    await calls.create(BOOKING)
    assert await conversations.delete("c1") is True
    assert await turns.get_all() == []
    assert await calls.get_all() == []


@pytest.mark.asyncio
async def test_a_turn_of_a_conversation_that_is_not_there_is_a_conflict(turns: TurnRepository) -> None:
    with pytest.raises(StoreError) as raised:
        await turns.create(QUESTION)
    assert raised.value.fault == "conflict"


@pytest.mark.asyncio
async def test_half_a_surrogate_pair_costs_one_character_not_the_sentence(
    conversations: ConversationRepository, turns: TurnRepository
) -> None:
    await conversations.create(HELLO)
    await turns.create(replace(QUESTION, generated_text="fine \ud800 thanks"))
    stored = await turns.get_by_id("c1", "i1")
    assert stored is not None
    assert stored.generated_text == "fine ? thanks"


@pytest.mark.asyncio
async def test_a_key_of_the_wrong_length_is_our_bug(turns: TurnRepository) -> None:
    with pytest.raises(TypeError, match="not by 1 parts"):
        await turns.get_by_id("c1")


async def said(turns: TurnRepository, *texts: str, conversation_id: str = "c1") -> None:
    for number, text in enumerate(texts, 1):
        turn = replace(QUESTION, conversation_id=conversation_id, item_id=f"i{number}", number=number)
        await turns.save(replace(turn, generated_text=text))


async def found(turns: TurnRepository, query: str) -> list[str]:
    return [hit.turn.generated_text for hit in await turns.search(query)]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("cafe", ["CAFÉ, please"]),
        ("Gruß", ["Grüß Gott"]),
        ("grüss", []),
        ("gott", ["Grüß Gott"]),
        ("appoint*", ["an appointment on Friday", "no appointments"]),
        ("appointment", ["an appointment on Friday"]),
        ("friday appointment", ["an appointment on Friday"]),
        ('"appointment on"', ["an appointment on Friday"]),
        ('"on appointment"', []),
        ("generated_text:friday OR 1", []),
    ],
)
async def test_a_turn_is_found_by_its_words_whatever_their_accents_and_case(
    conversations: ConversationRepository, turns: TurnRepository, query: str, texts: list[str]
) -> None:
    await conversations.create(HELLO)
    await said(turns, "no appointments", "an appointment on Friday", "Grüß Gott", "CAFÉ, please")
    assert await found(turns, query) == texts


@pytest.mark.asyncio
async def test_what_is_found_comes_latest_first_in_pages_and_shows_where_the_words_are(
    conversations: ConversationRepository, turns: TurnRepository
) -> None:
    for name in ("c1", "c2"):
        await conversations.create(replace(HELLO, conversation_id=name))
        await said(turns, "a table for two", "a table", "a chair", conversation_id=name)
    first = await turns.search("table", limit=3)
    rest = await turns.search("table", limit=3, before=first[-1].place)
    assert [(hit.turn.conversation_id, hit.turn.number) for hit in (*first, *rest)] == [
        ("c2", 2), ("c2", 1), ("c1", 2), ("c1", 1)
    ]  # fmt: skip
    assert (first[1].snippet.text, first[1].snippet.marks) == ("a table for two", ((2, 7),))


@pytest.mark.asyncio
async def test_of_a_long_turn_the_piece_around_the_words_is_shown(
    conversations: ConversationRepository, turns: TurnRepository
) -> None:
    await conversations.create(HELLO)
    await said(turns, "blah " * 100 + "needle" + " blah" * 100)
    [hit] = await turns.search("needle")
    [(begin, end)] = hit.snippet.marks
    assert hit.snippet.text[begin:end] == "needle"
    assert len(hit.snippet.text.split()) <= SNIPPET_WORDS
    assert hit.snippet.text.startswith("…")
    assert hit.snippet.text.endswith("…")


@pytest.mark.asyncio
async def test_a_turn_that_grows_is_found_by_all_of_its_words_once(
    conversations: ConversationRepository, turns: TurnRepository
) -> None:
    await conversations.create(HELLO)
    for text in ("", "I hear", "I hear", "I hear you"):
        await said(turns, text)
    assert await found(turns, "hear") == ["I hear you"]
    assert await found(turns, "you") == ["I hear you"]
    await said(turns, "nothing")
    assert await found(turns, "hear") == []


@pytest.mark.asyncio
async def test_deleting_a_conversation_takes_its_words_out_of_the_index(
    conversations: ConversationRepository, turns: TurnRepository, database: Database
) -> None:
    await conversations.create(HELLO)
    await said(turns, "secret")
    await conversations.delete("c1")
    assert await found(turns, "secret") == []
    async with database.transaction() as transaction:  # the index agrees with the turns, or this raises
        await transaction.execute_fetchall("INSERT INTO turn_words (turn_words, rank) VALUES ('integrity-check', 1)")


@pytest.mark.asyncio
async def test_what_cannot_be_looked_for_is_refused(turns: TurnRepository) -> None:
    with pytest.raises(QueryError):
        await turns.search("?!")


@pytest.mark.parametrize("repository", [ConversationRepository, TurnRepository, ToolCallRepository])
def test_every_repository_fulfils_the_interface(repository: type) -> None:
    assert issubclass(repository, BaseRepository)
