"""Short courses of events in virtual time: the bench can fail, and today it does only where it should."""

import numpy as np
import pytest
from turns.box import Box, Setup, Talker, box_in_a_room
from turns.clock import Clock, run
from turns.corpus import blurt, long_reply, visitors
from turns.measure import disturbances, replay, silent_from
from turns.room import Acoustics
from turns.scenarios import Job, perform, reply_dbfs, speak

ECHO_AS_LOUD_AS_THE_VISITOR_DB = reply_dbfs() + 26
ROOM = Acoustics(delay_ms=60, rt60_s=0.25, erl_db=ECHO_AS_LOUD_AS_THE_VISITOR_DB, seed=1)


def spent(rung, mode, course, *, acoustics=ROOM):
    """What `course(box, talker)` returns, the assistant having just begun to speak for eight seconds."""
    rng = np.random.default_rng(4)
    talker = Talker(lambda: long_reply(rng, 8))

    async def main(clock):
        setup = Setup(rung=rung, mode=mode, acoustics=acoustics)
        async with box_in_a_room(setup, talker, clock) as box:
            assert await speak(box)
            return await course(box, talker)

    clock = Clock()
    return run(clock, main(clock))


async def nobody_else_speaks(box: Box, _talker: Talker) -> int:
    await box.run(4)
    return disturbances(box.happened).stopped


def test_without_echo_control_the_box_interrupts_itself():
    assert spent("none", "immediate", nobody_else_speaks) > 0


@pytest.mark.parametrize(("rung", "mode"), [("aec", "immediate"), ("gate", "confirm"), ("half_duplex", "off")])
def test_with_echo_control_it_does_not(rung, mode):
    assert spent(rung, mode, nobody_else_speaks) == 0


async def somebody_speaks(box: Box, _talker: Talker) -> float | None:
    await box.run(5)  # of a room that it hears for the first time, the canceller lets nothing through at first
    onset_s = box.say(visitors()[1].samples)
    await box.run(2.5)
    silent_s = silent_from(box.played, box.played_at_s, onset_s)
    return None if silent_s is None else silent_s - onset_s


def test_a_real_interruption_is_caught_through_the_echo_canceller():
    silent_s = spent("aec", "immediate", somebody_speaks)
    assert silent_s is not None
    assert silent_s < 0.7


def test_nobody_can_interrupt_through_the_half_duplex_gate():
    assert spent("half_duplex", "off", somebody_speaks) is None


async def somebody_utters_a_syllable(box: Box, talker: Talker) -> tuple:
    await box.run(1.5)
    box.say(blurt(np.random.default_rng(2), "word").samples)
    await box.run(20, until=lambda: box.state == "listening")
    users = [item for item in box.service.items() if item.role == "user"]
    return disturbances(box.happened), replay(np.frombuffer(talker.said[-1], "<i2"), np.concatenate(box.played)), users


def test_a_reply_that_paused_for_a_syllable_goes_on_at_the_very_sample_and_no_item_stays():
    quiet = Acoustics(delay_ms=60, rt60_s=0.25, erl_db=60, seed=1)  # headphones: the syllable is all that is heard
    found, played, users = spent("none", "confirm", somebody_utters_a_syllable, acoustics=quiet)
    assert (found.ducked, found.cut) == (1, 0)
    assert played.exact, played.why
    assert users == []


def test_the_same_job_gives_the_same_records():
    job = Job(scenario="sentences", rung="half_duplex", mode="off", seconds=2, seed=3)
    first, second = ([{**record, "engine_cpu_s": 0} for record in perform(job)] for _ in range(2))
    assert first == second
    assert any("cut_off" in record for record in first)


def test_noise_is_no_turn():
    records = perform(Job(scenario="noise", rung="half_duplex", mode="off", noise="pink", snr_db=10, seconds=5))
    assert [(record["started"], record["answered"]) for record in records] == [(0, 0)]
