from voicebotctl.render import Style


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


def test_what_was_called_and_what_it_cost_stand_behind_what_was_said(ctl, daemon):
    call = {"call_id": "k", "name": "book", "arguments": '{"day": 1}', "output": "booked\x1b", "status": "completed"}
    daemon.answers["history.get"] |= {"tool_calls": [{**call, "duration_ms": 20, "started_at": 1.0}], "usd": 0.05}
    assert ctl("history", "show").out.splitlines()[-2:] == [
        'book({"day": 1}) completed in 20 ms: booked',
        "it cost $0.0500",
    ]


def test_the_words_that_were_found_stand_out_on_a_terminal(ctl, daemon, monkeypatch):
    monkeypatch.setattr("voicebotctl.render.Style.of", lambda *_: Style(colour=True))
    assert "Have you a \x1b[1mtable\x1b[0m for \x1b[1mtwo\x1b[0m?" in ctl("history", "search", "table").out


def test_what_nobody_said_is_told(ctl, daemon):
    daemon.answers["history.search"] = {"hits": [], "next": None}
    assert ctl("history", "search", "zebra").out == "nobody said that\n"


def test_an_export_comes_piece_by_piece_on_one_connection_until_there_is_no_more(ctl, daemon):
    pieces = iter([{"text": "one\n", "next": "1.1.1"}, {"text": "two\n", "next": None}])
    daemon.hear = lambda *_: daemon.answers.update({"history.export": next(pieces)})
    assert ctl("history", "export").out == "one\ntwo\n"
    assert daemon.sent() == [("history.export", {}), ("history.export", {"after": "1.1.1"})]
