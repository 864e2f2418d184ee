"""Settings become what each room takes, and the parts know each other."""

import asyncio
from dataclasses import fields

import pytest
import structlog

from voicebotd import assembly
from voicebotd.config.budget import KINDS
from voicebotd.config.catalogue import flatten, keys
from voicebotd.config.load import change
from voicebotd.config.model import Settings
from voicebotd.conversation import commands as cmd
from voicebotd.conversation import events as ev
from voicebotd.conversation.budget import Cost, Limits
from voicebotd.errors import AudioError, ConfigError
from voicebotd.realtime.pricing import Price
from voicebotd.realtime.session import Retention

KEY = "c0mpany-Key~42"


@pytest.fixture
def configured(directories):
    """The defaults with these dotted keys changed."""
    return lambda **values: change(directories.load(), {key.replace("__", "."): value for key, value in values.items()})


# The key.


def test_without_a_key_there_is_none(at_home):
    assert assembly.find_key() is None


def test_a_key_put_in_place_later_is_found_and_from_then_on_masked(at_home, log, monkeypatch):
    assert assembly.find_key() is None
    file = at_home.cwd / "key"
    file.write_text(KEY)
    file.chmod(0o600)
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(file))
    assert assembly.find_key() == KEY
    structlog.get_logger("x").warning("hello", key=KEY)
    assert "hello" in log.getvalue()
    assert KEY not in log.getvalue()


def test_a_key_that_cannot_be_used_is_refused_unseen(at_home, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "two words")
    with pytest.raises(ConfigError) as refused:
        assembly.find_key()
    assert "words" not in str(refused.value)


# What it may cost.


def test_the_caps_and_prices_arrive_in_whole_nano_dollars(configured):
    prices = {"m": {"audio_out": 0.5}}
    settings = configured(
        budget__daily_usd=2.5, budget__session_usd=None, budget__warn_fraction=0.5, budget__prices=prices
    ).settings
    assert assembly.limits_of(settings) == Limits(daily_nano_usd=2_500_000_000, warn_fraction=0.5)
    used = ev.Usage(output_audio=3)
    assert assembly.tariff_of(settings).cost_of("m", used) == Cost(nano_usd=1500)
    policy = assembly.policy_of(configured(budget__session_usd=0.05))
    assert policy.limits.session_nano_usd == 50_000_000
    assert policy.tariff.cost_of("gpt-realtime-2.1", used).complete


def test_prices_are_written_by_the_names_that_they_have():
    assert {field.name for field in fields(Price)} == set(KINDS)


def test_every_budget_key_applies_by_what_follows_from_all_of_them():
    assert {name for name in keys() if name.startswith("budget.")} == assembly.BUDGET_KEYS


# How it forgets.


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({}, Retention(ratio=0.8)),
        ({"session__truncation": 0.5}, Retention(ratio=0.5)),
        ({"session__context_tokens": 9000}, Retention(ratio=0.8, limit_tokens=9000)),
        ({"session__truncation": "disabled", "session__context_tokens": 9000}, "disabled"),
        ({"service__provider": "compatible"}, "auto"),
        ({"service__provider": "compatible", "session__context_tokens": 9000}, Retention(ratio=0.8, limit_tokens=9000)),
    ],
)
def test_by_default_a_fifth_is_forgotten_at_a_time_which_keeps_the_cache(configured, values, asked):
    assert assembly.truncation_of(configured(**values).settings) == asked


# Where to connect and what to ask for.


def test_the_endpoint_is_the_services_with_its_model(configured):
    endpoint = assembly.endpoint_of(configured(service__model="m").settings)
    assert endpoint.url == "wss://api.openai.com/v1/realtime?model=m"


def test_whose_server_it_is_and_how_it_is_spoken_to_arrives(configured):
    config = configured(
        service__provider="compatible",
        service__server="localai",
        service__dialect="beta",
        service__base_url="ws://127.0.0.1:8080/v1/realtime",
    )
    dialect = assembly.endpoint_of(config.settings).dialect
    assert (dialect.name, dialect.shape) == ("localai", "beta")


def test_an_address_that_would_send_speech_in_the_clear_is_refused(configured):
    with pytest.raises(ConfigError, match="clear"):
        assembly.endpoint_of(configured(service__base_url="ws://example.com/v1").settings)


def test_every_session_setting_arrives(configured):
    config = configured(
        service__model="m",
        service__reasoning_effort="low",
        session__instructions="Bark.",
        session__voice="cedar",
        session__speed=1.25,
        session__output="text",
        session__transcription__model=None,
        session__transcription__language="de",
        session__noise_reduction="near_field",
        session__max_output_tokens=100,
        session__truncation="disabled",
        session__tool_choice="none",
        turn_detection__type="semantic_vad",
        turn_detection__eagerness="low",
    )
    session = assembly.session_of(config)
    assert session.turn_detection == ev.TurnDetection(type="semantic_vad", eagerness="low")
    assert (session.model, session.reasoning_effort, session.instructions) == ("m", "low", "Bark.")
    assert (session.voice, session.speed, session.output) == ("cedar", 1.25, "text")
    assert (session.transcription_model, session.transcription_language) == (None, "de")
    assert (session.noise_reduction, session.max_output_tokens) == ("near_field", 100)
    assert (session.truncation, session.tool_choice) == ("disabled", "none")


def test_turn_detection_has_the_settings_names_and_defaults(directories):
    settings = directories.load().settings
    assert assembly.turn_detection_of(settings) == ev.TurnDetection()
    ours = {name for name in flatten(settings) if name.startswith("turn_detection.")}
    assert ours == {f"turn_detection.{name}" for name in ev.TurnDetection.__dataclass_fields__}


def test_barge_in_has_the_settings_names_and_defaults(directories):
    policy = assembly.policy_of(directories.load())
    assert policy.barge_in == ev.BargeIn()
    assert (policy.longest_speech_s, policy.idle_hangup_s) == (60, None)
    ours = {name for name in flatten(Settings()) if name.startswith("barge_in.")}
    assert ours == {f"barge_in.{name}" for name in ev.BargeIn.__dataclass_fields__}


# How to behave.


def test_the_policy_is_the_configured_behaviour(configured):
    policy = assembly.policy_of(
        configured(
            session__instructions="Bark.",
            barge_in__mode="off",
            barge_in__confirm_after_ms=400,
            barge_in__min_speech_ms=900,
            barge_in__resume_delay_ms=600,
            barge_in__duck_db=-9,
            conversation__max_utterance_s=30,
            conversation__idle_hangup_s=120,
            conversation__speaks_first="assistant",
            conversation__greeting="Woof!",
            service__provider="compatible",
        )
    )
    assert (policy.instructions, policy.provider) == ("Bark.", "compatible")
    assert policy.barge_in == ev.BargeIn(
        mode="off", confirm_after_ms=400, min_speech_ms=900, resume_delay_ms=600, duck_db=-9
    )
    assert (policy.longest_speech_s, policy.idle_hangup_s) == (30, 120)
    assert (policy.speaks_first, policy.greeting) == ("assistant", "Woof!")
    assert (policy.source, policy.hold_input) == ("microphone", "never")


@pytest.mark.parametrize(("pace", "waits"), [("fast", "while_answering"), ("real_time", "until_connected")])
def test_a_file_waits_for_the_session_and_for_the_answers_only_when_it_is_fast(configured, pace, waits):
    policy = assembly.file_policy_of(configured(session__instructions="Bark."), pace)
    assert (policy.source, policy.hold_input) == ("file", waits)
    assert policy.instructions == "Bark."


# The sound.


def test_a_box_that_nobody_may_interrupt_closes_its_microphone_whatever_is_configured(configured):
    rung = assembly.rung_of(configured(barge_in__mode="off", audio__echo_control="none").settings)
    assert rung.echo_control == "half_duplex"
    assert "barge_in.mode" in rung.why


@pytest.fixture
def with_aec(monkeypatch):
    """Say whether the echo canceller is installed."""
    return lambda installed: monkeypatch.setattr(assembly, "aec_installed", lambda: installed)


@pytest.mark.parametrize("mode", ["confirm", "immediate"])
@pytest.mark.parametrize(("installed", "rung"), [(True, "aec"), (False, "gate")])
def test_by_itself_it_takes_the_highest_rung_that_is_installed(configured, with_aec, mode, installed, rung):
    with_aec(installed)
    chosen = assembly.rung_of(configured(barge_in__mode=mode).settings)
    assert chosen.echo_control == rung
    assert chosen.why.startswith("auto: ")
    assert ("pip install" in chosen.why) is not installed


def test_a_file_hears_no_loudspeaker_so_nothing_is_done_about_echo_by_itself(configured):
    config = configured(audio__backend="file", audio__input_device="in.wav")
    assert assembly.rung_of(config.settings).echo_control == "none"
    config = change(config, {"audio.echo_control": "gate"})
    assert assembly.rung_of(config.settings).echo_control == "gate"


@pytest.mark.parametrize("mode", ["aec", "gate", "half_duplex", "none"])
def test_what_is_configured_against_echo_holds(configured, with_aec, mode):
    with_aec(True)
    rung = assembly.rung_of(configured(audio__echo_control=mode).settings)
    assert (rung.echo_control, rung.why) == (mode, "as configured")


def test_for_an_echo_canceller_that_is_not_installed_the_gate_stands_in_and_the_remedy_is_named(configured, with_aec):
    with_aec(False)
    rung = assembly.rung_of(configured(audio__echo_control="aec").settings)
    assert rung.echo_control == "gate"
    assert assembly.AEC_REMEDY in rung.why


def test_the_keys_that_choose_the_rung_are_known():
    assert set(flatten(Settings())) >= assembly.RUNG_KEYS
    assert all(keys()[name].applies == "live" for name in assembly.RUNG_KEYS)


def test_the_sound_card_is_opened_as_configured(configured):
    options = assembly.audio_options_of(
        configured(
            audio__input_device="USB",
            audio__output_device=3,
            audio__sample_rate=16_000,
            audio__block_ms=20,
            audio__streams="pair",
            audio__volume_percent=40,
            audio__input_gain_db=6.0,
            audio__echo_control="half_duplex",
        ).settings
    )
    assert (options.backend, options.input_device, options.output_device) == ("portaudio", "USB", 3)
    assert (options.sample_rate_hz, options.block_ms, options.streams) == (16_000, 20, "pair")
    assert (options.volume_percent, options.input_gain_db, options.echo_control) == (40, 6.0, "half_duplex")
    assert options.file is None


def test_default_devices_and_rates_are_the_sound_systems_own(configured):
    options = assembly.audio_options_of(configured().settings)
    assert (options.input_device, options.output_device, options.sample_rate_hz) == (None, None, None)


def test_with_the_file_backend_the_devices_are_files(configured):
    settings = configured(audio__backend="file", audio__input_device="in.wav", audio__output_device="out.wav").settings
    options = assembly.audio_options_of(settings)
    assert options.backend == "file"
    assert options.file is not None
    assert (options.file.input, options.file.output_path, options.file.pace) == ("in.wav", "out.wav", "real_time")


def test_with_the_file_backend_nothing_need_be_written(configured):
    options = assembly.audio_options_of(configured(audio__backend="file", audio__input_device="in.wav").settings)
    assert options.file is not None
    assert options.file.output_path is None


def test_what_is_given_beside_the_settings_wins(configured):
    options = assembly.audio_options_of(configured().settings, echo_control="half_duplex", muted=True)
    assert (options.echo_control, options.muted) == ("half_duplex", True)


def test_a_file_backend_without_a_file_is_refused(configured):
    with pytest.raises(AudioError):
        assembly.audio_options_of(configured().settings, backend="file")


# The wiring.


@pytest.mark.asyncio
async def test_a_stack_lives_until_cancelled_and_then_nothing_of_it_is_left(configured, log, tmp_path):
    seen, published = [], []
    config = configured(service__provider="rehearsal", service__base_url="ws://127.0.0.1:9/v1")
    options = assembly.audio_options_of(
        config.settings, backend="file", file=assembly.FileOptions(input=str(tmp_path / "none.wav"))
    )
    lost = asyncio.Event()

    def watch(event):
        seen.append(type(event))
        if {ev.AudioLost, ev.LinkLost} <= set(seen):
            lost.set()

    stack = assembly.build(
        config,
        options,
        publish=lambda topic, data: published.append(topic),
        record=lambda _record: None,
        watch=watch,
    )
    running = asyncio.create_task(stack.run())
    await stack.manager.command(lambda number: cmd.StartConversation(request_id=number, conversation_id="c"))
    await asyncio.wait_for(lost.wait(), 10)
    running.cancel()
    await asyncio.wait({running}, timeout=5)
    assert running.cancelled()
    assert stack.audio.process_id is None
    assert stack.link.status.state == "off"
    assert {"state", "link", "device"} <= set(published), "what both say reaches the conversation"


def test_a_stack_for_an_address_that_cannot_be_used_is_not_built(configured):
    config = configured(service__base_url="ws://example.com/v1")
    with pytest.raises(ConfigError):
        assembly.build(
            config,
            assembly.audio_options_of(config.settings),
            publish=lambda _topic, _data: None,
            record=lambda _record: None,
        )
