from dataclasses import replace

from voicebotd.config.load import change, load
from voicebotd.config.reload import Change, diff


def test_equal_configurations_do_not_differ(tmp_path):
    loaded = load(environ={}, cwd=tmp_path, uid=990)
    assert diff(loaded, loaded) == []


def test_each_difference_says_old_new_source_and_when_it_takes_effect(tmp_path):
    before = load(environ={}, cwd=tmp_path, uid=990)
    after = change(
        before, {"control.max_clients": 8, "turn_detection.threshold": 0.7, "session.voice": "cedar"}, "f.yaml"
    )
    assert diff(before, after) == [
        Change(key="session.voice", old="marin", new="cedar", source="f.yaml", applied="reconnect"),
        Change(key="turn_detection.threshold", old=0.85, new=0.7, source="f.yaml", applied="live"),
        Change(key="control.max_clients", old=32, new=8, source="f.yaml", applied="restart"),
    ]


def test_another_text_in_the_same_instructions_file_is_a_difference(tmp_path):
    before = load(environ={}, cwd=tmp_path, uid=990)
    (change_,) = diff(before, replace(before, instructions="Other."))
    assert (change_.key, change_.old, change_.new) == (
        "session.instructions",
        "appointment_scheduler",
        "appointment_scheduler",
    )
    assert change_.applied == "live"
