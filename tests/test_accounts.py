"""What the box spends in a day, over all its conversations, and when the day turns."""

import asyncio
import os
import time

import pytest

from voicebotd.accounts import Accounts
from voicebotd.conversation.budget import Limits, NoTariff
from voicebotd.conversation.commands import SetBudget
from voicebotd.conversation.events import DayBegan, SpentElsewhere
from voicebotd.conversation.records import ConversationRecord, UsageRecord
from voicebotd.errors import StorageError

pytestmark = pytest.mark.asyncio
DAY_S = 86_400.0


def moment(year, month, day, hour=0, minute=0, second=0):
    """A local time in Unix seconds."""
    return time.mktime((year, month, day, hour, minute, second, 0, 0, -1))


@pytest.fixture(autouse=True)
def berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Store:
    """Says what it is told to say; None: it cannot be read. `at`: the moment of each payment."""

    def __init__(self, *paid):
        self.paid = list(paid)
        self.broken = False
        self.asked = []

    async def spent(self, since, until, *, rehearsed):
        self.asked.append((since, until, rehearsed))
        if self.broken:
            raise StorageError("disk full", hint="free some space")
        return sum(nano for at, nano in self.paid if since <= at < until)


class Clock:
    def __init__(self, *when):
        self.now_s = moment(*when)

    def __call__(self):
        return self.now_s


class Seat(list):
    """The events that a conversation is told."""

    def __hash__(self):
        return id(self)

    def __call__(self, event):
        self.append(event)

    @property
    def today(self):
        """What it takes today's spending to be."""
        spent = 0
        for event in self:
            match event:
                case DayBegan(spent_nano_usd=nano):
                    spent = nano
                case SpentElsewhere(nano_usd=nano):
                    spent += nano
        return spent


def accounts(store, clock, **more):
    return Accounts(store, Limits(), NoTariff(), wall_clock_s=clock, **more)


def used(usd):
    return UsageRecord(conversation_id="c", source_id="r", usd=usd)


async def test_what_was_spent_of_the_day_before_this_life_counts():
    clock = Clock(2026, 11, 29, 15, 0)
    midnight = moment(2026, 11, 29)
    store = Store((midnight - 1, 7), (midnight, 20), (clock.now_s - 1, 300), (clock.now_s, 4000))
    books, seat = accounts(store, clock), Seat()
    with books.seat(seat):
        await books.open()
    assert store.asked == [(midnight, clock.now_s, False)]
    assert seat.today == 320, "yesterday's is over, and what comes from now on is counted as it comes"
    assert seat[0].until == "2026-11-30 00:00 CET"


async def test_each_conversation_is_told_what_the_others_spend_and_not_its_own():
    books, box, file = accounts(Store(), Clock(2026, 11, 29, 15, 0)), Seat(), Seat()
    with books.seat(box) as box_spent:
        box_spent(used(0.001))
        with books.seat(file) as file_spent:
            assert file.today == 1_000_000, "who comes later is told what was spent before"
            file_spent(used(0.002))
            file_spent(ConversationRecord(conversation_id="f"))
            box_spent(used(0.004))
        box_spent(used(0.008))
    assert [event.nano_usd for event in box if isinstance(event, SpentElsewhere)] == [2_000_000]
    assert [event.nano_usd for event in file if isinstance(event, SpentElsewhere)] == [4_000_000]


async def test_a_new_day_begins_with_nothing_and_is_told_to_everybody():
    clock, began = Clock(2026, 11, 29, 23, 59, 50), []

    async def on_day():
        began.append(seat.today)

    books, seat = accounts(Store(), clock, on_day=on_day), Seat()
    with books.seat(seat) as spent:
        await books.open()
        await books.look()
        assert began == []
        clock.now_s += 10
        spent(used(1.0))
        await books.look()
        await books.look()
        assert (seat[-2].until, seat.today, began) == ("2026-12-01 00:00 CET", 0, [0])
        late = Seat()
        with books.seat(late):
            assert late.today == 0, "what was spent yesterday is not of today"


async def test_a_clock_that_is_set_makes_it_another_day_of_which_the_store_knows():
    clock = Clock(1970, 1, 1, 0, 5)
    store = Store((moment(2026, 11, 29, 9, 0), 500))
    books, seat = accounts(store, clock), Seat()
    with books.seat(seat):
        await books.open()
        assert seat.today == 0
        clock.now_s = moment(2026, 11, 29, 10, 0)
        await books.look()
        assert seat.today == 500
        clock.now_s = moment(2026, 11, 28, 10, 0)
        await books.look()
        assert seat.today == 0, "yesterday again, of which the store knows nothing"


@pytest.mark.parametrize(
    ("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 11, 29), 24)], ids=["spring", "autumn", "any"]
)
async def test_a_day_is_a_calendar_day_however_many_hours_it_has(day, hours):
    clock, store = Clock(*day, 0, 0), Store()
    books, seat = accounts(store, clock), Seat()
    with books.seat(seat):
        await books.open()
        clock.now_s += hours * 3600 - 1
        await books.look()
        assert len([event for event in seat if isinstance(event, DayBegan)]) == 2, "the seat's own, and the opening"
        clock.now_s += 1
        await books.look()
        assert len([event for event in seat if isinstance(event, DayBegan)]) == 3


async def test_a_store_that_cannot_be_read_is_asked_again_and_nothing_is_counted_twice(log):
    clock = Clock(2026, 11, 29, 15, 0)
    store = Store((clock.now_s - 60, 500))
    store.broken = True
    books, seat = accounts(store, clock), Seat()
    with books.seat(seat) as spent:
        await books.open()
        assert "what was spent today is not known yet" in log.getvalue()
        spent(used(0.001))
        store.paid.append((clock.now_s + 1, 1_000_000))
        clock.now_s += 30
        store.broken = False
        await books.look()
        await books.look()
    assert seat.today == 500, "its own it counts itself"
    assert len(store.asked) == 2


async def test_an_answer_about_a_day_that_is_over_is_of_no_use():
    clock, seat = Clock(2026, 11, 29, 15, 0), Seat()
    asked, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Store):
        async def spent(self, since, until, *, rehearsed):
            asked.set()
            await go_on.wait()
            return await super().spent(since, until, rehearsed=rehearsed)

    store = Slow((clock.now_s - 60, 500))
    books = accounts(store, clock)
    with books.seat(seat):
        opening = asyncio.create_task(books.open())
        await asked.wait()
        clock.now_s += DAY_S
        looking = asyncio.create_task(books.look())
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(opening, looking)
    assert seat.today == 0


async def test_other_caps_are_told_to_every_conversation():
    books, seat = accounts(Store(), Clock(2026, 11, 29, 15, 0)), Seat()
    with books.seat(seat):
        limits, tariff = Limits(daily_nano_usd=5), NoTariff()
        books.set_budget(limits, tariff)
        assert seat[-1] == SetBudget(request_id=0, limits=limits, tariff=tariff)
    books.set_budget(Limits(), tariff)
    assert isinstance(seat[-1], SetBudget)
    assert seat[-1].limits is limits, "who has gone is told nothing"


async def test_a_rehearsal_asks_for_play_money():
    store = Store()
    await accounts(store, Clock(2026, 11, 29, 15, 0), rehearsing=True).open()
    assert store.asked[0][2] is True


async def test_the_calendar_is_watched_while_it_runs():
    clock, turned = Clock(2026, 11, 29, 23, 59, 59), asyncio.Event()

    async def on_day():
        turned.set()

    books = accounts(Store(), clock, on_day=on_day, look_s=0.001)
    await books.open()
    watching = asyncio.create_task(books.run())
    clock.now_s += 2
    async with asyncio.timeout(5):
        await turned.wait()
    watching.cancel()
    assert os.environ["TZ"] == "Europe/Berlin"
