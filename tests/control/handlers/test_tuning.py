"""Instructions, turn detection, configuration and log level, as clients set and read them."""

import logging

import pytest

pytestmark = pytest.mark.asyncio

CONFIGURED = "Be kind."
BRIEF = f"session.instructions={CONFIGURED}"


# Instructions.


async def test_instructions_are_the_configured_ones_until_more_is_said(open_box):
    async with open_box(BRIEF) as box:
        assert await box.call("instructions.get") == {
            "effective": CONFIGURED,
            "runtime": None,
            "mode": "append",
            "persisted": False,
        }


async def test_more_instructions_follow_the_configured_ones_in_the_running_session(open_box):
    async with open_box(BRIEF) as box:
        await box.start()
        told = await box.call("instructions.set", text="Answer in French.")
        assert box.link.view.instructions == told["effective"]
        assert await box.call("instructions.get") == told
    assert told["effective"].startswith(CONFIGURED)
    assert told["effective"].endswith("Answer in French.")
    assert (told["runtime"], told["mode"], told["persisted"]) == ("Answer in French.", "append", False)


async def test_instructions_can_take_the_place_of_the_configured_ones(open_box):
    async with open_box(BRIEF) as box:
        told = await box.call("instructions.set", text="Bark.", mode="replace")
    assert (told["effective"], told["mode"]) == ("Bark.", "replace")


async def test_cleared_instructions_are_the_configured_ones_again(open_box):
    async with open_box(BRIEF) as box:
        await box.start()
        await box.call("instructions.set", text="Bark.", mode="replace")
        told = await box.call("instructions.clear")
        assert box.link.view.instructions == CONFIGURED
    assert (told["effective"], told["runtime"]) == (CONFIGURED, None)


async def test_kept_instructions_become_the_configured_ones_and_are_said_once(open_box, directories):
    async with open_box() as box:
        configured = box.tuning.loaded.instructions
        told = await box.call("instructions.set", text="Answer in French.", persist=True)
        assert await box.call("instructions.get") == told
    assert told["effective"] == f"{configured}\n\nAnswer in French."
    assert told["runtime"] is None
    assert told["persisted"]
    assert directories.load().instructions == told["effective"]


async def test_kept_instructions_can_replace_the_configured_ones(open_box, directories):
    async with open_box() as box:
        told = await box.call("instructions.set", text="Bark.", mode="replace", persist=True)
    assert told["effective"] == directories.load().instructions == "Bark."


async def test_clearing_for_now_leaves_what_is_kept(open_box, directories):
    async with open_box() as box:
        await box.call("instructions.set", text="Bark.", mode="replace", persist=True)
        await box.call("instructions.set", text="Loudly.")
        told = await box.call("instructions.clear")
    assert (told["effective"], told["persisted"]) == ("Bark.", True)
    assert directories.load().instructions == "Bark."


async def test_clearing_for_good_forgets_what_is_kept(open_box, directories):
    async with open_box() as box:
        configured = box.tuning.loaded.instructions
        await box.call("instructions.set", text="Bark.", mode="replace", persist=True)
        told = await box.call("instructions.clear", persist=True)
    assert (told["effective"], told["runtime"], told["persisted"]) == (configured, None, False)
    assert directories.load().instructions == configured


@pytest.mark.parametrize("method", ["instructions.set", "instructions.clear"])
async def test_only_an_administrator_keeps_or_forgets_instructions(open_box, fakes, method, directories):
    params = {"text": "Bark."} if method == "instructions.set" else {}
    async with open_box() as box:
        await box.call(method, peer=fakes.OTHER, **params)
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call(method, peer=fakes.OTHER, persist=True, **params)
    assert (refused.value.code, refused.value.kind) == (-32003, "rpc.permission")
    assert not directories.overrides.exists()


async def test_instructions_that_the_service_refuses_are_not_in_force(open_box, fakes):
    async with open_box(BRIEF) as box:
        await box.start()
        box.link.refuse = "instructions are too long"
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("instructions.set", text="Bark.")
        assert (await box.call("instructions.get"))["effective"] == CONFIGURED
    assert refused.value.kind == "config.invalid"
    assert "too long" in refused.value.message


# Turn detection.


async def test_turn_detection_without_a_session_is_a_wish_for_the_next(open_box):
    async with open_box() as box:
        told = await box.call("vad.set", threshold=0.7)
        assert await box.call("vad.get") == told
    assert told["requested"]["threshold"] == 0.7
    assert told["effective"] is None
    assert told["applied"] == "next_session"


async def test_turn_detection_in_a_session_is_what_the_service_confirmed(open_box):
    async with open_box() as box:
        await box.start()
        box.link.insists = {"silence_duration_ms": 650}
        told = await box.call("vad.set", silence_duration_ms=600, threshold=0.7)
        assert await box.call("vad.get") == told
    assert (told["requested"]["silence_duration_ms"], told["requested"]["threshold"]) == (600, 0.7)
    assert (told["effective"]["silence_duration_ms"], told["effective"]["threshold"]) == (650, 0.7)
    assert told["applied"] == "live"


async def test_setting_what_is_set_already_is_answered_like_any_other(open_box):
    async with open_box() as box:
        assert (await box.call("vad.set", threshold=0.85))["applied"] == "next_session"
        await box.start()
        assert (await box.call("vad.set", threshold=0.85))["applied"] == "live"


async def test_a_profile_brings_its_values_and_others_go_on_top(open_box):
    async with open_box() as box:
        told = await box.call("vad.set", profile="noisy", threshold=0.9)
    assert told["profile"] == "noisy"
    assert (told["requested"]["threshold"], told["requested"]["silence_duration_ms"]) == (0.9, 1500)


async def test_zero_means_no_idle_timeout(open_box):
    async with open_box("turn_detection.idle_timeout_ms=6000") as box:
        assert (await box.call("vad.get"))["requested"]["idle_timeout_ms"] == 6000
        await box.call("vad.set", threshold=0.5)
        assert (await box.call("vad.get"))["requested"]["idle_timeout_ms"] == 6000, "null leaves it alone"
        assert (await box.call("vad.set", idle_timeout_ms=0))["requested"]["idle_timeout_ms"] is None


async def test_null_means_no_idle_timeout_too(open_box):
    async with open_box("turn_detection.idle_timeout_ms=6000") as box:
        told = await box.call("vad.set", idle_timeout_ms=None)
    assert told["requested"]["idle_timeout_ms"] is None
    assert told["notes"] == []


async def test_a_profile_shows_how_it_may_be_interrupted(open_box):
    async with open_box() as box:
        told = await box.call("vad.set", profile="responsive")
        assert await box.call("vad.get") == told
    assert (told["barge_in"]["min_speech_ms"], told["barge_in"]["resume_delay_ms"]) == (800, 500)


@pytest.mark.parametrize(
    ("given", "noted"),
    [
        ({"eagerness": "low"}, "eagerness has no effect while type is server_vad; it is for semantic_vad"),
        (
            {"type": "semantic_vad", "eagerness": "low", "threshold": 0.5},
            "threshold has no effect while type is semantic_vad; it is for server_vad and local",
        ),
        ({"type": "local", "idle_timeout_ms": 6000}, "idle_timeout_ms has no effect while type is local; it is for"),
        ({"interrupt_response": False}, "interrupt_response has no effect while barge_in.mode is confirm"),
    ],
)
async def test_what_is_set_and_has_no_effect_is_noted(open_box, given, noted):
    async with open_box() as box:
        (note,) = (await box.call("vad.set", **given))["notes"]
    assert note.startswith(noted)


async def test_what_has_an_effect_is_not_noted(open_box):
    async with open_box("barge_in.mode=immediate") as box:
        told = await box.call("vad.set", threshold=0.7, silence_duration_ms=700, interrupt_response=False)
        assert told["notes"] == []
        told = await box.call("vad.set", type="semantic_vad", eagerness="low")
        assert told["notes"] == []


async def test_a_timeout_below_the_services_least_is_refused_by_name_and_range(open_box, fakes):
    async with open_box() as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("vad.set", idle_timeout_ms=3000)
    assert refused.value.kind == "config.invalid"
    for word in ("turn_detection.idle_timeout_ms", "3000", "5000", "30000"):
        assert word in refused.value.message


async def test_setting_nothing_is_a_mistake_that_names_what_there_is(open_box, fakes):
    async with open_box() as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("vad.set", persist=True)
    assert refused.value.kind == "rpc.invalid_params"
    assert "threshold" in refused.value.hint
    assert "persist" not in refused.value.hint


async def test_a_profile_that_does_not_exist_names_those_that_do(open_box, fakes):
    async with open_box() as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("vad.set", profile="nosy")
    assert refused.value.kind == "config.invalid"
    assert "patient" in refused.value.message


async def test_kept_turn_detection_comes_back_after_a_restart(open_box, directories):
    async with open_box() as box:
        await box.call("vad.set", threshold=0.7, persist=True)
        await box.call("vad.set", silence_duration_ms=700)
    settings = directories.load().settings.turn_detection
    assert (settings.threshold, settings.silence_duration_ms) == (0.7, 1200)


async def test_a_refusal_of_the_service_is_its_own_words_and_keeps_nothing(open_box, fakes, directories):
    async with open_box() as box:
        await box.start()
        box.link.refuse = "threshold is not for you"
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("vad.set", threshold=0.7, persist=True)
        assert (await box.call("vad.get"))["requested"]["threshold"] == 0.85
    assert refused.value.kind == "config.invalid"
    assert refused.value.message == "the service refuses the change: threshold is not for you"
    assert not directories.overrides.exists()


async def test_turn_detection_cannot_change_while_the_talk_key_is_held(open_box, fakes):
    async with open_box() as box:
        await box.start()
        await box.call("talk.begin")
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("vad.set", threshold=0.7)
        assert box.tuning.loaded.settings.turn_detection.threshold == 0.85
    assert (refused.value.code, refused.value.kind) == (1013, "talk.active")
    assert refused.value.retryable


async def test_a_service_that_confirms_nothing_in_time_is_a_missing_link(open_box, fakes):
    async with open_box(confirm_within_s=0.01) as box:
        await box.start()
        box.link.silent = True
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("vad.set", threshold=0.7)
        await box.until(lambda: box.manager.snapshot().turn_detection["threshold"] == 0.85)
    assert refused.value.kind == "link.unavailable"
    assert refused.value.retryable


# Configuration.


async def test_the_whole_configuration_is_shown_with_the_source_of_each_value(open_box):
    async with open_box("turn_detection.threshold=0.7") as box:
        values = (await box.call("config.get"))["values"]
    assert values["turn_detection.threshold"] == {"value": 0.7, "source": "--set", "applied": "live"}
    assert values["service.model"]["source"] == "default"
    assert values["service.model"]["applied"] == "reconnect"
    assert values["control.mode"] == {"value": "0660", "source": "default", "applied": "restart"}


async def test_a_section_or_one_key_is_shown_alone(open_box):
    async with open_box() as box:
        section = (await box.call("config.get", key="session.transcription"))["values"]
        one = (await box.call("config.get", key="log.level"))["values"]
    assert set(section) == {"session.transcription.model", "session.transcription.language"}
    assert set(one) == {"log.level"}


async def test_an_unknown_key_is_refused_with_the_nearest(open_box, fakes):
    async with open_box() as box:
        for asked in ("turn_detection.treshold", "turn_detection.thresh"):
            with pytest.raises(fakes.RefusedError) as refused:
                await box.call("config.get", key=asked)
            assert refused.value.kind == "config.invalid"
            assert "turn_detection.threshold" in refused.value.message


async def test_what_was_set_is_shown_with_when_it_takes_effect(open_box):
    async with open_box() as box:
        told = await box.call(
            "config.set", values={"session.voice": "cedar", "audio.block_ms": 20, "log.level": "info"}
        )
    assert told["values"] == {
        "session.voice": {"value": "cedar", "source": "rpc", "applied": "reconnect"},
        "audio.block_ms": {"value": 20, "source": "rpc", "applied": "restart"},
    }, "log.level was info already"


async def test_all_that_is_wrong_is_said_and_nothing_is_changed(open_box, fakes):
    async with open_box() as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("config.set", values={"session.voice": "cedar", "a.b": 1, "audio.block_ms": "ten"})
        assert box.tuning.loaded.settings.session.voice == "marin"
    assert refused.value.kind == "config.invalid"
    assert "a.b" in refused.value.message
    assert "audio.block_ms" in refused.value.message


async def test_only_an_administrator_changes_the_configuration(open_box, fakes):
    async with open_box() as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("config.set", peer=fakes.OTHER, values={"session.voice": "cedar"})
        assert box.tuning.loaded.settings.session.voice == "marin"
    assert refused.value.kind == "rpc.permission"


async def test_a_reload_tells_what_has_changed_in_the_files(open_box, directories):
    async with open_box() as box:
        directories.config_file.write_text("turn_detection: {threshold: 0.6}\n")
        told = await box.call("config.reload")
        assert box.manager.snapshot().turn_detection["threshold"] == 0.6
        assert (await box.call("config.reload"))["values"] == {}
    source = str(directories.config_file)
    assert told["values"] == {"turn_detection.threshold": {"value": 0.6, "source": source, "applied": "live"}}


async def test_a_reload_tries_the_link_again_at_once_because_a_new_key_is_in_no_file_of_the_configuration(open_box):
    async with open_box() as box:
        await box.call("config.reload")
        assert box.link.retries == 1


async def test_a_reload_of_bad_files_says_all_and_changes_nothing(open_box, fakes, directories):
    async with open_box() as box:
        directories.config_file.write_text("turn_detection: {threshold: 6}\nlog: {level: loud}\n")
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("config.reload")
        assert box.tuning.loaded.settings.turn_detection.threshold == 0.85
    assert refused.value.kind == "config.invalid"
    assert "turn_detection.threshold" in refused.value.message
    assert "log.level" in refused.value.message


# The log.


async def test_the_log_level_changes_at_once(open_box):
    async with open_box() as box:
        assert await box.call("log.level", level="debug") == {"level": "debug"}
        assert logging.getLogger().level == logging.DEBUG
        await box.call("config.set", values={"log.level": "info"})
        assert logging.getLogger().level == logging.INFO, "it was the configured one before, and is so again"


async def test_an_unknown_level_is_a_mistake(open_box, fakes):
    async with open_box() as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("log.level", level="loud")
    assert refused.value.kind == "rpc.invalid_params"
