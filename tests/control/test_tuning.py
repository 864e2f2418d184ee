"""The configuration in force: what a change reaches, and that a refused one leaves nothing behind."""

import asyncio
import threading

import pytest

from voicebotd.control import tuning
from voicebotd.errors import CommandRefusedError, ConfigError

pytestmark = pytest.mark.asyncio

THRESHOLD = "turn_detection.threshold"
INSTRUCTIONS = "session.instructions"
LATER = (
    "in force as soon as somebody reads them: with the next file, and as the name of values that are keys themselves"
)


def threshold(box):
    return box.manager.snapshot().turn_detection["threshold"]


def untouched(box):
    """Nothing of {threshold: 0.7, instructions: Bark., volume: 50, voice: cedar} is in force."""
    settings = box.tuning.loaded.settings
    assert (settings.turn_detection.threshold, threshold(box)) == (0.85, 0.85)
    assert "appointment" in box.tuning.loaded.instructions
    assert "appointment" in box.manager.snapshot().instructions
    assert (settings.audio.volume_percent, box.audio.status.volume_percent) == (100, 100)
    assert settings.session.voice == "marin"
    assert not box.link.configured or box.link.configured[-1][1].voice == "marin"
    return True


ALL = {THRESHOLD: 0.7, INSTRUCTIONS: "Bark.", "audio.volume_percent": 50, "session.voice": "cedar"}


# What a change reaches.


async def test_turn_detection_reaches_the_running_session(open_box):
    async with open_box() as box:
        await box.start()
        outcome = await box.tuning.set({THRESHOLD: 0.7}, persistent=False)
        assert box.link.view.turn_detection.threshold == threshold(box) == 0.7
    assert outcome.vad["applied"] == "live"
    assert [(each.key, each.old, each.new, each.source) for each in outcome.changes] == [(THRESHOLD, 0.85, 0.7, "rpc")]


async def test_instructions_reach_the_running_session_behind_what_people_added(open_box):
    async with open_box() as box:
        await box.start()
        await box.call("instructions.set", text="In French.")
        await box.tuning.set({INSTRUCTIONS: "Bark."}, persistent=False)
        assert box.link.view.instructions.startswith("Bark.")
        assert box.link.view.instructions.endswith("In French.")


async def test_another_voice_waits_for_the_next_session(open_box):
    async with open_box() as box:
        await box.start()
        sent = len(box.link.sent)
        await box.tuning.set({"session.voice": "cedar"}, persistent=False)
        assert len(box.link.sent) == sent
        [(_, session)] = box.link.configured
    assert session.voice == "cedar"


async def test_what_takes_effect_at_a_restart_reaches_nobody(open_box):
    async with open_box() as box:
        outcome = await box.tuning.set({"audio.block_ms": 20}, persistent=False)
        assert box.link.configured == []
        assert box.link.sent == []
    assert outcome.vad is None
    assert [each.applied for each in outcome.changes] == ["restart"]


async def test_what_is_so_already_changes_nothing(open_box):
    async with open_box() as box:
        await box.start()
        sent = len(box.link.sent)
        outcome = await box.tuning.set({THRESHOLD: 0.85}, persistent=False)
        assert len(box.link.sent) == sent
    assert (outcome.changes, outcome.vad) == ([], None)


async def test_a_profile_takes_its_values_along(open_box):
    async with open_box() as box:
        await box.tuning.set({"conversation.profile": "noisy"}, persistent=False)
        assert threshold(box) == 0.95
        assert box.tuning.loaded.settings.turn_detection.silence_duration_ms == 1500


async def test_instructions_in_a_file_are_read_again_when_they_are_named(open_box, directories):
    file = directories.config / "box.md"
    file.write_text("Whisper.")
    async with open_box() as box:
        await box.tuning.set({INSTRUCTIONS: f"file: {file}"}, persistent=False)
        assert box.manager.snapshot().instructions == "Whisper."


async def test_how_it_may_be_interrupted_reaches_the_conversation(open_box):
    async with open_box() as box:
        await box.start()
        outcome = await box.tuning.set({"barge_in.min_speech_ms": 1300, "barge_in.duck_db": -20}, persistent=False)
        barge_in = box.manager.snapshot().barge_in
    assert (barge_in["min_speech_ms"], barge_in["duck_db"], barge_in["resume_delay_ms"]) == (1300, -20, 800)
    assert (outcome.vad, outcome.applied) == (None, "live")


async def test_a_profile_changes_turns_and_interruptions_in_one_go(open_box):
    async with open_box() as box:
        await box.start()
        outcome = await box.tuning.set({"conversation.profile": "noisy"}, persistent=False)
        assert box.link.view.turn_detection.threshold == 0.95
        assert box.manager.snapshot().barge_in["min_speech_ms"] == 1300
        await box.tuning.set({"conversation.profile": "responsive"}, persistent=False)
        assert box.link.view.turn_detection.threshold == 0.8
        barge_in = box.manager.snapshot().barge_in
        assert (barge_in["min_speech_ms"], barge_in["resume_delay_ms"]) == (800, 500)
        await box.tuning.set({"conversation.profile": None}, persistent=False)
        assert threshold(box) == 0.85
        assert box.manager.snapshot().barge_in["min_speech_ms"] == 1000
    assert outcome.applied == "live"


async def test_without_a_session_one_part_of_a_change_waits_and_so_the_change_does(open_box):
    async with open_box() as box:
        outcome = await box.tuning.set({"conversation.profile": "noisy"}, persistent=False)
    assert outcome.applied == "next_session"


@pytest.mark.parametrize("kind", ["local", "none", "semantic_vad"])
async def test_the_kind_of_turn_detection_changes_in_the_running_session(open_box, kind):
    async with open_box() as box:
        await box.start()
        outcome = await box.tuning.set({"turn_detection.type": kind}, persistent=False)
        assert box.manager.snapshot().turn_detection["type"] == kind
        told = box.link.view.turn_detection
        assert (None if told is None else told.type) == ("semantic_vad" if kind == "semantic_vad" else None)
    assert outcome.applied == "live"


@pytest.mark.parametrize(
    ("values", "rung"),
    [
        ({"audio.echo_control": "none"}, "none"),
        ({"audio.echo_control": "gate"}, "gate"),
        ({"barge_in.mode": "off"}, "half_duplex"),
        ({"barge_in.mode": "off", "audio.echo_control": "none"}, "half_duplex"),
    ],
)
async def test_the_rung_of_the_echo_ladder_follows_what_decides_about_it(open_box, values, rung):
    async with open_box() as box:
        await box.tuning.set(values, persistent=False)
        assert box.audio.status.echo_control == rung


async def test_the_rung_goes_back_with_a_change_that_cannot_be_kept(open_box, directories):
    async with open_box("audio.echo_control=gate") as box:
        directories.overrides.mkdir()
        with pytest.raises(ConfigError):
            await box.tuning.set({"audio.echo_control": "none", "barge_in.mode": "immediate"}, persistent=True)
        assert box.audio.status.echo_control == "gate"
        await box.until(lambda: box.manager.snapshot().barge_in["mode"] == "confirm")


async def test_every_changed_key_is_told_with_value_source_and_when_it_takes_effect(open_box, directories):
    async with open_box() as box:
        values = {"audio.volume_percent": 50, "session.voice": "cedar", "log.level": "info"}
        await box.tuning.set(values, persistent=True)
        told = [data for topic, data in box.published if topic == "config"]
    source = str(directories.overrides)
    assert told == [
        {"key": "session.voice", "value": "cedar", "source": source, "applied": "reconnect"},
        {"key": "audio.volume_percent", "value": 50, "source": source, "applied": "live"},
    ], "log.level was info already"


async def test_of_a_change_that_was_refused_nothing_is_told(open_box):
    async with open_box() as box:
        await box.start()
        box.link.refuse = "no"
        with pytest.raises(CommandRefusedError):
            await box.tuning.set({THRESHOLD: 0.7, "audio.volume_percent": 50}, persistent=False)
        assert [data for topic, data in box.published if topic == "config" and "key" in data] == []


# What is lent to one conversation.


async def test_a_lent_profile_is_in_force_until_the_conversation_has_ended(open_box):
    async with open_box("conversation.profile=patient") as box:
        await box.tuning.lend("noisy")
        assert threshold(box) == 0.95
        await box.tuning.take_back()
        assert threshold(box) == 0.95, "the conversation goes on"
        box.tuning.conversation_ended()
        await box.tuning.take_back()
        assert threshold(box) == 0.85
        assert box.manager.snapshot().barge_in["resume_delay_ms"] == 1500
        assert box.tuning.loaded.settings.conversation.profile == "patient"


async def test_what_people_set_meanwhile_outlives_the_lent_profile(open_box):
    async with open_box() as box:
        await box.tuning.lend("noisy")
        await box.tuning.set({"turn_detection.silence_duration_ms": 700}, persistent=False)
        box.tuning.conversation_ended()
        await box.tuning.take_back()
        settings = box.tuning.loaded.settings
    assert (settings.conversation.profile, settings.turn_detection.threshold) == (None, 0.85)
    assert settings.turn_detection.silence_duration_ms == 700


@pytest.mark.parametrize("ended", ["by another profile", "by a reload"])
async def test_a_loan_that_something_else_ended_is_not_taken_back(open_box, ended):
    async with open_box() as box:
        await box.tuning.lend("noisy")
        if ended == "by a reload":
            await box.tuning.reload()
        else:
            await box.tuning.set({"conversation.profile": "responsive"}, persistent=False)
        before = box.tuning.loaded
        box.tuning.conversation_ended()
        await box.tuning.take_back()
        assert box.tuning.loaded is before


async def test_a_second_loan_begins_where_the_first_one_did(open_box):
    async with open_box() as box:
        await box.tuning.lend("noisy")
        await box.tuning.lend("patient")
        box.tuning.conversation_ended()
        await box.tuning.take_back()
        assert box.tuning.loaded.settings.conversation.profile is None
        assert threshold(box) == 0.85


async def test_where_nothing_was_lent_nothing_is_taken_back(open_box):
    async with open_box() as box:
        before = box.tuning.loaded
        box.tuning.conversation_ended()
        await box.tuning.take_back()
        assert box.tuning.loaded is before


# What is kept.


async def test_a_change_for_now_is_gone_after_a_restart(open_box, directories):
    async with open_box() as box:
        await box.tuning.set(ALL, persistent=False)
    assert not directories.overrides.exists()


async def test_a_kept_change_comes_back_and_is_known_to_be_kept(open_box, directories):
    async with open_box() as box:
        await box.tuning.set({THRESHOLD: 0.7}, persistent=True)
        assert box.tuning.loaded.sources[THRESHOLD] == str(directories.overrides)
        assert box.tuning.loaded.sources["session.voice"] == "default"
    again = directories.load()
    assert again.settings.turn_detection.threshold == 0.7
    assert again.sources[THRESHOLD] == str(directories.overrides)


async def test_what_is_in_force_already_can_still_be_kept(open_box, directories):
    async with open_box() as box:
        await box.tuning.set({THRESHOLD: 0.7}, persistent=False)
        await box.tuning.set({THRESHOLD: 0.7}, persistent=True)
    assert directories.load().settings.turn_detection.threshold == 0.7


async def test_a_kept_profile_is_kept_with_its_values_over_older_ones(open_box, directories):
    async with open_box() as box:
        await box.tuning.set({THRESHOLD: 0.7}, persistent=True)
        await box.tuning.set({"conversation.profile": "noisy"}, persistent=True)
    settings = directories.load().settings
    assert (settings.conversation.profile, settings.turn_detection.threshold) == ("noisy", 0.95)


# What is refused.


async def test_a_value_out_of_range_changes_nothing_of_the_rest(open_box, directories):
    async with open_box() as box:
        await box.start()
        with pytest.raises(ConfigError, match="threshold"):
            await box.tuning.set({**ALL, THRESHOLD: 7}, persistent=True)
        assert untouched(box)
    assert not directories.overrides.exists()


async def test_turn_detection_that_the_service_refuses_changes_nothing_of_the_rest(open_box, directories):
    async with open_box() as box:
        await box.start()
        box.link.refuse = "no such threshold"
        with pytest.raises(CommandRefusedError, match="no such threshold"):
            await box.tuning.set(ALL, persistent=True)
        await box.until(lambda: box.link.view.turn_detection.threshold == 0.85)
        assert untouched(box)
    assert not directories.overrides.exists()


async def test_instructions_that_the_service_refuses_take_the_turn_detection_back(open_box, directories, fakes):
    async with open_box() as box:
        await box.start()
        answer = box.link._answer

        def refuse_instructions(effect):
            if isinstance(effect, fakes.fx.UpdateSession) and effect.instructions == "Bark.":
                box.link.refuse = "too loud"
            answer(effect)

        box.link._answer = refuse_instructions
        with pytest.raises(CommandRefusedError, match="too loud"):
            await box.tuning.set(ALL, persistent=True)
        await box.until(lambda: threshold(box) == 0.85)
        await box.until(lambda: box.link.view.turn_detection.threshold == 0.85)
        assert untouched(box)
        assert "appointment" in box.link.view.instructions
    assert not directories.overrides.exists()


async def test_an_address_that_must_not_be_used_changes_nothing(open_box, directories):
    async with open_box() as box:
        await box.start()
        with pytest.raises(ConfigError, match="clear"):
            await box.tuning.set({**ALL, "service.base_url": "ws://example.com/v1"}, persistent=True)
        assert untouched(box)
        assert box.link.configured == []
    assert not directories.overrides.exists()


async def test_a_change_that_cannot_be_kept_is_not_made(open_box, directories):
    async with open_box() as box:
        directories.overrides.mkdir()  # a file cannot take its place
        await box.start()
        with pytest.raises(ConfigError, match=r"overrides\.yaml"):
            await box.tuning.set(ALL, persistent=True)
        await box.until(lambda: threshold(box) == 0.85)
        await box.until(lambda: "appointment" in box.manager.snapshot().instructions)
        assert untouched(box)


@pytest.mark.parametrize("values", [{THRESHOLD: 0.7}, {INSTRUCTIONS: "Bark."}])
async def test_a_change_that_nobody_awaits_any_more_is_taken_back(open_box, directories, fakes, values):
    async with open_box() as box:
        await box.start()
        box.link.silent = True
        setting = asyncio.create_task(box.tuning.set(values, persistent=True))
        sent = len(box.link.sent)
        await box.until(lambda: len(box.link.sent) > sent)
        setting.cancel()
        await asyncio.wait({setting})
        await box.until(lambda: len(box.link.sent) > sent + 1)
        await box.until(lambda: threshold(box) == 0.85)
        assert untouched(box)
    assert setting.cancelled()
    assert not directories.overrides.exists()


async def test_a_change_that_was_being_kept_when_the_client_hung_up_counts(open_box, directories, monkeypatch):
    writing, go_on = asyncio.Event(), threading.Event()
    loop, persist = asyncio.get_running_loop(), tuning.persist

    def slowly(path, values):
        loop.call_soon_threadsafe(writing.set)
        assert go_on.wait(5)
        persist(path, values)

    monkeypatch.setattr(tuning, "persist", slowly)
    async with open_box() as box:
        setting = asyncio.create_task(box.tuning.set({THRESHOLD: 0.7}, persistent=True))
        await asyncio.wait_for(writing.wait(), 5)
        setting.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.wait({setting}, timeout=5)
        assert setting.cancelled()
        assert threshold(box) == box.tuning.loaded.settings.turn_detection.threshold == 0.7
    assert directories.load().settings.turn_detection.threshold == 0.7


async def test_after_a_refusal_the_next_change_is_made(open_box):
    async with open_box() as box:
        await box.start()
        box.link.refuse = "not now"
        with pytest.raises(CommandRefusedError):
            await box.tuning.set({THRESHOLD: 0.7}, persistent=False)
        await box.tuning.set({THRESHOLD: 0.6}, persistent=False)
        assert box.tuning.loaded.settings.turn_detection.threshold == threshold(box) == 0.6


# Reloading.


async def test_a_reload_brings_what_the_files_say_now_and_ends_what_was_set_for_now(open_box, directories):
    async with open_box() as box:
        await box.start()
        await box.tuning.set({"audio.volume_percent": 50}, persistent=False)
        await box.tuning.set({"session.voice": "cedar"}, persistent=True)
        directories.config_file.write_text("turn_detection: {threshold: 0.6}\nsession: {instructions: Bark.}\n")
        outcome = await box.tuning.reload()
        assert box.link.view.turn_detection.threshold == 0.6
        assert box.link.view.instructions == "Bark."
        assert box.audio.status.volume_percent == 100
        assert box.tuning.loaded.settings.session.voice == "cedar"
    assert {each.key for each in outcome.changes} == {THRESHOLD, INSTRUCTIONS, "audio.volume_percent"}


async def test_the_same_file_with_other_instructions_is_a_change(open_box, directories):
    file = directories.config / "box.md"
    file.write_text("Whisper.")
    directories.config_file.write_text("session: {instructions: 'file: box.md'}\n")
    async with open_box() as box:
        file.write_text("Shout.")
        await box.tuning.reload()
        assert box.manager.snapshot().instructions == "Shout."


async def test_a_reload_of_broken_files_leaves_the_old_configuration(open_box, directories):
    async with open_box() as box:
        before = box.tuning.loaded
        directories.config_file.write_text("turn_detection: {threshold: 6\n")
        with pytest.raises(ConfigError):
            await box.tuning.reload()
        assert box.tuning.loaded is before
        assert threshold(box) == 0.85


async def test_a_reload_that_the_service_refuses_leaves_the_old_configuration(open_box, directories):
    async with open_box() as box:
        await box.start()
        before = box.tuning.loaded
        directories.config_file.write_text("turn_detection: {threshold: 0.6}\nsession: {voice: cedar}\n")
        box.link.refuse = "no"
        with pytest.raises(CommandRefusedError):
            await box.tuning.reload()
        assert box.tuning.loaded is before
        assert untouched(box)


# Forgetting.


async def test_forgotten_instructions_make_place_for_those_of_the_files_and_for_nothing_else(open_box, directories):
    directories.config_file.write_text("session: {instructions: Bark.}\n")
    async with open_box() as box:
        await box.start()
        await box.tuning.set({INSTRUCTIONS: "Purr.", THRESHOLD: 0.6}, persistent=True)
        await box.tuning.set({"audio.volume_percent": 50}, persistent=False)
        await box.tuning.forget_instructions()
        assert box.link.view.instructions == "Bark."
        assert box.audio.status.volume_percent == 50, "set for now, and still so"
        assert box.tuning.loaded.sources[INSTRUCTIONS] == str(directories.config_file)
    again = directories.load()
    assert (again.instructions, again.settings.turn_detection.threshold) == ("Bark.", 0.6)


async def test_with_nothing_kept_there_is_nothing_to_forget(open_box, directories):
    async with open_box() as box:
        await box.tuning.forget_instructions()
        assert untouched(box)
    assert not directories.overrides.exists()


# One at a time.


async def test_changes_are_made_one_after_the_other_and_all_of_them(open_box):
    async with open_box() as box:
        await box.start()
        values = [{THRESHOLD: 0.7}, {"turn_detection.silence_duration_ms": 900}, {"session.voice": "cedar"}]
        await asyncio.gather(*(box.tuning.set(one, persistent=True) for one in values))
        settings = box.tuning.loaded.settings
        assert box.link.view.turn_detection.threshold == 0.7
        assert box.link.view.turn_detection.silence_duration_ms == 900
    assert (settings.turn_detection.threshold, settings.turn_detection.silence_duration_ms) == (0.7, 900)
    assert settings.session.voice == "cedar"


async def test_a_change_during_a_reload_is_made_on_top_of_it(open_box, directories):
    async with open_box() as box:
        reading, go_on = asyncio.Event(), threading.Event()
        loop, load = asyncio.get_running_loop(), box.tuning._load_again

        def slowly():
            loaded = load()
            loop.call_soon_threadsafe(reading.set)
            assert go_on.wait(5)
            return loaded

        box.tuning._load_again = slowly
        directories.config_file.write_text("session: {voice: cedar}\n")
        reloading = asyncio.create_task(box.tuning.reload())
        await asyncio.wait_for(reading.wait(), 5)
        setting = asyncio.create_task(box.tuning.set({THRESHOLD: 0.7}, persistent=False))
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(reloading, setting)
        settings = box.tuning.loaded.settings
    assert (settings.session.voice, settings.turn_detection.threshold) == ("cedar", 0.7)
