"""Whole conversations with a service, a loudspeaker and a visitor who do as they please, and what must always hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from talkbox import Box
from visit import Visit, press
from world import LocalWorld, World

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.states import State

ACTIONS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([50, 300, 700, 1500, 4000])),
    st.tuples(st.just("speak"), st.sampled_from([50, 300, 800, 950, 1050, 2500, 12_000])),
    st.tuples(st.just("generate"), st.integers(1, 30)),
    st.tuples(st.just("item"), st.none()),
    st.tuples(st.just("done"), st.sampled_from(["completed", "failed", "completed"])),
    st.tuples(st.just("call"), st.tuples(st.integers(1, 3), st.sampled_from([1, 300, 2500, 4500]))),
    st.tuples(st.just("cut"), st.sampled_from(["cancelled", "failed", "incomplete"])),
    st.tuples(st.just("voice"), st.booleans()),
    st.tuples(st.just("respond"), st.none()),
    st.tuples(st.just("interrupt"), st.none()),
    st.tuples(st.just("link"), st.sampled_from([0, 5000])),
    st.tuples(st.just("talk"), st.sampled_from([50, 1000])),
    st.tuples(st.just("send"), st.none()),
    st.tuples(st.just("detection"), st.sampled_from([0.4, 0.8])),
    st.tuples(st.just("mode"), st.sampled_from(["confirm", "confirm", "immediate", "off"])),
)


def act(world: World, number: int, what: str, how: Any) -> None:  # noqa: C901 (one flat case for each action)
    match what:
        case "wait":
            world.wait(how)
        case "speak":
            world.speak(how)
        case "generate":
            world.generate(how)
        case "item":
            world.next_item()
        case "done":
            world.end(how)
        case "call":
            calls, last_ms = how
            world.end("completed", calls=calls, last_ms=last_ms)
        case "cut":
            world.end(how, calls=1)
        case "voice":
            world.do(ev.VoiceStarted() if how else ev.VoiceStopped())
        case "respond":
            world.command(cmd.RequestResponse(request_id=number))
        case "interrupt":
            world.command(cmd.InterruptResponse(request_id=number))
        case "link":
            world.lose_link(how)
        case "talk":
            world.command(cmd.TalkBegin(request_id=number))
            world.wait(how)
            world.command(cmd.TalkEnd(request_id=number))
        case "send":
            world.command(cmd.SendMessage(request_id=number, text="hello"))
        case "detection":
            world.do(cmd.SetTurnDetection(request_id=number, changes={"threshold": how}))
        case "mode":
            world.do(cmd.SetBargeIn(request_id=number, changes={"mode": how}))


Actions = list[tuple[str, Any]]


@settings(max_examples=300, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=40), longest_s=st.sampled_from([3.0, 60.0]))
def test_every_conversation_keeps_its_promises(actions: Actions, longest_s: float) -> None:
    keeps_its_promises(World(Box(longest_speech_s=longest_s).live()), actions)


@settings(max_examples=300, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=40), longest_s=st.sampled_from([3.0, 60.0]))
def test_so_does_one_whose_turns_the_box_detects(actions: Actions, longest_s: float) -> None:
    world = LocalWorld(Box(ev.TurnDetection(type="local"), longest_speech_s=longest_s).live())
    keeps_its_promises(world, actions)
    assert not [item for item in world.deleted if item not in world.replies], "of a noise there is never an item"


def keeps_its_promises(world: World, actions: Actions) -> None:
    for number, (what, how) in enumerate(actions):
        act(world, 100 + number, what, how)
        answers = world.created - world.errands.fillers
        assert answers <= world.due, "one response for each turn, each request and each round of outputs"
    world.do(ev.VoiceStopped())
    world.wait(15_000)
    assert world.speech is None
    for _ in range(60):  # whatever waits its turn gets it
        world.end("completed")
        world.wait(500)
    world.wait(6000)
    assert world.shape == (0.0, False), "nothing stays paused or quiet"
    assert world.box.state is State.LISTENING
    assert not world.unanswered, "the last turn was answered"
    world.errands.check(world.box)
    of_visitor = [item for item in world.deleted if item.startswith("u")]
    assert sorted(of_visitor) == sorted(world.noises), "the noises' items are deleted, once, and no turn's"
    assert len(world.truncated) == len(set(world.truncated)), "no item is truncated twice"
    recorded = {effect.record.item_id for effect in world.box.log if _is_of_visitor(effect)}
    assert not recorded & world.noises, "a noise leaves no trace"
    assert world.turns <= recorded


def _is_of_visitor(effect: fx.Effect) -> bool:
    return isinstance(effect, fx.Record) and getattr(effect.record, "role", "") == "user"


# And with links that come and go in the middle of all of it, and a service that hears what it is really sent.

EVENTS_OF_A_VISIT = st.one_of(
    st.tuples(st.just("says"), st.sampled_from([1600, 2000, 3000])),
    st.tuples(st.just("says and goes on"), st.sampled_from([1600, 3000])),
    st.tuples(st.just("coughs"), st.sampled_from([150, 400])),
    st.tuples(st.just("types"), st.sampled_from([0, 300, 2000])),
    st.tuples(st.just("presses"), st.sampled_from([0, 400, 3000])),
    st.tuples(st.just("waits"), st.sampled_from([50, 400, 900, 2000, 5000, 15_000])),
    st.tuples(st.just("loses"), st.sampled_from([100, 300, 1000, 4000])),
    st.tuples(st.just("is dead"), st.sampled_from([500, 2000, 6000])),
    st.tuples(st.just("follows"), st.sampled_from([0.2, 3.0])),
)
KINDS = {
    "confirm": Box,
    "immediate": lambda: Box(mode="immediate"),
    "short silence": lambda: Box(ev.TurnDetection(silence_duration_ms=500)),
    "the box detects": lambda: Box(ev.TurnDetection(type="local")),
    "the box dozes": lambda: Box(idle_hangup_s=12.0),
}


def happen(visit: Visit, sentence: str, what: str, how: Any) -> None:  # noqa: C901 (one flat case for each event)
    live = visit.session is not None
    match what:
        case "says":
            visit.says(sentence, how).wait(how)
        case "says and goes on":
            visit.says(sentence, how).wait(how // 2)
        case "coughs":
            visit.coughs(sentence, how).wait(how)
        case "types" if live and visit.box.state is State.LISTENING:
            visit.types(sentence).wait(how)
        case "presses" if live:
            visit.wait(3000)  # the key takes the floor from whatever is being said
            if visit.box.state is State.LISTENING:
                press(visit, 1600, sentence)
                visit.wait(how)
        case "waits":
            visit.wait(how)
        case "loses":
            visit.loses(back_in_ms=how)
        case "is dead" if live:
            visit.loses(dead_ms=how)
        case "follows" if live and visit.successor is None:
            visit.offer(how)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(events=st.lists(EVENTS_OF_A_VISIT, max_size=8))
def test_every_sentence_of_a_visit_is_answered_once_and_none_twice(kind: str, events: Actions) -> None:
    visit = Visit(KINDS[kind](), "w2").begin()
    for number, (what, how) in enumerate(events):
        while visit.is_speaking and what in (
            "says",
            "says and goes on",
            "presses",
            "coughs",
        ):  # one sentence after another
            visit.wait(50)
        happen(visit, f"w{number}", what, how)
    visit.quiet().quiet().is_well()
