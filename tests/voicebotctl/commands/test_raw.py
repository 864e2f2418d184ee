import pytest


@pytest.mark.parametrize(
    ("assignment", "params"),
    [
        ("percent=50", {"percent": 50}),
        ("on=true", {"on": True}),
        ("text=hello there", {"text": "hello there"}),
        ('values={"a.b": 1}', {"values": {"a.b": 1}}),
    ],
)
def test_a_parameter_is_json_or_else_text(assignment, params, ctl, daemon):
    daemon.answers["any.method"] = {}
    ctl("call", "any.method", assignment)
    assert daemon.sent() == [("any.method", params)]


def test_an_unknown_method_is_for_the_daemon_to_refuse(ctl):
    outcome = ctl("call", "no.such.method", "--json")
    assert (outcome.code, outcome.error["code"]) == (1, -32601)


def test_a_null_result_is_a_document(ctl, daemon):
    daemon.answers["any.method"] = []
    assert ctl("call", "any.method").out == "[]\n"
