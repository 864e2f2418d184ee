"""What is asked of the conversation by its methods, and what it refuses."""

import asyncio
from dataclasses import replace

import pytest

from voicebotd.conversation.commands import StartConversation, StopConversation
from voicebotd.errors import CommandRefusedError

pytestmark = pytest.mark.asyncio


async def test_start_begins_a_conversation_that_stop_ends_with_a_summary(open_box):
    async with open_box() as box:
        conversation_id = await box.start()
        assert box.manager.snapshot().conversation_id == conversation_id
        summary = (await box.call("conversation.stop"))["summary"]
        assert box.state == "off"
    assert summary["turns"] == 0
    assert summary["seconds"] >= 0
    assert summary["usd"] == 0.0


async def test_roll_goes_on_in_another_session_and_tells_which(open_box):
    async with open_box() as box:
        await box.start()
        conversation_id = box.manager.snapshot().conversation_id
        assert await box.call("conversation.roll") == {"session_id": "s2"}
        assert await box.call("conversation.roll") == {"session_id": "s3"}
        assert box.manager.snapshot().conversation_id == conversation_id
    states = [data["state"] for topic, data in box.published if topic == "state"]
    assert states == ["connecting", "listening"], "nobody notices"


async def test_a_roll_that_cannot_be_is_refused_and_the_conversation_goes_on(open_box, fakes):
    async with open_box() as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("conversation.roll")
        assert refused.value.kind == "conversation.not_running"
        await box.start()
        box.link.ready = False
        with pytest.raises(fakes.RefusedError, match="nobody is there") as refused:
            await box.call("conversation.roll")
        assert (refused.value.kind, refused.value.retryable) == ("link.unavailable", True)
        assert box.state == "listening"


async def test_each_conversation_has_an_id_of_its_own(open_box):
    async with open_box() as box:
        first = await box.start()
        await box.call("conversation.stop")
        assert await box.start() != first


async def test_a_second_start_is_refused_with_the_way_to_end_the_first(open_box, fakes):
    async with open_box() as box:
        first = await box.start()
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("conversation.start")
        assert box.manager.snapshot().conversation_id == first
    assert (refused.value.code, refused.value.kind) == (1001, "conversation.already_running")
    assert refused.value.hint


async def test_a_refused_start_changes_no_profile(open_box, fakes):
    async with open_box() as box:
        await box.start()
        with pytest.raises(fakes.RefusedError, match="running"):
            await box.call("conversation.start", profile="noisy")
        assert box.tuning.loaded.settings.conversation.profile is None
        assert box.tuning.loaded.settings.turn_detection.threshold == 0.85


async def test_a_conversation_can_begin_with_a_profile(open_box, fakes):
    async with open_box() as box:
        await box.start(profile="noisy")
        update = await box.link.until_sent(fakes.fx.UpdateSession)
        assert box.tuning.loaded.settings.conversation.profile == "noisy"
    assert update.turn_detection.threshold == 0.95


async def test_a_profile_that_a_conversation_began_with_ends_with_it(open_box):
    async with open_box("conversation.profile=patient") as box:
        await box.start(profile="noisy")
        await box.call("conversation.stop")
        assert (await box.call("vad.get"))["profile"] == "patient"
        await box.start()
        assert box.manager.snapshot().turn_detection["silence_duration_ms"] == 2000


async def test_the_next_conversation_has_the_profile_that_it_asks_for_and_not_the_one_before(open_box):
    async with open_box() as box:
        await box.start(profile="noisy")
        await box.manager.command(lambda number: StopConversation(request_id=number))  # by itself, for all we know
        await box.start(profile="responsive")
        assert box.manager.snapshot().turn_detection["threshold"] == 0.8
        await box.call("conversation.stop")
        assert box.tuning.loaded.settings.conversation.profile is None


async def test_a_start_that_is_refused_after_all_gives_its_profile_back(open_box, fakes, monkeypatch):
    async with open_box() as box:

        async def refuse(_make):
            raise CommandRefusedError("budget.exhausted", "spent")

        monkeypatch.setattr(box.manager, "command", refuse_starts(box.manager.command, refuse))
        with pytest.raises(fakes.RefusedError, match="spent"):
            await box.call("conversation.start", profile="noisy")
        assert box.tuning.loaded.settings.conversation.profile is None
        assert box.manager.snapshot().turn_detection["threshold"] == 0.85


def refuse_starts(command, refuse):
    """Everything but the start of a conversation is done."""

    async def judged(make):
        return await (refuse if isinstance(make(0), StartConversation) else command)(make)

    return judged


async def test_an_unknown_profile_is_refused_and_nothing_begins(open_box, fakes):
    async with open_box() as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("conversation.start", profile="nosy")
        assert box.state == "off"
    assert refused.value.kind == "config.invalid"
    assert "noisy" in refused.value.message


async def test_with_a_greeting_the_assistant_opens(open_box, fakes):
    async with open_box() as box:
        await box.start(greeting="Well met!")
        asked = await box.link.until_sent(fakes.fx.CreateResponse)
    assert "Well met!" in asked.instructions


async def test_instructions_of_a_conversation_are_those_of_its_session_and_go_with_it(open_box, fakes):
    async with open_box() as box:
        await box.start(instructions="Speak French.")
        update = await box.link.until_sent(fakes.fx.UpdateSession)
        await box.call("conversation.stop")
        assert "Speak French." not in box.manager.snapshot().instructions
    assert "Speak French." in update.instructions


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("conversation.stop", {}),
        ("message.send", {"text": "hello"}),
        ("response.request", {}),
        ("response.interrupt", {}),
        ("talk.begin", {}),
        ("talk.end", {}),
    ],
)
async def test_without_a_conversation_everything_else_is_refused_with_the_way_to_begin_one(
    open_box, fakes, method, params
):
    async with open_box() as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call(method, **params)
    assert (refused.value.code, refused.value.kind) == (1002, "conversation.not_running")
    assert "voicebotctl start" in refused.value.hint
    assert not refused.value.retryable


@pytest.mark.parametrize(
    ("method", "params"),
    [("message.send", {"text": "hello"}), ("response.request", {}), ("talk.begin", {}), ("conversation.roll", {})],
)
async def test_without_a_link_what_needs_the_service_is_refused_for_now(open_box, fakes, method, params):
    async with open_box() as box:
        box.link.ready = False
        await box.call("conversation.start")
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call(method, **params)
    assert (refused.value.code, refused.value.kind) == (1004, "link.unavailable")
    assert refused.value.retryable
    assert refused.value.hint


async def test_a_message_is_put_into_the_conversation_and_answered(open_box, fakes):
    async with open_box() as box:
        await box.start()
        sent = await box.call("message.send", text="Is it warm?")
        message = await box.link.until_sent(fakes.fx.CreateMessage)
        await box.link.until_sent(fakes.fx.CreateResponse)
    assert sent == {"item_id": message.item_id}
    assert (message.role, message.text) == ("user", "Is it warm?")


async def test_a_message_of_the_system_need_not_be_answered(open_box, fakes):
    async with open_box() as box:
        await box.start()
        await box.call("message.send", text="It rains.", role="system", respond=False)
        assert (await box.link.until_sent(fakes.fx.CreateMessage)).role == "system"
        assert not box.link.responses


async def test_a_response_is_answered_when_it_begins_or_with_wait_when_it_is_done(open_box, fakes):
    async with open_box() as box:
        await box.start()
        begun = await box.call("response.request", output="text", instructions="Be brief.")
        done = await box.call("response.request", output="text", wait=True)
        asked = await box.link.until_sent(fakes.fx.CreateResponse)
    assert begun == {"response_id": "r1", "text": None, "status": None}
    assert done == {"response_id": "r2", "text": fakes.REPLY, "status": "completed"}
    assert asked.output == "text"
    assert asked.instructions.endswith("Be brief.")
    assert len(asked.instructions) > 200, "the standing instructions are in front: the service would drop them"


async def test_interrupt_tells_how_much_was_heard_of_what(open_box):
    async with open_box() as box:
        await box.start()
        await box.call("response.request")
        await box.until(lambda: box.state == "speaking")
        told = await box.call("response.interrupt")
        assert box.state == "listening"
    assert told == {"heard_ms": 50, "item_id": "a1"}


async def test_interrupt_when_nothing_is_said_interrupts_nothing(open_box):
    async with open_box() as box:
        await box.start()
        assert await box.call("response.interrupt") == {"heard_ms": 0, "item_id": None}


async def test_an_interrupt_refuses_the_answers_that_were_to_follow(open_box, fakes):
    async with open_box() as box:
        await box.start()
        box.link.silent = True
        first = asyncio.create_task(box.call("response.request"))
        await box.link.until_sent(fakes.fx.CreateResponse)
        second = asyncio.create_task(box.call("response.request"))
        await box.until(lambda: box.manager.snapshot().state == "thinking")
        await asyncio.sleep(0)
        await box.call("response.interrupt")
        with pytest.raises(fakes.RefusedError) as refused:
            await second
        first.cancel()
    assert (refused.value.code, refused.value.kind) == (1011, "response.interrupted")


async def test_the_talk_key_goes_down_and_up(open_box):
    async with open_box("turn_detection.type=none") as box:
        await box.start()
        assert await box.call("talk.begin") == {"talking": True, "committed": False}
        assert box.state == "hearing"
        assert await box.call("talk.end") == {"talking": False, "committed": False}, "too short to be a turn"


async def test_the_talk_key_is_refused_with_a_server_that_ends_every_turn_by_itself(open_box, fakes):
    async with open_box() as box:
        await box.start()
        box.link.status = replace(box.link.status, lacks=frozenset({"commit"}))
        with pytest.raises(fakes.RefusedError, match="no push to talk") as refused:
            await box.call("talk.begin")
        assert refused.value.kind == "link.unsupported"
        assert box.state == "listening"


async def test_a_talk_key_that_is_not_held_cannot_be_let_go(open_box, fakes):
    async with open_box() as box:
        await box.start()
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("talk.end")
    assert (refused.value.code, refused.value.kind) == (1012, "talk.not_begun")
    assert "talk" in refused.value.hint


async def test_a_service_that_takes_a_message_too_late_is_told_of_as_a_link_that_is_missing(open_box, fakes):
    async with open_box(confirm_within_s=0.01) as box:
        await box.start()
        box.link.silent = True
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("message.send", text="hello", respond=False)
    assert refused.value.kind == "link.unavailable"
    assert refused.value.retryable
