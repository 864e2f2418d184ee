import asyncio

import pytest

from voicebotd.system.coalesced import Coalesced


@pytest.mark.asyncio
async def test_any_number_of_requests_while_it_is_being_done_is_one_more_time():
    begun, go_on = asyncio.Event(), asyncio.Event()
    done = 0

    async def deed():
        nonlocal done
        begun.set()
        await go_on.wait()
        done += 1
        if done == 2:
            finished.set()

    finished = asyncio.Event()
    coalesced = Coalesced(deed)
    running = asyncio.create_task(coalesced.run())
    coalesced.ask()
    await asyncio.wait_for(begun.wait(), 5)
    for _ in range(50):
        coalesced.ask()
    go_on.set()
    await asyncio.wait_for(finished.wait(), 5)
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})
    assert done == 2


@pytest.mark.asyncio
async def test_what_is_not_asked_for_is_not_done():
    async def deed():
        raise AssertionError

    running = asyncio.create_task(Coalesced(deed).run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()


@pytest.mark.asyncio
async def test_a_deed_that_fails_is_not_hidden():
    async def deed():
        raise ValueError("no")

    coalesced = Coalesced(deed)
    coalesced.ask()
    with pytest.raises(ValueError, match="no"):
        await asyncio.wait_for(coalesced.run(), 5)
