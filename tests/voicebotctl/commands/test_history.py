def test_the_latest_conversation_is_shown_unless_one_is_named(ctl, daemon):
    assert ctl("history", "show").out.startswith("conversation c1, ")
    assert daemon.sent() == [("history.get", {})]


def test_a_list_has_one_line_per_conversation(ctl, daemon):
    header, line = ctl("history", "list").out.splitlines()
    assert header.split() == ["id", "began", "lasted", "turns", "model", "ended"]
    assert line.split()[0] == "c1"
    assert "  1 min 5 s  2      gpt-x" in line


def test_a_conversation_that_never_ended_has_no_length(ctl, daemon):
    daemon.answers["history.list"]["conversations"][0]["ended_at"] = None
    assert "min" not in ctl("history", "list").out


def test_an_empty_history_says_so(ctl, daemon):
    daemon.answers["history.list"] = {"conversations": []}
    assert ctl("history", "list").out == "there is no conversation yet\n"


def test_a_conversation_that_is_not_there_is_the_daemons_error(ctl, daemon):
    daemon.answers["history.get"] = daemon.Fault(1007, "history.not_found", "no conversation x")
    assert (ctl("history", "show", "x").code, ctl("history", "show", "x").err) == (
        1,
        "voicebotctl: no conversation x\n",
    )
