import os
import stat

import pytest
import yaml

from voicebotd.config import load as module
from voicebotd.config.load import Kept, change, forget, load, persist, returned, to_persist
from voicebotd.errors import ConfigError

THRESHOLD = "turn_detection.threshold"


class Box:
    """A box's directories in a temporary place."""

    def __init__(self, root):
        self.etc, self.state, self.cwd = root / "etc", root / "state", root / "cwd"
        for path in (self.etc / "conf.d", self.etc / "profiles", self.state, self.cwd):
            path.mkdir(parents=True)
        self.file = self.etc / "voicebotd.yaml"
        self.environ = {
            "CONFIGURATION_DIRECTORY": str(self.etc),
            "STATE_DIRECTORY": str(self.state),
            "RUNTIME_DIRECTORY": "/run/voicebotd",
        }

    def load(self, *set_words, **environ):
        return load(environ={**self.environ, **environ}, cwd=self.cwd, set_words=set_words, uid=990)

    def problems(self, *set_words, **environ):
        with pytest.raises(ConfigError) as caught:
            self.load(*set_words, **environ)
        return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def refused(loaded, values):
    with pytest.raises(ConfigError) as caught:
        change(loaded, values)
    return [str(problem) for problem in caught.value.problems]


def test_without_any_file_the_defaults_hold(box):
    loaded = box.load()
    assert loaded.settings.turn_detection.threshold == 0.85
    assert loaded.files == ()
    assert "appointment" in loaded.instructions


def test_each_place_wins_over_the_one_before(box):
    def threshold(*words, **environ):
        loaded = box.load(*words, **environ)
        return loaded.settings.turn_detection.threshold, loaded.sources[THRESHOLD]

    def say(path, value):
        path.write_text(f"turn_detection: {{threshold: {value}}}\n")
        return value, str(path)

    variable = "VOICEBOTD_TURN_DETECTION__THRESHOLD"
    assert threshold() == (0.85, "default")
    assert say(box.file, 0.1) == threshold()
    assert say(box.etc / "conf.d" / "10.yaml", 0.2) == threshold()
    assert say(box.etc / "conf.d" / "20.yaml", 0.3) == threshold()
    assert say(box.state / "overrides.yaml", 0.4) == threshold()
    (box.cwd / ".env").write_text(f"{variable}=0.5\n")
    assert threshold() == (0.5, f"{box.cwd}/.env {variable}")
    assert threshold(**{variable: "0.6"}) == (0.6, f"environment {variable}")
    assert threshold(f"{THRESHOLD}=0.7", **{variable: "0.6"}) == (0.7, "--set")
    assert [path.name for path in box.load().files] == ["voicebotd.yaml", "10.yaml", "20.yaml", "overrides.yaml"]


def test_maps_are_merged(box):
    box.file.write_text("session: {voice: cedar, transcription: {model: whisper-1}}\n")
    (box.etc / "conf.d" / "a.yaml").write_text("session: {transcription: {language: de}}\n")
    session = box.load().settings.session
    assert (session.voice, session.transcription.model, session.transcription.language) == ("cedar", "whisper-1", "de")


def test_a_named_configuration_file_replaces_the_usual_one(box, tmp_path):
    box.file.write_text("log: {level: error}\n")
    (tmp_path / "other.yaml").write_text("audio: {block_ms: 20}\n")
    loaded = load(environ=box.environ, cwd=tmp_path, config_file=tmp_path / "other.yaml", uid=990)
    assert (loaded.settings.log.level, loaded.settings.audio.block_ms) == ("info", 20)


def test_a_named_configuration_file_must_exist(box, tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: no such file"):
        load(environ=box.environ, cwd=tmp_path, config_file=tmp_path / "nowhere.yaml", uid=990)


def test_a_relative_configuration_file_is_meant_from_the_current_directory(box, tmp_path):
    (tmp_path / "other.yaml").touch()
    loaded = load(environ=box.environ, cwd=tmp_path, config_file=module.Path("other.yaml"), uid=990)
    assert loaded.files == (tmp_path / "other.yaml",)


def test_everything_that_is_wrong_is_said_in_one_run(box):
    box.file.write_text("audio: {blok_ms: 1}\nlog: {level: info\n")
    (box.etc / "conf.d" / "a.yaml").write_bytes(b"\xff")
    (box.etc / "conf.d" / "b.yaml").mkdir()
    (box.state / "overrides.yaml").write_text("- 1\n")
    (box.cwd / ".env").write_text("nonsense\n")
    found = box.problems(f"{THRESHOLD}=2", "conversation.profile=loud", "session.instructions=file: gone.md")
    assert len(found) == 8
    for line, part in zip(
        found,
        [
            "voicebotd.yaml: line 3, column 1: ",
            "a.yaml: not UTF-8 text",
            "b.yaml: cannot be read: Is a directory",
            "overrides.yaml: must be a map of keys, not list",
            ".env: line 1 is not NAME=value",
            "turn_detection.threshold: '2' is not allowed; allowed: a number from 0 to 1 (--set)",
            "conversation.profile: no profile loud; there are default, noisy, patient, responsive (--set)",
            f"session.instructions: {box.cwd}/gone.md cannot be read: No such file or directory (--set)",
        ],
        strict=True,
    ):
        assert part in line


def test_a_profile_is_layered_where_it_is_named(box):
    box.file.write_text("conversation: {profile: noisy}\nturn_detection: {threshold: 0.5, prefix_padding_ms: 100}\n")
    loaded = box.load()
    assert loaded.settings.turn_detection.threshold == 0.95
    assert loaded.sources[THRESHOLD].startswith("profile noisy (")
    assert box.load(f"{THRESHOLD}=0.6").settings.turn_detection.threshold == 0.6
    assert box.load("conversation.profile=null").settings.turn_detection.threshold == 0.5


def test_an_own_profile_is_found_beside_the_configuration(box):
    (box.etc / "profiles" / "mine.yaml").write_text("session: {instructions: 'file: mine.md'}\n")
    (box.etc / "profiles" / "mine.md").write_text("Mine.\n")
    assert box.load("conversation.profile=mine").instructions == "Mine."


def test_a_broken_profile_is_reported(box):
    (box.etc / "profiles" / "mine.yaml").write_text("conversation: {profile: noisy}\nx: 1\n")
    assert [line.split(":")[0] for line in box.problems("conversation.profile=mine")] == ["x", "conversation.profile"]


def test_instructions_are_a_name_a_file_or_a_text(box):
    (box.etc / "me.md").write_text("\nBe brief.\n")
    box.file.write_text("session: {instructions: 'file: me.md'}\n")
    assert box.load().instructions == "Be brief."
    assert box.load("session.instructions=Be kind.").instructions == "Be kind."
    assert box.load("session.instructions=appointment_scheduler").instructions.startswith("# Who you are")


@pytest.mark.parametrize(("content", "message"), [(b" \n", "is empty"), (b"\xff", "is not UTF-8 text")])
def test_instructions_that_say_nothing_are_refused(box, content, message):
    (box.cwd / "me.md").write_bytes(content)
    assert box.problems("session.instructions=file: me.md") == [
        f"session.instructions: {box.cwd}/me.md {message} (--set)"
    ]


def test_instructions_of_a_wrong_type_are_reported_once(box):
    box.file.write_text("session: {instructions: 3}\n")
    assert box.problems() == [f"session.instructions: 3 is not allowed; allowed: text ({box.file})"]


def test_a_user_service_keeps_its_socket_private_unless_told_otherwise(tmp_path):
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    loaded = load(environ=environ, cwd=tmp_path)
    assert (loaded.settings.control.mode, loaded.settings.control.group) == (0o600, None)
    assert loaded.sources["control.mode"] == "default of a user service"
    assert load(environ=environ, cwd=tmp_path, set_words=["control.mode=0660"]).settings.control.mode == 0o660


def test_a_change_gives_a_new_configuration_and_leaves_the_old(box):
    before = box.load("audio.volume_percent=50")
    after = change(before, {THRESHOLD: 0.7, "control.mode": "0600"})
    assert before.settings.turn_detection.threshold == 0.85
    assert (after.settings.turn_detection.threshold, after.sources[THRESHOLD]) == (0.7, "rpc")
    assert after.settings.control.mode == 0o600
    assert (after.settings.audio.volume_percent, after.sources["audio.volume_percent"]) == (50, "--set")


def test_a_change_is_judged_like_a_file(box):
    assert refused(
        box.load(), {THRESHOLD: 2, "turn_detection.prefix_padding_ms": "6", "treshold": 1, "history.recordings": 7}
    ) == [
        "treshold: unknown key (rpc); did you mean turn_detection.threshold?",
        "turn_detection.threshold: 2 is not allowed; allowed: a number from 0 to 1 (rpc)",
        "turn_detection.prefix_padding_ms: '6' is not allowed; allowed: a whole number from 0 to 5000 (ms) (rpc)",
        "history.recordings: 7 is not allowed; allowed: true or false (rpc)",
    ]


def test_a_change_to_a_profile_brings_its_values_but_not_over_those_beside_it(box):
    before = box.load(f"{THRESHOLD}=0.5")
    after = change(before, {"conversation.profile": "noisy", "turn_detection.prefix_padding_ms": 900})
    assert after.settings.turn_detection.threshold == 0.95
    assert after.settings.turn_detection.silence_duration_ms == 1500
    assert after.settings.turn_detection.prefix_padding_ms == 900
    again = change(after, {THRESHOLD: 0.7})
    assert again.settings.turn_detection.threshold == 0.7
    assert again.settings.conversation.profile == "noisy"
    assert "no profile zz" in refused(before, {"conversation.profile": "zz"})[0]


def test_a_change_reads_instructions_only_when_they_are_what_changes(box):
    path = box.etc / "me.md"
    path.write_text("One.")
    before = box.load(f"session.instructions=file: {path}")
    path.unlink()
    assert change(before, {THRESHOLD: 0.7}).instructions == "One."
    assert change(before, {"session.instructions": "Two."}).instructions == "Two."
    assert "cannot be read" in refused(before, {"session.instructions": f"file: {path}"})[0]


def test_what_was_persisted_comes_back(box):
    before = box.load()
    values = {THRESHOLD: 0.7}
    persist(before.paths.overrides_file, to_persist(change(before, values), values))
    more = {"turn_detection.silence_duration_ms": 600, "turn_detection.idle_timeout_ms": None}
    persist(before.paths.overrides_file, Kept(values=more))
    after = box.load()
    assert after.settings.turn_detection.threshold == 0.7
    assert after.settings.turn_detection.silence_duration_ms == 600
    assert after.sources[THRESHOLD] == str(box.state / "overrides.yaml")


def test_a_persisted_profile_wins_over_values_that_were_persisted_before(box):
    path = box.state / "overrides.yaml"
    persist(path, Kept(values={THRESHOLD: 0.7}))
    before = box.load()
    # Tried first and persisted second, as people do.
    tried = change(before, {"conversation.profile": "noisy"})
    values = {"conversation.profile": "noisy"}
    persist(path, to_persist(change(tried, values), values))
    assert box.load().settings.turn_detection.threshold == 0.95
    persist(path, Kept(values={THRESHOLD: 0.6}))
    assert box.load().settings.turn_detection.threshold == 0.6
    assert box.load().settings.turn_detection.silence_duration_ms == 1500


def test_a_persisted_profile_is_its_name_so_that_its_file_says_what_it_sets(box):
    path = box.state / "overrides.yaml"
    values = {"conversation.profile": "noisy", THRESHOLD: 0.9}
    persist(path, to_persist(change(box.load(), values), values))
    assert yaml.safe_load(path.read_text()) == {
        "conversation": {"profile": "noisy"},
        "turn_detection": {"threshold": 0.9},
    }
    again = box.load()
    assert (again.settings.turn_detection.threshold, again.settings.barge_in.min_speech_ms) == (0.9, 1300)


def own_profile(box, name, text):
    (box.etc / "profiles" / f"{name}.yaml").write_text(text)


def test_another_profile_begins_where_there_was_none(box):
    own_profile(
        box, "deaf", f"turn_detection: {{threshold: 0.99}}\nsession: {{instructions: 'file: {box.etc}/x.md'}}\n"
    )
    (box.etc / "x.md").write_text("Shout.")
    own_profile(box, "hasty", "barge_in: {resume_delay_ms: 100}\n")
    deaf = change(box.load(f"{THRESHOLD}=0.6", "conversation.profile=hasty"), {"conversation.profile": "deaf"})
    assert (deaf.settings.turn_detection.threshold, deaf.instructions) == (0.99, "Shout.")
    assert deaf.settings.barge_in.resume_delay_ms == 800
    hasty = change(deaf, {"conversation.profile": "hasty"})
    assert (hasty.settings.turn_detection.threshold, hasty.sources[THRESHOLD]) == (0.6, "--set")
    assert hasty.settings.barge_in.resume_delay_ms == 100
    assert "appointment" in hasty.instructions
    none = change(hasty, {"conversation.profile": None})
    assert (none.settings.barge_in.resume_delay_ms, none.sources["barge_in.resume_delay_ms"]) == (800, "default")


def test_what_was_set_over_a_profile_stays_when_the_profile_goes(box):
    tuned = change(box.load("conversation.profile=noisy"), {"turn_detection.silence_duration_ms": 700})
    after = change(tuned, {"conversation.profile": None})
    assert after.settings.turn_detection.silence_duration_ms == 700
    assert after.settings.turn_detection.threshold == 0.85


def test_what_was_lent_is_returned_and_what_was_set_meanwhile_stays(box):
    own_profile(box, "brief", "session: {instructions: Be brief.}\nbarge_in: {duck_db: -20}\n")
    before = box.load("conversation.profile=noisy")
    lent = change(before, {"conversation.profile": "brief"}, "conversation.start")
    assert (lent.instructions, lent.settings.turn_detection.threshold) == ("Be brief.", 0.85)
    tuned = change(lent, {"turn_detection.silence_duration_ms": 700})
    after = returned(tuned, before, lent)
    assert after.settings.conversation.profile == "noisy"
    assert after.settings.turn_detection.threshold == 0.95
    assert after.settings.turn_detection.silence_duration_ms == 700
    assert after.instructions == before.instructions
    assert after.beneath.keys() == before.beneath.keys() - {"turn_detection.silence_duration_ms"}
    assert returned(lent, before, lent) == before


def test_a_profile_beneath_which_instructions_are_gone_is_not_left_quietly(box):
    own_profile(box, "brief", "session: {instructions: Be brief.}\n")
    path = box.etc / "me.md"
    path.write_text("One.")
    brief = box.load(f"session.instructions=file: {path}")
    brief = change(brief, {"conversation.profile": "brief"})
    path.unlink()
    assert "cannot be read" in refused(brief, {"conversation.profile": None})[0]


def test_persisted_changes_are_private_and_leave_nothing_behind(box):
    path = box.state / "deep" / "overrides.yaml"
    persist(path, Kept(values={"control.mode": "0600"}))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert yaml.safe_load(path.read_text()) == {"control": {"mode": "0600"}}
    assert os.listdir(path.parent) == ["overrides.yaml"]


def test_a_persisted_value_can_be_forgotten(box):
    path = box.state / "overrides.yaml"
    persist(path, Kept(values={THRESHOLD: 0.7, "turn_detection.silence_duration_ms": 600}))
    forget(path, [THRESHOLD, "log.level"])
    assert yaml.safe_load(path.read_text()) == {"turn_detection": {"silence_duration_ms": 600}}
    forget(path, ["turn_detection.silence_duration_ms"])
    assert box.load().settings.turn_detection.silence_duration_ms == 1200


def test_forgetting_what_was_never_persisted_touches_nothing(box):
    forget(box.state / "overrides.yaml", [THRESHOLD])
    assert os.listdir(box.state) == []


def test_a_persisted_file_that_cannot_be_understood_is_left_alone(box):
    path = box.state / "overrides.yaml"
    path.write_text("a: [\n")
    with pytest.raises(ConfigError, match="line 2, column 1"):
        persist(path, Kept(values={THRESHOLD: 0.7}))
    assert path.read_text() == "a: [\n"


def test_a_full_disk_leaves_the_old_file_and_no_part_of_a_new_one(box, monkeypatch):
    path = box.state / "overrides.yaml"
    persist(path, Kept(values={THRESHOLD: 0.7}))

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(ConfigError, match=r"overrides\.yaml: cannot be written: No space left on device"):
        persist(path, Kept(values={THRESHOLD: 0.1}))
    assert yaml.safe_load(path.read_text()) == {"turn_detection": {"threshold": 0.7}}
    assert os.listdir(box.state) == ["overrides.yaml"]
