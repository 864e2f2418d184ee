"""The files that people read and edit say what the program does."""

from itertools import pairwise
from pathlib import Path

import pytest

from voicebotd.config.catalogue import check, describe, flatten, keys
from voicebotd.config.document import parse
from voicebotd.config.layers import document_layer, resolve
from voicebotd.config.model import Settings
from voicebotd.config.paths import SHIPPED

CONFIG = Path(__file__).parents[2] / "config"
PROFILES = sorted(path.stem for path in (CONFIG / "profiles").glob("*.yaml"))


def layer(path):
    tree, problems = parse(path.read_text(encoding="utf-8"), str(path))
    assert problems == []
    return document_layer(tree, str(path))


def test_the_package_ships_the_repositorys_own_files():
    assert SHIPPED.resolve() == CONFIG.resolve()


def test_the_configuration_file_has_every_key_and_no_other_in_the_manuals_order():
    found = layer(CONFIG / "voicebotd.yaml")
    assert found.problems == ()
    assert [each.name for each in found.assignments] == list(keys())


def test_the_configuration_file_equals_the_defaults():
    resolved = resolve([layer(CONFIG / "voicebotd.yaml")])
    assert resolved.settings == Settings()
    assert flatten(resolved.settings) == {key.name: key.default for key in describe()}


def test_the_configuration_file_explains_every_key():
    lines = (CONFIG / "voicebotd.yaml").read_text(encoding="utf-8").splitlines()
    explained = {"output_device"}  # together with input_device above it
    for before, line in pairwise(lines):
        if before.lstrip().startswith("#"):
            explained.add(line.strip().partition(":")[0])
    assert {name.rpartition(".")[2] for name in keys()} <= explained


def test_the_profiles_are_those_of_the_contract():
    assert PROFILES == ["default", "noisy", "patient", "responsive"]


@pytest.mark.parametrize(
    ("name", "threshold", "silence_duration_ms", "min_speech_ms", "resume_delay_ms"),
    [
        ("default", 0.85, 1200, 1000, 800),
        ("noisy", 0.95, 1500, 1300, 800),
        ("responsive", 0.8, 800, 800, 500),
        ("patient", 0.85, 2000, 1000, 1500),
    ],
)
def test_a_profile_has_its_values(name, threshold, silence_duration_ms, min_speech_ms, resume_delay_ms):
    settings = resolve([layer(CONFIG / "profiles" / f"{name}.yaml")]).settings
    vad, barge_in = settings.turn_detection, settings.barge_in
    assert (vad.threshold, vad.silence_duration_ms) == (threshold, silence_duration_ms)
    assert (barge_in.min_speech_ms, barge_in.resume_delay_ms) == (min_speech_ms, resume_delay_ms)


def test_no_profile_decides_whether_the_box_may_be_interrupted():
    for name in PROFILES:
        assert "barge_in.mode" not in {each.name for each in layer(CONFIG / "profiles" / f"{name}.yaml").assignments}


def test_profiles_set_the_same_keys_so_that_one_leaves_no_trace_of_another():
    names = {name: {each.name for each in layer(CONFIG / "profiles" / f"{name}.yaml").assignments} for name in PROFILES}
    assert len(set(map(frozenset, names.values()))) == 1


def test_the_default_profile_undoes_the_others():
    assert resolve([layer(CONFIG / "profiles" / "default.yaml")]).settings == Settings()


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_explains_itself_and_changes_only_what_can_change_live(name):
    path = CONFIG / "profiles" / f"{name}.yaml"
    assert path.read_text(encoding="utf-8").startswith(f"# {name}: ")
    for each in layer(path).assignments:
        assert keys()[each.name].applies == "live"
        assert check(each.name, each.value, "f")[1] is None


@pytest.mark.parametrize(
    "fact",
    [
        "30 minutes",
        "1 hour",
        "2 hours",
        "one question at a time",
        "Never invent",
        "interrupted",
        "You do not know what day it is",
        "check_availability",
        "confirmation code",
        "somebody else",
    ],
)
def test_the_built_in_instructions_say_what_they_must(fact):
    assert fact in (CONFIG / "instructions" / "appointment_scheduler.md").read_text(encoding="utf-8")
