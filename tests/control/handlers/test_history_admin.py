"""What only the owner of the history may do: carry it away, and remove it for good."""

import json
import time
from contextlib import asynccontextmanager

import pytest

from voicebotd.control.contract import METHODS
from voicebotd.control.handlers import history_admin as module
from voicebotd.control.handlers.box import Repositories
from voicebotd.conversation.records import ConversationRecord, TurnRecord
from voicebotd.store.database import Database
from voicebotd.store.export import Export
from voicebotd.store.purge import Purge

pytestmark = pytest.mark.asyncio
DAY_S = 86_400


@pytest.fixture
def open_owner(open_box, tmp_path):
    """A box whose history has a conversation of each of these ages (in days), and the way into its database."""

    @asynccontextmanager
    async def opened(*ages: float, **options):
        database = Database(tmp_path / "history.db")
        await database.open()
        kept = Repositories.of(database)
        try:
            for age in ages:
                await remember(kept, f"c{age:g}", time.time() - age * DAY_S)
            async with open_box(
                **{"history": kept, "export": Export(database), "purge": Purge(database), **options}
            ) as box:
                yield box, kept
        finally:
            await database.close()

    return opened


async def remember(kept: Repositories, name: str, moment: float) -> None:
    await kept.conversations.create(ConversationRecord(conversation_id=name, started_at=moment, ended_at=moment))
    turn = TurnRecord(conversation_id=name, item_id="i", number=1, role="user", started_at=moment, ended_at=moment)
    await kept.turns.create(turn)


async def left(kept: Repositories) -> list[str]:
    return [one.conversation_id for one in await kept.conversations.get_all()]


async def test_what_is_older_than_so_many_days_is_removed(open_owner):
    async with open_owner(40, 20, 1) as (box, kept):
        purged = await box.call("history.purge", older_than_days=30)
        assert purged == {"conversations": 1, "turns": 1, "tool_calls": 0, "recordings": 0, "copies": [], "traces": ""}
        assert await left(kept) == ["c1", "c20"]
        await box.call("history.purge", older_than_days=0.5)
        assert await left(kept) == []


async def test_what_was_kept_is_removed_where_nothing_is_kept_any_more(open_owner):
    async with open_owner(40, history=None) as (box, kept):
        assert (await box.call("history.purge", older_than_days=0))["turns"] == 1
        assert await left(kept) == []


async def test_a_database_that_cannot_be_used_is_worth_another_attempt(open_owner, fakes):
    async with open_owner() as (box, kept):
        await kept.turns._database.close()
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("history.purge", older_than_days=1)
    assert (refused.value.code, refused.value.kind, refused.value.retryable) == (1010, "history.unavailable", True)


@pytest.mark.parametrize("method", ["history.export", "history.purge"])
async def test_only_the_owner_may(method):
    assert METHODS[method].scope == "admin"


async def exported(box, **params):
    """Every piece of an export."""
    pieces = [await box.call("history.export", **params)]
    while pieces[-1]["next"] is not None:
        pieces.append(await box.call("history.export", after=pieces[-1]["next"], **params))
    return [piece["text"] for piece in pieces]


async def test_an_export_has_every_record_once_however_many_pieces_it_takes(open_owner, monkeypatch):
    async with open_owner(*range(1, 150)) as (box, _):
        [*pieces] = await exported(box)
        lines = [json.loads(line) for line in "".join(pieces).splitlines()]
        assert len(pieces) == 2
        assert [line["record"] for line in lines] == ["conversation", "turn"] * 149
        assert [line["conversation_id"] for line in lines[::2]] == [f"c{age}" for age in range(1, 150)]
        monkeypatch.setattr(module, "PIECE_CHARACTERS", 1)
        assert "".join(await exported(box)) == "".join(pieces)
        monkeypatch.setattr(module, "PAGE_RECORDS", 7)
        assert "".join(await exported(box)) == "".join(pieces)


async def test_one_conversation_is_exported_for_people(open_owner):
    async with open_owner(1, 2) as (box, _):
        [text] = await exported(box, conversation_id="c2", format="markdown")
    assert "Conversation `c2`" in text
    assert "**visitor:**" in text
    assert "c1" not in text


async def test_an_empty_history_is_an_empty_export(open_owner):
    async with open_owner() as (box, _):
        assert await exported(box) == [""]


@pytest.mark.parametrize(
    ("params", "kind", "words"),
    [
        ({"conversation_id": "c9"}, "history.not_found", "no conversation c9"),
        ({"after": "here"}, "rpc.invalid_params", "after 'here' is no place"),
    ],
)
async def test_what_cannot_be_exported_is_told(open_owner, fakes, params, kind, words):
    async with open_owner(1) as (box, _):
        with pytest.raises(fakes.RefusedError, match=words) as refused:
            await box.call("history.export", **params)
    assert refused.value.kind == kind
