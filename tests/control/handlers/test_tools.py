"""tools.*: which functions there are, a call by hand, and what a change of the configuration makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicebotd.tools.sources import from_functions
from voicebotd.tools.toolbox import Toolbox

pytestmark = pytest.mark.asyncio

FILE = '''from voicebotd.tools.registry import tool

@tool(timeout_s=3)
async def opening_hours(day: str) -> str:
    """Tell when the shop is open."""
    return "from nine to five on " + day
'''


async def price(service: str) -> str:
    """Tell a price."""
    if service == "nothing":
        raise ValueError("hunter2")
    return f"30 for {service}"


def shop() -> Toolbox:
    return Toolbox([from_functions("voicebotd.tools.shop", "shop", [price])])


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "functions"
    path.mkdir(mode=0o755)
    return path


async def test_every_function_is_listed_with_its_source_and_schema(open_box, directory):
    (directory / "hours.py").write_text(FILE)
    (directory / "bad.py").write_text("def :")
    words = (f"tools.directory={directory}", "session.tools=shop", "tools.timeout_s=7")
    async with open_box(*words, toolbox=shop()) as box:
        await box.call("config.reload")
        told = await box.call("tools.list")
        assert (await box.call("status.get"))["tools"] == ["price", "opening_hours"]
    listed = {tool["name"]: tool for tool in told["tools"]}
    assert listed["price"] == {
        "name": "price",
        "description": "Tell a price.",
        "source": "voicebotd.tools.shop",
        "group": "shop",
        "enabled": True,
        "timeout_s": 7,
        "parameters": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"service": {"type": "string"}},
            "required": ["service"],
        },
    }
    assert (listed["opening_hours"]["source"], listed["opening_hours"]["timeout_s"]) == (str(directory / "hours.py"), 3)
    assert told["faults"] == [{"source": str(directory / "bad.py"), "message": "line 1: invalid syntax"}]


async def test_a_person_calls_a_function_that_the_model_does_not_see(open_box):
    async with open_box("session.tools=[]", toolbox=shop()) as box:
        await box.call("config.reload")
        called = await box.call("tools.call", name="price", arguments={"service": "basic"})
        assert (called["name"], called["output"]) == ("price", "30 for basic")
        assert [tool["enabled"] for tool in (await box.call("tools.list"))["tools"]] == [False]


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("prize", {}, "There is no function 'prize'"),
        ("price", {"service": 7}, "service: Input should be a valid string, not 7"),
        ("price", {"service": "nothing"}, "The function price failed"),
    ],
)
async def test_a_call_that_fails_is_an_error_of_its_kind(open_box, fakes, name, arguments, why):
    async with open_box("session.tools=shop", toolbox=shop()) as box:
        await box.call("config.reload")
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("tools.call", name=name, arguments=arguments)
    assert refused.value.kind == "tool.failed"
    assert why in refused.value.message
    assert "hunter2" not in refused.value.message


async def test_a_reload_finds_a_new_file_and_tells_the_running_session(open_box, directory):
    async with open_box(f"tools.directory={directory}", "session.tools=shop", toolbox=shop()) as box:
        await box.call("config.reload")
        await box.start()
        assert box.link.tools == ["price"]
        (directory / "hours.py").write_text(FILE)
        (directory / "bad.py").write_text("def :")
        told = await box.call("config.reload")
        assert told["functions"] == box.link.tools == ["price", "opening_hours"]
        assert told["broken"] == [f"{directory / 'bad.py'}: line 1: invalid syntax"]
        before = len(box.link.sent)
        assert (await box.call("config.reload"))["functions"] is None
        assert len(box.link.sent) == before, "nothing new, nothing told"


async def test_what_the_model_may_call_is_changed_live(open_box):
    async with open_box("session.tools=[]", toolbox=shop()) as box:
        await box.call("config.reload")
        await box.start()
        assert box.link.tools == []
        changed = await box.call("config.set", values={"session.tools": ["price"]})
        assert changed["values"]["session.tools"]["applied"] == "live"
        assert box.link.tools == ["price"]


async def test_a_function_that_is_not_there_cannot_be_selected(open_box, fakes):
    async with open_box("session.tools=shop", toolbox=shop()) as box:
        await box.call("config.reload")
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("config.set", values={"session.tools": ["prise"]})
        assert refused.value.kind == "config.invalid"
        assert "'prise' is neither a function nor a group of functions; did you mean price?" in refused.value.message
        assert (await box.call("status.get"))["tools"] == ["price"]


async def test_functions_that_the_service_refuses_are_taken_back(open_box, fakes):
    async with open_box("session.tools=shop", toolbox=shop()) as box:
        await box.call("config.reload")
        await box.start()
        box.link.refuse = "too many functions"
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("config.set", values={"session.tools": []})
        assert "too many functions" in refused.value.message
        assert (await box.call("status.get"))["tools"] == ["price"]


async def test_a_server_that_comes_changes_what_the_running_session_is_told(open_box):
    toolbox = shop()
    async with open_box("session.tools=shop", toolbox=toolbox) as box:
        await box.call("config.reload")
        await box.start()
        (source,) = [from_functions("town", "shop", [weather])]
        toolbox.serve("town", source)
        await box.until(lambda: box.link.tools == ["price", "weather"])


async def weather() -> str:
    """Tell the weather."""
    return "fine"


async def test_an_approval_without_a_conversation_is_refused(open_box, fakes):
    async with open_box(toolbox=shop()) as box:
        with pytest.raises(fakes.RefusedError) as refused:
            await box.call("tools.approve", approval_request_id="a1")
        assert refused.value.kind == "conversation.not_running"
