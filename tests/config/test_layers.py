from pathlib import PurePath

import pytest

from voicebotd.config import layers as ly
from voicebotd.errors import ConfigError

VARIABLE = "VOICEBOTD_TURN_DETECTION__THRESHOLD"


def environment(values):
    return ly.environment_layer(values, {name: f"environment {name}" for name in values})


def problems_of(*layers):
    with pytest.raises(ConfigError) as caught:
        ly.resolve(layers)
    return [str(problem) for problem in caught.value.problems]


def test_nothing_said_means_the_defaults():
    resolved = ly.resolve([])
    assert resolved.settings.turn_detection.threshold == 0.85
    assert set(resolved.sources.values()) == {"default"}


def test_the_later_layer_wins_and_is_remembered():
    resolved = ly.resolve(
        [
            ly.document_layer({"turn_detection": {"threshold": 0.5, "silence_duration_ms": 700}}, "a.yaml"),
            ly.document_layer({"turn_detection": {"threshold": 0.6}}, "b.yaml"),
            environment({VARIABLE: "0.7"}),
            ly.command_line_layer(["turn_detection.threshold=0.8"]),
        ]
    )
    assert resolved.settings.turn_detection.threshold == 0.8
    assert resolved.sources["turn_detection.threshold"] == "--set"
    assert resolved.settings.turn_detection.silence_duration_ms == 700
    assert resolved.sources["turn_detection.silence_duration_ms"] == "a.yaml"
    assert resolved.sources["turn_detection.type"] == "default"


def test_the_environment_reaches_nested_sections():
    resolved = ly.resolve([environment({"VOICEBOTD_SESSION__TRANSCRIPTION__LANGUAGE": "de"})])
    assert resolved.settings.session.transcription.language == "de"
    assert (
        resolved.sources["session.transcription.language"] == "environment VOICEBOTD_SESSION__TRANSCRIPTION__LANGUAGE"
    )


def test_the_short_variables_work_and_the_long_ones_win():
    values = {"AUDIO_INPUT_DEVICE": "2", "AUDIO_OUTPUT_DEVICE": "USB: Speaker", "LOG_LEVEL": "DEBUG"}
    settings = ly.resolve([environment(values)]).settings
    assert (settings.audio.input_device, settings.audio.output_device, settings.log.level) == (
        2,
        "USB: Speaker",
        "debug",
    )
    assert ly.resolve([environment({**values, "VOICEBOTD_LOG__LEVEL": "error"})]).settings.log.level == "error"


def test_an_empty_short_variable_says_nothing():
    assert environment({"LOG_LEVEL": "", "AUDIO_INPUT_DEVICE": ""}).assignments == ()


def test_other_variables_are_not_ours():
    layer = environment({"PATH": "/bin", "VOICEBOTD_SOCKET": "/run/x", "VOICEBOTD_": "", "OPENAI_API_KEY": "x"})
    assert layer == ly.Layer()


def test_a_variable_with_one_underscore_too_few_is_answered_with_the_right_one():
    assert problems_of(environment({"VOICEBOTD_LOG_LEVEL": "debug"})) == [
        "VOICEBOTD_LOG_LEVEL: unknown (environment VOICEBOTD_LOG_LEVEL); did you mean VOICEBOTD_LOG__LEVEL?"
    ]


def test_every_problem_of_every_layer_is_reported_in_one_run():
    found = problems_of(
        ly.document_layer({"audio": {"blok_ms": 1, "volume_percent": 101}, "nonsense": {"a": 1, "b": 2}}, "f"),
        environment({"VOICEBOTD_AUDIO__STREAMS": "three", "VOICEBOTD_HISTORY__RECORDINGZ": "true"}),
        ly.command_line_layer(["turn_detection.threshold", "log=debug", "turn_detection.threshold=x"]),
    )
    assert [line.split(":")[0] for line in found] == [
        "audio.blok_ms",
        "nonsense",
        "audio.volume_percent",
        "history.recordingz",
        "audio.streams",
        "turn_detection.threshold",
        "log",
        "turn_detection.threshold",
    ]


def test_a_wrong_value_is_reported_even_where_a_higher_layer_hides_it():
    found = problems_of(
        ly.document_layer({"turn_detection": {"threshold": 9}}, "f"),
        ly.command_line_layer(["turn_detection.threshold=0.5"]),
    )
    assert found == ["turn_detection.threshold: 9 is not allowed; allowed: a number from 0 to 1 (f)"]


def test_a_secret_on_the_command_line_is_not_repeated():
    assert problems_of(ly.command_line_layer(["sk-abcdefghijkl"])) == ["***: is not KEY=VALUE (--set)"]


def test_an_empty_section_is_an_empty_section():
    assert ly.document_layer({"audio": None}, "f") == ly.Layer(is_file=True)


@pytest.mark.parametrize(
    ("tree", "name"),
    [
        ({"audio": 3}, "audio"),
        ({"audio": [1]}, "audio"),
        ({"session": {"transcription": None}}, "session.transcription"),
    ],
)
def test_a_value_in_the_place_of_a_section_is_refused(tree, name):
    (problem,) = ly.document_layer(tree, "f").problems
    assert problem.key == name
    assert "allowed: a map of " in problem.message


def test_keys_that_are_not_text_are_unknown_keys():
    assert problems_of(ly.document_layer({True: 1, 3: 2}, "f")) == ["True: unknown key (f)", "3: unknown key (f)"]


def test_relative_paths_are_meant_from_where_they_are_written():
    layer = ly.document_layer(
        {"session": {"instructions": "file: me.md"}, "history": {"path": "h.db"}, "control": {"socket": "auto"}}, "f"
    )
    settings = ly.resolve([ly.anchored(layer, PurePath("/etc/v"))]).settings
    assert settings.session.instructions == "file: /etc/v/me.md"
    assert settings.history.path == "/etc/v/h.db"
    assert settings.control.socket == "auto"


def test_an_instructions_file_may_be_written_as_a_map():
    layer = ly.anchored(ly.document_layer({"session": {"instructions": {"file": "/a.md"}}}, "f"), PurePath("/etc"))
    assert ly.resolve([layer]).settings.session.instructions == "file: /a.md"


@pytest.mark.parametrize("value", ["Be kind.", 3])
def test_instructions_that_are_no_file_stay_as_they_are(value):
    layer = ly.anchored(ly.values_layer({"session.instructions": value, "history.path": 4}, "f"), PurePath("/etc"))
    assert [each.value for each in layer.assignments] == [value, 4]


def profile():
    return ly.document_layer({"turn_detection": {"threshold": 0.95}}, "profile noisy")


def test_a_profile_beats_the_file_that_names_it_and_loses_to_the_next_one():
    naming = ly.document_layer({"conversation": {"profile": "noisy"}, "turn_detection": {"threshold": 0.5}}, "a")
    assert ly.resolve(ly.with_profile([naming], profile())).settings.turn_detection.threshold == 0.95
    later = ly.document_layer({"turn_detection": {"threshold": 0.6}}, "b")
    assert ly.resolve(ly.with_profile([naming, later], profile())).settings.turn_detection.threshold == 0.6


def test_a_profile_loses_to_what_was_said_one_by_one_in_the_same_place():
    file = ly.document_layer({"turn_detection": {"threshold": 0.5}}, "a")
    words = ly.command_line_layer(["conversation.profile=noisy", "turn_detection.silence_duration_ms=900"])
    settings = ly.resolve(ly.with_profile([file, words], profile())).settings
    assert (settings.turn_detection.threshold, settings.turn_detection.silence_duration_ms) == (0.95, 900)
    words = ly.command_line_layer(["conversation.profile=noisy", "turn_detection.threshold=0.7"])
    assert ly.resolve(ly.with_profile([file, words], profile())).settings.turn_detection.threshold == 0.7


def test_the_profile_of_the_highest_layer_is_chosen():
    a = ly.document_layer({"conversation": {"profile": "noisy"}}, "a")
    b = ly.command_line_layer(["conversation.profile=patient"])
    none = ly.command_line_layer(["conversation.profile=null"])
    bad = ly.command_line_layer(["conversation.profile=../x"])
    assert ly.chosen_profile([]) is None
    assert ly.chosen_profile([a]).value == "noisy"
    assert ly.chosen_profile([a, b]).value == "patient"
    assert ly.chosen_profile([a, none]) is None
    assert ly.chosen_profile([a, bad]) is None


def test_a_profile_cannot_name_a_profile():
    layer = ly.document_layer({"conversation": {"profile": "noisy", "autostart": False}}, "p")
    assert problems_of(ly.without_profile(layer)) == ["conversation.profile: a profile cannot name a profile (p)"]
    assert ly.without_profile(profile()) == profile()


def test_the_winner_of_a_key_that_nobody_says_is_its_default():
    assert ly.winner([], "log.level") == ly.Assignment(name="log.level", value="info", source="default")


def test_dotted_keys_become_maps_of_maps():
    assert ly.nested({"a.b": 1, "a.c.d": 2, "e": 3}) == {"a": {"b": 1, "c": {"d": 2}}, "e": 3}


@pytest.mark.parametrize(
    ("said", "blamed"),
    [
        ({"barge_in.min_speech_ms": 400}, "barge_in.min_speech_ms"),
        ({"barge_in.confirm_after_ms": 1500}, "barge_in.confirm_after_ms"),
        ({"barge_in.confirm_after_ms": 900, "barge_in.min_speech_ms": 800}, "barge_in.min_speech_ms"),
    ],
)
def test_a_noise_cannot_be_shorter_than_the_speech_that_pauses(said, blamed):
    (found,) = problems_of(ly.values_layer(said, "f"))
    assert found.startswith(f"{blamed}: ")
    assert "barge_in.min_speech_ms" in found
    assert "barge_in.confirm_after_ms" in found


def test_the_shortest_turn_may_begin_with_the_pause():
    said = {"barge_in.confirm_after_ms": 900, "barge_in.min_speech_ms": 900}
    assert ly.resolve([ly.values_layer(said, "f")]).settings.barge_in.min_speech_ms == 900


@pytest.mark.parametrize("device", [{}, {"audio.input_device": 3}, {"audio.input_device": "default"}])
def test_the_file_back_end_needs_a_file(device):
    (found,) = problems_of(ly.values_layer({"audio.backend": "file", **device}, "f"))
    assert found.startswith("audio.input_device: ")
    assert "allowed with audio.backend file: the path of a sound file" in found


def test_the_file_back_end_with_a_file_is_well():
    layer = ly.values_layer({"audio.backend": "file", "audio.input_device": "/x.wav"}, "f")
    assert ly.resolve([layer]).settings.audio.backend == "file"


@pytest.mark.parametrize("without", ["transcripts", "enabled"])
def test_no_sound_is_kept_where_no_words_are(without):
    said = {"history.recordings": True, f"history.{without}": False}
    (found,) = problems_of(ly.values_layer(said, "f"))
    assert found.startswith("history.recordings: ")
    assert f"with history.{without} false" in found


def test_sound_and_words_may_be_kept_together_or_both_not():
    for said in ({"history.recordings": True}, {"history.transcripts": False}):
        assert ly.resolve([ly.values_layer(said, "f")]).settings.history.recordings == ("history.recordings" in said)
