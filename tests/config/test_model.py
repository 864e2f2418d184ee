import pytest
from pydantic import ValidationError

from voicebotd.config.catalogue import keys
from voicebotd.config.model import Settings, file_mapping


def test_the_defaults_are_those_of_the_contract():
    settings = Settings()
    assert settings.service.base_url == "wss://api.openai.com/v1/realtime"
    assert settings.service.model == "gpt-realtime-2.1"
    assert settings.session.transcription.model == "gpt-transcribe"
    assert settings.turn_detection.threshold == 0.85
    assert settings.turn_detection.prefix_padding_ms == 500
    assert settings.turn_detection.silence_duration_ms == 1200
    assert settings.barge_in.model_dump() == {
        "mode": "confirm",
        "confirm_after_ms": 500,
        "min_speech_ms": 1000,
        "resume_delay_ms": 800,
        "duck_db": -12,
    }
    assert (settings.conversation.max_utterance_s, settings.conversation.idle_hangup_s) == (60, None)
    assert settings.audio.echo_control == "auto"
    assert settings.control.mode == 0o660
    assert settings.audio_file.pace == "real_time"


def test_settings_cannot_be_changed_in_place():
    with pytest.raises(ValidationError):
        Settings().turn_detection.threshold = 0.1


def test_every_key_is_documented():
    assert [key.name for key in keys().values() if len(key.description) < 10] == []


def test_every_default_is_a_value_that_may_be_written():
    for key in keys().values():
        key.adapter.validate_python(key.default, strict=True)


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        (
            "service.base_url",
            ["ws://127.0.0.1:8765/v1/realtime", "wss://h"],
            ["https://h/", "wss://user:pw@h/", "wss://h/?key=1"],
        ),
        ("session.speed", [0.25, 1.5, 1], [0.24, 1.51, "1.0", True, float("nan")]),
        ("session.max_output_tokens", ["inf", 1, 4096], [0, 4097, "all", 1.5, float("inf")]),
        ("session.instructions", ["Be brief.", {"file": "/x"}, "file: /x"], ["", None, {"file": 3}, {"path": "/x"}]),
        ("session.transcription.language", [None, "en"], ["English", "", "EN"]),
        ("turn_detection.threshold", [0, 1, 0.7], [-0.01, 1.01, "0.7", False, None]),
        ("turn_detection.silence_duration_ms", [100, 10_000], [99, 10_001, 500.0, 500.5]),
        ("turn_detection.idle_timeout_ms", [None, 5000, 30_000], [0, 4999, 30_001]),
        ("turn_detection.type", ["server_vad", "semantic_vad", "none", "local"], ["silero", None, ""]),
        ("barge_in.mode", ["immediate", "confirm", "off"], ["on", True, None]),
        ("barge_in.confirm_after_ms", [0, 5000], [-1, 5001, 500.5, None]),
        ("barge_in.min_speech_ms", [0, 10_000], [-1, 10_001, "1000"]),
        ("barge_in.resume_delay_ms", [0, 10_000], [-1, 10_001, True]),
        ("barge_in.duck_db", [-60, 0, -12.5], [-60.1, 0.1, "-12"]),
        ("conversation.max_utterance_s", [5, 600, 59.5], [4.9, 601, None]),
        ("conversation.idle_hangup_s", [None, 10, 3600], [9.9, 3601, "null", 0]),
        ("budget.daily_usd", [None, 0, 2.5, 100_000], [-0.01, 100_001, "5", True, float("nan")]),
        ("budget.warn_fraction", [0, 1, 0.8], [-0.1, 1.1, None]),
        (
            "budget.prices",
            [{}, {"m": {}}, {"m": {"text_in": 4, "audio_out": 0.5}}, {"s": {"minute": 10_000}}],
            [None, [], {"": {}}, {"m": 4}, {"m": {"text": 4}}, {"m": {"text_in": -1}}, {"m": {"text_in": 10_001}}],
        ),
        ("audio.echo_control", ["auto", "aec", "gate", "half_duplex", "none"], ["on", None, "AEC"]),
        ("turn_detection.create_response", [True, False], ["yes", 1, None]),
        ("conversation.profile", [None, "noisy", "my-2nd_one"], ["../etc", "", "Noisy"]),
        ("audio.input_device", ["default", 0, 3, "3", "USB Audio"], [-1, "", 1.5, True, None]),
        ("audio.sample_rate", ["auto", 48_000], [7999, "fast", "48000"]),
        ("control.mode", ["0660", "0600", "0o666", 0o660], ["0777", "rw", 660, 0o640, None, True]),
        ("log.level", ["info", "DEBUG", "Warning"], ["loud", 10]),
    ],
)
def test_what_is_allowed_and_what_is_not(name, accepted, refused):
    adapter = keys()[name].adapter
    for value in accepted:
        adapter.validate_python(value, strict=True)
    for value in refused:
        with pytest.raises(ValidationError):
            adapter.validate_python(value, strict=True)


def test_a_device_in_digits_is_an_index():
    assert keys()["audio.input_device"].adapter.validate_python("2") == 2


def test_a_level_is_kept_in_small_letters():
    assert keys()["log.level"].adapter.validate_python("DEBUG") == "debug"


def test_a_bare_off_which_yaml_reads_as_false_is_the_mode_off():
    assert Settings.model_validate({"barge_in": {"mode": False}}).barge_in.mode == "off"


def test_a_mode_is_a_number_inside_and_octal_text_outside():
    adapter = keys()["control.mode"].adapter
    assert adapter.validate_python("0600") == 0o600
    assert adapter.dump_python(0o600, mode="json") == "0600"


def test_a_file_written_as_a_map_is_the_same_as_written_in_text():
    assert file_mapping({"file": "x.md"}) == "file: x.md"


def test_the_schema_names_every_section_and_forbids_others():
    schema = Settings.model_json_schema()
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(Settings.model_fields)
