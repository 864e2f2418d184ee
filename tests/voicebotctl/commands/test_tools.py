def test_a_list_has_one_line_per_function_and_what_is_broken_below(ctl):
    header, line, broken = ctl("tools").out.splitlines()
    assert header.split() == ["function", "arguments", "the", "model", "group", "source"]
    assert line.split()[:3] == ["opening_hours", "day=monday|tuesday", "[code=string]"]
    assert line.endswith("hours  /etc/voicebotd/tools/hours.py")
    assert broken == "broken: /etc/voicebotd/tools/bad.py: line 3: invalid syntax"


def test_a_function_that_the_model_does_not_see_says_so_and_so_does_a_box_without_any(ctl, daemon):
    entry = daemon.answers["tools.list"]["tools"][0]
    entry["enabled"] = False
    entry["parameters"] = {"type": "object", "properties": {"day": {"type": "string", "format": "date"}, "who": {}}}
    assert "opening_hours  [day=date] [who=object]  does not see it" in ctl("tools").out
    daemon.answers["tools.list"]["tools"] = []
    daemon.answers["tools.list"]["faults"] = []
    assert ctl("tools").out == "there is no function\n"


def test_each_server_is_told_with_its_state_and_why(ctl, daemon):
    daemon.answers["tools.list"]["servers"] = [
        {"name": "town", "transport": "stdio", "state": "ready", "reason": "", "functions": 3, "restarts": 0},
        {"name": "shop", "transport": "http", "state": "waiting", "reason": "no\nway", "functions": 0, "restarts": 7},
    ]
    lines = ctl("tools").out.splitlines()
    assert "server town (stdio): ready, 3 functions" in lines
    assert "server shop (http): waiting, 0 functions: no way" in lines


def test_arguments_are_read_as_their_schema_says(ctl, daemon):
    entry = daemon.answers["tools.list"]["tools"][0]
    entry["parameters"]["properties"]["count"] = {"type": "integer"}
    ctl("tools", "call", "opening_hours", "day=2026", "code=417209", "count=3", "other=x")
    ctl("tools", "call", "opening_hours", "code=null")
    ctl("tools", "call", "opening_hours")
    calls = [params for method, params in daemon.sent() if method == "tools.call"]
    assert calls == [
        {"name": "opening_hours", "arguments": {"day": "2026", "code": "417209", "count": 3, "other": "x"}},
        {"name": "opening_hours", "arguments": {"code": None}},
        {"name": "opening_hours", "arguments": {}},
    ]


def test_a_function_that_fails_or_is_not_there_is_the_daemons_error(ctl, daemon):
    daemon.answers["tools.call"] = daemon.Fault(1006, "tool.failed", "There is no function 'x'.")
    told = ctl("tools", "call", "x", "a=1")
    assert (told.code, told.err) == (1, "voicebotctl: There is no function 'x'.\n")


def test_what_a_function_says_cannot_write_to_the_terminal(ctl, daemon):
    daemon.answers["tools.call"]["output"] = "open\x1b[2J"
    assert "\x1b" not in ctl("tools", "call", "opening_hours").out


def test_a_call_of_the_service_is_approved_or_refused_by_its_id(ctl, daemon):
    assert ctl("tools", "approve", "a1").out == "docs: pay may be called\n"
    daemon.answers["tools.approve"]["approved"] = False
    assert ctl("tools", "deny", "a1", "--reason", "no").out == "docs: pay is refused\n"
    assert [params for method, params in daemon.sent() if method == "tools.approve"] == [
        {"approval_request_id": "a1", "approve": True},
        {"approval_request_id": "a1", "approve": False, "reason": "no"},
    ]
