import pytest

from voicebotd.config.catalogue import (
    applies,
    check,
    describe,
    flatten,
    keys,
    sections,
    show,
    unknown,
)
from voicebotd.config.model import Settings


def test_keys_come_in_the_order_of_the_manual():
    names = list(keys())
    assert names[0] == "service.provider"
    assert names.index("session.transcription.model") < names.index("session.noise_reduction")
    assert [key.name for key in describe()] == names


def test_sections_have_no_value():
    assert "session.transcription" in sections()
    assert not sections() & set(keys())
    assert {"tools", "tools.appointments"} <= sections()


def test_the_settings_flatten_to_every_key_and_json_types():
    flat = flatten(Settings())
    assert list(flat) == list(keys())
    assert flat == {key.name: key.default for key in describe()}
    assert flat["control.mode"] == "0660"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("turn_detection.threshold", "a number from 0 to 1"),
        ("turn_detection.type", "server_vad, semantic_vad, none or local"),
        ("turn_detection.idle_timeout_ms", "a whole number from 5000 to 30000, or null (ms)"),
        ("session.max_output_tokens", "a whole number from 1 to 4096, or inf (tokens)"),
        ("audio.input_device", "a whole number from 0, or text"),
        ("history.enabled", "true or false"),
        ("control.mode", "0600, 0660 or 0666 (octal)"),
        ("service.base_url", "wss://HOST/PATH or ws://HOST/PATH without query"),
    ],
)
def test_the_range_is_said_in_words(name, words):
    assert keys()[name].allowed == words


@pytest.mark.parametrize(
    ("name", "when"),
    [("turn_detection.threshold", "live"), ("session.voice", "reconnect"), ("control.socket", "restart")],
)
def test_each_key_knows_when_a_change_takes_effect(name, when):
    assert applies(name) == when


def test_a_wrong_value_is_answered_with_value_range_and_source():
    value, problem = check("turn_detection.threshold", 7, "/etc/x.yaml")
    assert value is None
    assert str(problem) == "turn_detection.threshold: 7 is not allowed; allowed: a number from 0 to 1 (/etc/x.yaml)"


def test_text_counts_as_the_number_that_it_spells_only_where_nothing_else_can_be_written():
    assert check("turn_detection.threshold", "0.7", "--set", is_text=True) == (0.7, None)
    assert check("turn_detection.threshold", "0.7", "rpc")[1] is not None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("history.enabled", "false", False),
        ("session.max_output_tokens", "100", 100),
        ("session.max_output_tokens", "inf", "inf"),
        ("turn_detection.idle_timeout_ms", "null", None),
        ("conversation.greeting", "Yes: hello", "Yes: hello"),
        ("service.model", "null", "null"),
        ("control.mode", "0600", 0o600),
        ("log.level", "WARNING", "warning"),
    ],
)
def test_text_is_read_as_the_key_needs_it(name, text, value):
    assert check(name, text, "--set", is_text=True) == (value, None)


def test_an_unhashable_value_is_only_wrong():
    assert check("service.provider", ["azure"], "rpc")[1] is not None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("turn_detecton.threshold", "turn_detection.threshold"),
        ("threshold", "turn_detection.threshold"),
        ("treshold", "turn_detection.threshold"),
        ("vad.silence_duration_ms", "turn_detection.silence_duration_ms"),
        ("turn_detectoin", "turn_detection"),
        ("audio.blok_ms", "audio.block_ms"),
    ],
)
def test_a_mistyped_key_is_answered_with_the_nearest_one(typed, meant):
    assert unknown(typed, "f").hint == f"did you mean {meant}?"


def test_a_key_like_no_other_gets_no_guess():
    assert unknown("zzzzzzzz", "f").hint == ""


def test_a_value_is_shown_short_and_without_secrets():
    assert show("x" * 100) == "'" + "x" * 59 + "…"
    assert show("sk-abcdef0123456789") == "'***'"


def test_a_key_for_the_service_has_no_place_in_a_file() -> None:
    assert "OPENAI_API_KEY" in unknown("service.api_key", "f").hint


def test_prices_are_complained_of_place_by_place():
    _, problem = check("budget.prices", {"m": {"audio_inn": 3, "text_in": -1}}, "f")
    assert problem.message == (
        "m.audio_inn is unknown, did you mean audio_in?; m.text_in: -1 is not a number from 0 to 10000 (USD)"
    )
    _, problem = check("budget.prices", 7, "f")
    assert problem.message.startswith("7 is not allowed; allowed: a map of model names")
