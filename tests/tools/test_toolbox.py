"""All functions in one place: found, taken over, offered; and servers that come and go."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from voicebotd.tools.catalogue import Source
from voicebotd.tools.registry import make
from voicebotd.tools.sources import from_functions
from voicebotd.tools.toolbox import Toolbox, Wish

FILE = '''from voicebotd.tools.registry import tool

@tool
async def opening_hours() -> str:
    """Tell when the shop is open."""
    return "from nine to five"
'''


async def price(service: str) -> str:
    """Tell a price."""
    return service


async def weather() -> str:
    """Tell the weather."""
    return "fine"


BUILT_IN = [from_functions("voicebotd.tools.shop", "shop", [price])]


def served(name: str = "town") -> Source:
    return Source(name=name, tools=(make(weather, source=name, group=name),), always=True)


def offered(toolbox: Toolbox) -> list[str]:
    return [tool.name for tool in toolbox.function_tools]


def test_a_new_toolbox_offers_nothing() -> None:
    toolbox = Toolbox(BUILT_IN)
    assert toolbox.function_tools == ()
    assert toolbox.catalogue.faults == ()


@pytest.mark.asyncio
async def test_to_find_changes_nothing_and_to_take_tells_whether_the_model_is_to_be_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "hours.py").write_text(FILE)
    toolbox = Toolbox(BUILT_IN)
    before = toolbox.stock
    found = await toolbox.find(Wish(directory=tmp_path, offered=["shop"]))
    assert offered(toolbox) == []
    assert toolbox.take(found)
    assert offered(toolbox) == ["price", "opening_hours"]
    assert toolbox.function_tools[0].parameters["required"] == ["service"]
    assert not toolbox.take(await toolbox.find(Wish(directory=tmp_path, offered=["shop"])))
    assert toolbox.take(before), "what was taken over can be taken back"
    assert offered(toolbox) == []


def test_a_module_that_cannot_be_loaded_is_a_fault() -> None:
    toolbox = Toolbox(BUILT_IN)
    toolbox.take(toolbox.look(Wish(modules=["no_such_module"], offered=["price"])))
    assert [fault.source for fault in toolbox.catalogue.faults] == ["no_such_module"]
    assert offered(toolbox) == ["price"]


def test_a_server_comes_and_goes_and_only_news_is_told() -> None:
    toolbox = Toolbox(BUILT_IN)
    toolbox.take(toolbox.look(Wish(offered=["shop"])))
    told: list[list[str]] = []
    toolbox.on_served = lambda: told.append(offered(toolbox))
    toolbox.serve("town", served())
    toolbox.serve("town", served())
    toolbox.serve("village", None)
    toolbox.serve("town", None)
    assert told == [["price", "weather"], ["price"]]


def test_what_a_server_offers_outlives_a_look_at_the_rest() -> None:
    toolbox = Toolbox(BUILT_IN)
    found = asyncio.run(toolbox.find(Wish(offered=["shop"])))
    toolbox.serve("town", served())
    toolbox.take(found)
    assert offered(toolbox) == ["price", "weather"]
