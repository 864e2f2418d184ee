"""How servers of the Model Context Protocol are written, and what is said of wrong ones."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from voicebotd.config.catalogue import check, keys
from voicebotd.config.mcp import LOCAL, REMOTE, McpServer, RemoteServers, Servers, complaint

STDIO = {"command": "/bin/server", "args": ["-v"], "env": {"TOKEN": "env:TOWN_TOKEN"}, "cwd": "/srv"}
HTTP = {"url": "https://town.example/mcp", "headers": {"Authorization": "file:/etc/town.key"}, "allow": ["tell"]}


def test_a_server_is_run_or_reached():
    value, problem = check(LOCAL, {"a": STDIO, "b": HTTP, "c": {"url": "http://127.0.0.1:1/mcp"}}, "file")
    assert problem is None
    assert value["a"] == McpServer(**STDIO)
    assert TypeAdapter(Servers).dump_python(value, mode="json") == {
        "a": STDIO,
        "b": HTTP,
        "c": {"url": "http://127.0.0.1:1/mcp"},
    }


def test_what_is_shown_of_a_server_can_be_written_again():
    dumped = McpServer(**STDIO, enabled=False, timeout_s=3).model_dump(mode="json")
    assert McpServer(**dumped) == McpServer(**STDIO, enabled=False, timeout_s=3.0)


def test_servers_can_be_written_where_only_text_can_be():
    adapter = keys()[LOCAL].adapter
    assert adapter.validate_python('{"a": {"command": "x"}}') == {"a": McpServer(command="x")}
    with pytest.raises(ValueError, match="dict"):
        adapter.validate_python("a=x")


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ({}, "a: has either a command or a url"),
        ({"command": "x", "url": "https://h/"}, "a: has either a command or a url"),
        ({"command": "x", "headers": {"X": "text:1"}}, "a: headers goes with url only"),
        ({"url": "https://h/", "env": {"X": "text:1"}, "cwd": "/"}, "a: env, cwd goes with command only"),
        ({"command": "x", "cwd": "srv"}, "a.cwd: must begin with /"),
        ({"command": "x", "comand": "y"}, "a.comand is unknown; known are command, args, env, cwd, url, headers, "),
        ({"command": "x", "timeout_s": 0}, "a.timeout_s: Input should be greater than or equal to 0.1"),
        ({"command": "x\0"}, "a.command: is not of the form that it must have"),
        ({"command": "x", "env": {"1X": "text:1"}}, "a.env.1X cannot be a name here"),
        ({"url": "http://town.example/mcp"}, "a.url: http is for this machine only"),
        ({"url": "ftp://town.example/mcp"}, "a.url: is no address"),
        ({"url": "https://[::1/mcp"}, "a.url: is no address"),
        ({"url": "https://me:pw@town.example/mcp"}, "a.url: an address has no user"),
        ({"url": "https://town.example/mcp?key=1"}, "a key belongs into headers"),
    ],
)
def test_what_is_wrong_with_a_server_is_named(server, said):
    assert said in complaint(LOCAL, {"a": server})


def test_a_secret_that_is_written_out_is_refused_and_not_repeated():
    _, problem = check(LOCAL, {"a": {**HTTP, "headers": {"Authorization": "Bearer hunter2hunter2"}}}, "file")
    assert "a.headers.Authorization: write env:NAME, file:/PATH or credential:NAME" in problem.message
    assert "hunter2" not in problem.message
    _, problem = check(REMOTE, [{"server_label": "d", "server_url": "https://h/", "authorization": "hunter2"}], "file")
    assert problem.message == "0.authorization: write env:NAME, file:/PATH or credential:NAME for a secret"


def test_every_error_is_named_at_once():
    said = complaint(LOCAL, {"a": {"comand": "x"}, "B": {"command": "x"}, "c": 7})
    assert said.count(";") >= 4
    for each in ("a.comand is unknown", "a: has either a command or a url", "B cannot be a name here", "c: Input"):
        assert each in said


def test_a_value_that_is_no_map_is_told_the_range_without_being_shown():
    assert complaint(LOCAL, 7) == ""
    _, problem = check(LOCAL, "hunter2", "file")
    assert problem.message.startswith("this str is not allowed; allowed: a map of names")
    _, problem = check(REMOTE, {"a": 1}, "file")
    assert problem.message.startswith("this dict is not allowed; allowed: a list of maps")


def test_a_remote_server_asks_by_default():
    value, problem = check(REMOTE, [{"server_label": "docs", "server_url": "https://docs.example/mcp"}], "file")
    assert problem is None
    assert value[0].require_approval == "ask"
    assert TypeAdapter(RemoteServers).dump_python(value, mode="json") == [
        {"server_label": "docs", "server_url": "https://docs.example/mcp"}
    ]


@pytest.mark.parametrize(
    ("servers", "said"),
    [
        ([{"server_label": "d"}], "0: has either a server_url or a connector_id"),
        ([{"connector_id": "connector_mail"}], "0.server_label is missing"),
        ([{"server_label": "1", "connector_id": "connector_x"}], "0.server_label: must begin with a letter"),
        ([{"server_label": "d", "connector_id": "mail"}], "0.connector_id: must be of the form connector_NAME"),
        ([{"server_label": "d", "server_url": "http://127.0.0.1/"}], "0.server_url: the service reaches it over the"),
        ([{"server_label": "d", "connector_id": "connector_x"}] * 2, "d is the server_label of more than one"),
    ],
)
def test_what_is_wrong_with_a_remote_server_is_named(servers, said):
    assert said in complaint(REMOTE, servers)


def test_what_is_right_has_no_complaint():
    assert complaint(LOCAL, {"a": STDIO, "b": HTTP}) == ""
    assert complaint(REMOTE, [{"server_label": "d", "connector_id": "connector_x"}]) == ""
