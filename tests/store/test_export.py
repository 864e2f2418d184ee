"""The whole history comes in pages of any size, every record once, in order, whatever happens in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from voicebotd.conversation.records import AnyRecord, ConversationRecord, ToolCallRecord, TurnRecord, UsageRecord
from voicebotd.store.conversations import ConversationRepository, ToolCallRepository, TurnRepository
from voicebotd.store.database import Database
from voicebotd.store.export import Export, Place, PlaceError
from voicebotd.store.usage import UsageRepository


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "history.db")
    await database.open()
    yield database
    await database.close()


async def fill(database: Database) -> list[AnyRecord]:
    """Four conversations, two with calls and usage, one with nothing at all; return what was stored, in order."""
    stored: list[AnyRecord] = []
    for name, turns, more in (("a", 3, 0), ("empty", 0, 0), ("b", 2, 2), ("c", 1, 1)):
        conversation = ConversationRecord(conversation_id=name)
        stored.append(await ConversationRepository(database).create(conversation))
        for number in range(1, turns + 1):
            turn = TurnRecord(conversation_id=name, item_id=f"i{number}", number=number, role="user")
            stored.append(await TurnRepository(database).create(turn))
        for number in range(more):
            call = ToolCallRecord(conversation_id=name, call_id=f"k{number}", name="book", arguments="{}")
            stored.append(await ToolCallRepository(database).create(call))
        for number in range(more):
            used = UsageRecord(conversation_id=name, source_id=f"r{number}")
            stored.append(await UsageRepository(database).create(used))
    return stored


async def pages(export: Export, limit: int, conversation_id: str | None = None) -> list[AnyRecord]:
    found: list[AnyRecord] = []
    place = Place()
    while True:
        page = await export.page(place, limit=limit, conversation_id=conversation_id)
        assert len(page) <= limit
        found += [record for _, record in page]
        if len(page) < limit:
            return found
        place = Place.parse(str(page[-1][0]))


@pytest.mark.asyncio
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 100])
async def test_every_record_comes_once_and_in_order_whatever_the_size_of_a_page(database: Database, limit: int) -> None:
    stored = await fill(database)
    assert await pages(Export(database), limit) == stored


@pytest.mark.asyncio
@pytest.mark.parametrize("limit", [1, 4, 100])
async def test_one_conversation_comes_alone(database: Database, limit: int) -> None:
    stored = await fill(database)
    assert await pages(Export(database), limit, "b") == [one for one in stored if one.conversation_id == "b"]
    assert await pages(Export(database), limit, "nobody") == []


@pytest.mark.asyncio
async def test_it_goes_on_behind_a_conversation_that_was_removed_meanwhile(database: Database) -> None:
    await fill(database)
    export = Export(database)
    page = await export.page(Place(), limit=2)
    await ConversationRepository(database).delete("a")
    rest = await export.page(page[-1][0], limit=100)
    assert rest[0][1] == ConversationRecord(conversation_id="empty")


@pytest.mark.asyncio
async def test_what_is_said_meanwhile_comes_too(database: Database) -> None:
    await fill(database)
    export = Export(database)
    last, _ = (await export.page(Place(), limit=100))[-1]
    used = UsageRecord(conversation_id="c", source_id="late")
    await UsageRepository(database).create(used)
    assert [record for _, record in await export.page(last, limit=100)] == [used]


@pytest.mark.parametrize("text", ["", "1", "1.2", "1.2.3.4", "a.b.c", "-1.0.0", "1.10.0", "1.0.²", "9" * 19 + ".0.0"])
def test_what_is_no_place_is_told(text: str) -> None:
    with pytest.raises(PlaceError, match="no place"):
        Place.parse(text)
