import pytest

GOOD = {
    "latency_ms": 61.5,
    "echo_return_loss_db": 20.04,
    "noise_floor_dbfs": -58.2,
    "verdict": "All is well.",
    "clipping": False,
    "problems": [],
    "advice": [],
    "recommended": {"echo_control": "aec", "volume_percent": 80},
    "applied": False,
    "noise_floor_a_dbfs": -62.0,
    "clipped_share": 0.0,
    "distortion_percent": 0.8,
    "echo_dbfs": -34.0,
    "drift_ppm": 1.0,
    "input": "USB mic",
    "output": "Speaker",
}
DEAD = {
    "latency_ms": None,
    "echo_return_loss_db": None,
    "echo_dbfs": None,
    "distortion_percent": None,
    "verdict": "The microphone is dead.",
    "problems": ["The microphone is dead.", "And something else."],
    "advice": ["Unmute it."],
    "recommended": None,
}


@pytest.fixture
def answer(daemon):
    daemon.answers["audio.selftest"] = dict(GOOD)
    return daemon.answers["audio.selftest"]


def test_a_good_room_takes_one_screen_and_exit_code_0(ctl, answer):
    outcome = ctl("selftest")
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "All is well.",
        "  devices     microphone USB mic, loudspeaker Speaker",
        "  echo        after 62 ms, 20.0 dB softer than what was played; the assistant arrives at -34 dBFS",
        "  noise       -58 dBFS (-62 as the ear weighs it)",
        "  distortion  0.8 %, microphone not overdriven",
        "  recommended echo control aec, volume 80 % (`voicebotctl selftest --apply` sets it)",
    ]


def test_what_was_applied_is_said_to_be_kept(ctl, answer, daemon):
    answer["applied"] = True
    assert "volume 80 % (set, and kept over a restart)" in ctl("selftest", "--apply").out
    assert daemon.sent() == [("audio.selftest", {"apply": True})]


def test_problems_come_first_with_what_to_do_and_exit_code_1(ctl, answer):
    answer.update(DEAD)
    outcome = ctl("selftest")
    assert outcome.code == 1
    assert outcome.err == ""
    assert outcome.out.splitlines() == [
        "The microphone is dead.",
        "And something else.",
        "  to do       Unmute it.",
        "  devices     microphone USB mic, loudspeaker Speaker",
        "  echo        none was heard",
        "  noise       -58 dBFS (-62 as the ear weighs it)",
        "  no settings are recommended while it is so",
    ]


def test_an_overdriven_microphone_is_said_to_be_so(ctl, answer):
    answer.update(clipping=True, echo_return_loss_db=-6.0)
    out = ctl("selftest").out
    assert "microphone overdriven" in out
    assert "6.0 dB louder than what was played" in out


def test_a_daemon_that_tells_only_what_it_must_is_understood(ctl, daemon):
    assert ctl("selftest").out.splitlines() == [
        "The room suits it.",
        "  echo        after 62 ms, 6.0 dB softer than what was played",
        "  noise       -62 dBFS",
        "  recommended echo control aec, volume 80 % (`voicebotctl selftest --apply` sets it)",
    ]
    daemon.answers["audio.selftest"]["noise_floor_dbfs"] = None
    assert "noise" not in ctl("selftest").out


def test_json_is_the_daemons_answer_with_the_same_exit_code(ctl, answer):
    outcome = ctl("selftest", "--json")
    assert (outcome.code, outcome.document) == (0, GOOD)
    answer.update(DEAD)
    outcome = ctl("selftest", "--json")
    assert (outcome.code, outcome.document["recommended"]) == (1, None)


def test_a_busy_loudspeaker_is_the_daemons_error(ctl, daemon):
    daemon.answers["audio.selftest"] = daemon.Fault(
        1015, "audio.busy", "the assistant is using the loudspeaker", "try again when it is silent"
    )
    outcome = ctl("selftest")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == "voicebotctl: the assistant is using the loudspeaker; try again when it is silent\n"


def test_help_tells_what_the_exit_code_means(ctl):
    outcome = ctl("selftest", "--help")
    assert outcome.code == 0
    assert "exit code 1 when a problem is left" in " ".join(outcome.out.split())
    assert "--apply" in outcome.out
