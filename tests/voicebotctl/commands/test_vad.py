def test_the_wish_stands_beside_what_the_service_confirmed(ctl):
    assert ctl("vad", "set", "threshold=0.7").out.splitlines() == [
        "                        requested   confirmed by the service",
        "   type                 server_vad  server_vad",
        "*  threshold            0.7         0.7",
        "   prefix_padding_ms    -           -",
        "   silence_duration_ms  600         650",
        "   idle_timeout_ms      -           -",
        "   eagerness            -           -",
        "   create_response      -           -",
        "   interrupt_response   -           -",
        "barge-in: confirm confirm_after_ms=500 min_speech_ms=1000 resume_delay_ms=800 duck_db=-12.0",
        "          (so the box, not the service, creates and interrupts responses)",
        "applies: now, from the next turn on",
        "forgotten at a restart (--persist keeps it)",
    ]


def test_without_a_session_the_change_waits_for_the_next_one(ctl, daemon):
    daemon.answers["vad.set"] |= {"effective": None, "applied": "next_session", "profile": "noisy"}
    lines = ctl("vad", "set", "--profile", "noisy", "--persist").out.splitlines()
    assert lines[2] == "  threshold            0.7         no session"
    assert lines[-3:] == ["profile: noisy", "applies: in the next session", "kept over a restart"]


def test_a_value_out_of_range_is_refused_in_the_daemons_own_words(ctl, daemon):
    message = "Invalid params: threshold: 7.0 is not a number from 0 to 1"
    daemon.answers["vad.set"] = daemon.Fault(-32602, "rpc.invalid_params", message)
    outcome = ctl("vad", "set", "threshold=7")
    assert (outcome.code, outcome.out, outcome.err) == (1, "", f"voicebotctl: {message}\n")
    assert ctl("vad", "set", "threshold=7", "--json").error == {
        "code": -32602,
        "kind": "rpc.invalid_params",
        "message": message,
        "hint": "",
    }


def test_keys_may_stand_on_both_sides_of_a_flag(ctl, daemon):
    ctl("vad", "set", "threshold=0.7", "--persist", "type=server_vad")
    assert daemon.sent() == [("vad.set", {"threshold": 0.7, "type": "server_vad", "persist": True})]


def test_what_has_no_effect_is_noted(ctl, daemon):
    daemon.answers["vad.set"]["notes"] = ["eagerness has no effect while type is server_vad"]
    daemon.answers["vad.set"]["barge_in"]["mode"] = "immediate"
    lines = ctl("vad", "set", "eagerness=low").out.splitlines()
    assert lines[-4:-2] == ["barge-in: immediate", "note: eagerness has no effect while type is server_vad"]


def test_a_daemon_that_says_nothing_of_interruptions_has_its_turns_shown(ctl, daemon):
    del daemon.answers["vad.get"]["barge_in"]
    assert "barge-in" not in ctl("vad", "show").out


def test_no_idle_timeout_can_be_written_as_null(ctl, daemon):
    ctl("vad", "set", "idle_timeout_ms=null")
    assert daemon.sent() == [("vad.set", {"idle_timeout_ms": 0})]


def test_the_box_can_detect_turns_itself(ctl, daemon):
    ctl("vad", "set", "type=local")
    assert daemon.sent() == [("vad.set", {"type": "local"})]
