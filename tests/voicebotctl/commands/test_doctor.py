import pytest


def checks(outcome):
    return {check["check"]: check for check in outcome.document["checks"]}


def test_a_healthy_box_passes_every_check(ctl):
    outcome = ctl("doctor", "--json")
    assert outcome.code == 0
    assert outcome.document["ok"] is True
    assert list(checks(outcome)) == ["socket", "daemon", "audio", "echo", "link", "key"]
    assert all(check["ok"] for check in outcome.document["checks"])


@pytest.mark.parametrize(
    ("rung", "installed", "mode", "ok", "remedy"),
    [
        ("aec", True, "confirm", True, ""),
        ("half_duplex", False, "off", True, ""),
        ("gate", False, "confirm", None, "pip install 'voicebotd[aec]'"),
        ("gate", True, "confirm", None, "voicebotctl selftest"),
        ("none", True, "confirm", None, "audio.echo_control=auto"),
    ],
)
def test_what_is_done_about_the_echo_is_judged_and_what_could_be_better_is_named(
    ctl, daemon, rung, installed, mode, ok, remedy
):
    daemon.answers["status.get"]["audio"]["echo"] |= {"rung": rung, "why": "because", "aec_installed": installed}
    daemon.answers["status.get"]["barge_in"]["mode"] = mode
    outcome = ctl("doctor", "--json")
    echo = checks(outcome)["echo"]
    assert (echo["ok"], echo["reason"]) == (ok, f"{rung}: because")
    assert remedy in echo["remedy"]
    assert outcome.code == 0, "nothing of it keeps the box from talking"


def test_a_daemon_that_says_nothing_about_echo_is_not_judged(ctl, daemon):
    del daemon.answers["status.get"]["audio"]["echo"]
    assert "echo" not in checks(ctl("doctor", "--json"))


def test_without_a_daemon_the_socket_is_the_finding(away):
    outcome = away("doctor")
    assert (outcome.code, outcome.err) == (69, "")
    assert outcome.out.startswith("FAILED  socket")
    assert "is it running?" in outcome.out


def test_a_daemon_that_does_not_answer_is_the_finding(ctl, daemon):
    daemon.answers["status.get"] = None
    outcome = ctl("doctor", "--json", "--timeout", "0.05")
    assert outcome.code == 75
    assert checks(outcome)["socket"]["ok"] is True
    assert checks(outcome)["daemon"]["ok"] is False


def test_each_part_says_why_not_and_what_to_do(ctl, daemon):
    daemon.answers["status.get"]["health"] = {
        "audio": {"ok": False, "state": "lost", "reason": "no such device", "hint": "plug it in"},
        "store": {"ok": False, "state": "degraded", "reason": "disk full", "hint": "free some space"},
    }
    outcome = ctl("doctor")
    assert outcome.code == 1
    assert "FAILED  audio     no such device; plug it in\n" in outcome.out
    assert "FAILED  store     disk full; free some space\n" in outcome.out


def test_where_a_part_says_nothing_its_state_is_read(ctl, daemon):
    status = daemon.answers["status.get"]
    status["health"] = {}
    status["audio"] |= {"state": "lost", "reason": "unplugged"}
    status["link"] |= {"state": "waiting", "last_error": "refused"}
    found = checks(ctl("doctor", "--json"))
    assert (found["audio"]["ok"], found["audio"]["reason"]) == (False, "unplugged")
    assert (found["link"]["ok"], found["link"]["reason"]) == (False, "refused")


@pytest.mark.parametrize("state", ["off", "down"])
def test_a_link_that_nobody_asked_for_is_unknown_and_no_failure(state, ctl, daemon):
    status = daemon.answers["status.get"]
    status["conversation"] = None
    status["link"]["state"] = state
    outcome = ctl("doctor")
    assert outcome.code == 0
    assert "unknown link      no conversation runs; `voicebotctl start` opens the link\n" in outcome.out


@pytest.mark.parametrize(
    ("link", "ok"),
    [
        ({"provider": "rehearsal", "state": "down"}, True),
        ({"state": "ready"}, True),
        ({"state": "refused", "last_error": "Incorrect API key provided"}, False),
        ({"state": "waiting", "last_error": "connection refused"}, None),
        ({"state": "down", "last_error": None}, None),
    ],
)
def test_the_key_is_judged_by_what_the_service_made_of_it(link, ok, ctl, daemon):
    daemon.answers["status.get"]["link"] |= link
    assert checks(ctl("doctor", "--json"))["key"]["ok"] is ok


def test_what_the_server_lacks_is_told_and_keeps_the_box_from_nothing(ctl, daemon):
    daemon.answers["status.get"]["link"]["missing"] = ["truncate: it remembers", "delete: a noise stays"]
    outcome = ctl("doctor", "--json")
    server = checks(outcome)["server"]
    assert (server["ok"], server["reason"]) == (None, "truncate: it remembers; delete: a noise stays")
    assert outcome.code == 0
