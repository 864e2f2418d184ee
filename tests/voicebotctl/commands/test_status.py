import time

import pytest

from voicebotctl.commands.status import screen
from voicebotctl.render import Style

PLAIN = Style(colour=False)


BARGE_IN = (
    "  barge-in        confirm: softer by 12 dB, pauses after 500 ms, stops for speech of 1000 ms, "
    "else goes on after 800 ms"
)


@pytest.fixture
def status(daemon):
    return daemon.answers["status.get"]


def test_when_all_is_well_one_screen_answers_every_question(status):
    began = time.strftime("%H:%M:%S", time.localtime(1_700_000_000))
    assert screen(status, PLAIN).splitlines() == [
        "voicebotd 0.1.0: listening, up 3 h 12 min",
        f"  listening  yes  conversation c1 since {began}, 4 turns",
        "  hears      yes  USB mic, -30 dBFS [#####.....]",
        "  is heard   yes  USB speaker, volume 80 %, latency 21 ms, duplex at 48000 Hz",
        "  connected  yes  openai gpt-x, session 1 min 5 s old",
        "  echo            aec (auto: the echo canceller is installed)",
        "  costs           $0.0123 this conversation (1234 tokens), $1.50 today",
        "  turns           server_vad threshold=0.7 silence_duration_ms=600",
        BARGE_IN,
    ]


def test_a_cap_and_a_model_without_a_price_stand_behind_the_costs(status):
    status["usage"] |= {"cap": "daily", "cap_usd": 2.0, "fraction": 0.75, "unpriced": ["llama\x1b"]}
    assert "  costs           $0.0123 this conversation (1234 tokens), $1.50 today; 75% of today's cap of $2.00; " in (
        screen(status, PLAIN)
    )
    assert "no price is known for llama\n" in screen(status, PLAIN)
    status["usage"] |= {"cap": "session", "unpriced": []}
    assert screen(status, PLAIN).count("75% of the cap of one conversation of $2.00\n") == 1


def test_a_daemon_that_does_nothing_yet_says_how_to_begin(status):
    status |= {"conversation": None, "listening": False, "vad": None}
    lines = screen(status, PLAIN).splitlines()
    assert lines[1] == "  listening  no   no conversation: `voicebotctl start` begins one"
    assert not any("turns" in line for line in lines)


def test_a_muted_microphone_is_said_with_the_remedy(status):
    status["audio"]["muted"] = True
    assert "the microphone is muted: `voicebotctl unmute`" in screen(status, PLAIN)


def test_lost_audio_says_why(status):
    status["audio"] |= {"state": "lost", "reason": "no such device"}
    status |= {"hears": False, "speaks": False}
    lines = screen(status, PLAIN).splitlines()
    assert lines[2] == "  hears      no   audio is lost: no such device"
    assert lines[3] == "  is heard   no   audio is lost: no such device"


def test_audio_without_a_reason_says_its_state(status):
    status["audio"]["state"] = "off"
    assert "audio is off\n" in screen(status, PLAIN)


def test_faults_of_the_sound_are_counted_and_unknowns_left_out(status):
    status["audio"] |= {
        "xruns": 3,
        "respawns": 1,
        "sample_rate_hz": None,
        "latency_ms": None,
        "input": "",
        "output": "",
    }
    text = screen(status, PLAIN)
    assert "(no microphone), -30 dBFS" in text
    assert "(no loudspeaker), volume 80 %, duplex, 3 xruns, 1 respawns" in text


def test_a_link_that_is_down_says_why_and_when_it_tries_again(status):
    status["link"] |= {"state": "waiting", "last_error": "connection refused", "retry_in_s": 12.3}
    line = screen(status, PLAIN).splitlines()[4]
    assert line == "  connected  no   openai gpt-x, waiting: connection refused, next attempt in 12 s"


def test_a_link_that_nobody_wants_has_no_error(status):
    status["link"] |= {"state": "down", "last_error": None}
    assert "openai gpt-x, down\n" in screen(status, PLAIN)


def test_the_profile_in_force_is_named(status):
    status["profile"] = "noisy"
    assert "silence_duration_ms=600, profile noisy\n" in screen(status, PLAIN)


def test_what_is_known_of_the_echo_stands_beside_the_rung(status):
    status["audio"]["echo"] = {
        "rung": "aec",
        "why": "as configured",
        "erle_db": 38.9,
        "delay_ms": 61.4,
        "drift_ppm": -12.0,
    }
    assert "aec (as configured), removes 39 dB, delay 61 ms, drift -12 ppm\n" in screen(status, PLAIN)


@pytest.mark.parametrize(
    ("mode", "said"), [("immediate", "falls silent at the first sign of speech"), ("off", "does not listen while it")]
)
def test_what_speech_over_the_assistant_does_is_said(status, mode, said):
    status["barge_in"]["mode"] = mode
    assert "silence_duration_ms=600 create_response=true\n" in screen(status, PLAIN), "here the service does it"
    assert f"  barge-in        {mode}: {said}" in screen(status, PLAIN)


def test_a_box_that_dozes_is_closed_to_the_service_on_purpose(status):
    status |= {"state": "dozing"}
    status["link"] |= {"state": "off"}
    assert "  connected  no   not while nobody speaks: a voice opens it again\n" in screen(status, PLAIN)


def test_a_daemon_without_a_word_on_echo_and_barge_in_has_the_rest_shown(status):
    del status["audio"]["echo"], status["barge_in"]
    text = screen(status, PLAIN)
    assert "  echo            aec (not said why)\n" in text
    assert "barge-in" not in text


def test_what_is_wrong_and_what_to_do_come_last_and_once(status):
    status["reason"] = "the key was refused"
    status["hints"] = ["put a valid key into the credential"]
    status["health"] = {
        "link": {
            "ok": False,
            "state": "refused",
            "reason": "the key was refused",
            "hint": "put a valid key into the credential",
        },
        "store": {"ok": False, "state": "degraded", "reason": "", "hint": "free some space"},
    }
    assert screen(status, PLAIN).splitlines()[-4:] == [
        "  problem    link: the key was refused",
        "  problem    store: degraded",
        "  to do      put a valid key into the credential",
        "  to do      free some space",
    ]


def test_a_reason_that_no_part_gives_is_said_first(status):
    status["reason"] = "the daily budget is spent"
    assert screen(status, PLAIN).splitlines()[-1] == "  problem    the daily budget is spent"


def test_in_colour_the_columns_are_the_same(status):
    status["listening"] = False
    coloured = screen(status, Style(colour=True))
    for code in ("\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == screen(status, PLAIN)


def test_nothing_from_the_daemon_breaks_the_screen(status):
    status["audio"]["input"] = "evil\x1b[2J\nname"
    assert "evil[2J name" in screen(status, PLAIN)


def test_a_status_of_another_shape_is_a_protocol_mismatch(ctl, daemon):
    daemon.answers["status.get"] = {"state": "listening"}
    outcome = ctl("status")
    assert (outcome.code, outcome.out) == (76, "")
    assert ctl("status", "--json").document == {"state": "listening"}


def test_a_compatible_server_is_named_with_what_it_lacks(status):
    lacking = "truncate: the service remembers what was not heard"
    status["link"] |= {"provider": "compatible", "server": "localai", "shape": "ga", "missing": [lacking]}
    told = screen(status, PLAIN)
    assert "  connected  yes  compatible (localai, ga) gpt-x, session" in told
    assert f"  lacking    {lacking}" in told.splitlines()


def test_a_compatible_server_of_which_nothing_is_known_yet_is_only_called_so(status):
    status["link"] |= {"provider": "compatible", "server": "", "shape": "", "missing": []}
    told = screen(status, PLAIN)
    assert "  connected  yes  compatible gpt-x, session" in told
    assert "lacking" not in told
