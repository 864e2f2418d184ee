"""How functions are named in the configuration, and where they are looked for."""

from __future__ import annotations

from typing import Any

import pytest

from voicebotd.config.catalogue import check
from voicebotd.config.tools import Tools


def test_by_default_there_is_no_directory_and_no_module() -> None:
    tools = Tools()
    assert (tools.timeout_s, tools.directory, tools.modules) == (20.0, None, [])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tools.timeout_s", 0.1),
        ("tools.directory", "/etc/voicebotd/tools"),
        ("tools.modules", ["shop_tools", "shop.tools.more"]),
        ("session.tools", []),
        ("session.tools", ["appointments", "shop.tools", "weather__forecast", "opening-hours"]),
        ("session.tool_choice", "none"),
    ],
)
def test_what_makes_sense_is_allowed(name: str, value: Any) -> None:
    assert check(name, value, "f") == (value, None)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("tools.timeout_s", 0, "a number from 0.1 to 600 (s)"),
        ("tools.directory", "", "text, or null (path)"),
        ("tools.modules", ["/etc/tools.py"], "a list of Python modules by their dotted names"),
        ("session.tools", ["two words"], "a list of names of functions, or of the groups they come in"),
        ("session.tool_choice", "required", "auto or none"),
    ],
)
def test_what_makes_none_is_refused_with_what_is_allowed(name: str, value: Any, allowed: str) -> None:
    _, problem = check(name, value, "f")
    assert problem is not None
    assert problem.message.endswith(f"allowed: {allowed}")


def test_on_the_command_line_a_list_is_text() -> None:
    assert check("session.tools", "appointments,opening_hours", "--set", is_text=True)[0] == [
        "appointments",
        "opening_hours",
    ]
    assert check("session.tools", "[]", "--set", is_text=True)[0] == []
