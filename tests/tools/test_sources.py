"""Where functions are found. One broken source breaks no other."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from voicebotd.tools import sources
from voicebotd.tools.catalogue import Source
from voicebotd.tools.sources import from_directory, from_entry_points, from_functions, from_module

HOURS = '''from voicebotd.tools.registry import tool

@tool
async def opening_hours(day: str) -> str:
    """Tell when the shop is open."""
    return "from nine to five"
'''


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    tmp_path.chmod(0o755)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith(sources.FILE_MODULE)]:
        del sys.modules[name]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


def found(directory: Path) -> dict[str, Source]:
    return {Path(source.name).name: source for source in from_directory(directory, {})[0]}


def names(source: Source) -> list[str]:
    return [tool.name for tool in source.tools]


def test_every_file_of_the_directory_is_a_module_and_a_group_of_its_name(directory: Path) -> None:
    write(directory / "hours.py", HOURS)
    write(directory / "_draft.py", "broken(")
    write(directory / ".hidden.py", "broken(")
    write(directory / "notes.txt", "broken(")
    (source,) = found(directory).values()
    assert source.name == str(directory / "hours.py")
    assert source.always
    (tool,) = source.tools
    assert (tool.name, tool.group, tool.source, tool.ours) == ("opening_hours", "hours", source.name, False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def broken(:\n", "line 1: invalid syntax"),
        ("\nimport no_such_module\n", "line 2: ModuleNotFoundError: No module named 'no_such_module'"),
        ("value = 1\n", "has no function that is marked with @tool"),
        ("import sys\nsys.exit(3)\n", "line 2: SystemExit: 3"),
        (HOURS.replace(": str)", ")"), "opening_hours: the parameter day has no type"),
        ("\0", "source code string cannot contain null bytes"),
    ],
)
def test_a_broken_file_is_named_with_its_error_and_the_rest_works(directory: Path, text: str, why: str) -> None:
    write(directory / "broken.py", text)
    write(directory / "hours.py", HOURS)
    sources_found = found(directory)
    assert why in sources_found["broken.py"].problem
    assert names(sources_found["hours.py"]) == ["opening_hours"]
    assert f"{sources.FILE_MODULE}.broken" not in sys.modules


def test_a_file_that_does_not_come_to_its_end_holds_up_nothing_for_ever(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "LOADS_WITHIN_S", 0.2)
    read, written = os.pipe()
    write(directory / "endless.py", f"import os\nos.read({read}, 1)\n")
    write(directory / "hours.py", HOURS)
    try:
        sources_found = found(directory)
        assert sources_found["endless.py"].problem == "was not loaded within 0.2 s"
        assert names(sources_found["hours.py"]) == ["opening_hours"]
    finally:
        os.write(written, b"x")
        os.close(written)


def test_what_everybody_may_write_is_not_run(directory: Path) -> None:
    write(directory / "hours.py", HOURS).chmod(0o666)
    assert "everybody may write it (mode 0666); chmod o-w" in found(directory)["hours.py"].problem
    directory.chmod(0o777)
    (source,) = found(directory).values()
    assert (source.name, source.tools) == (str(directory), ())
    assert "everybody may write it (mode 0777)" in source.problem


def test_a_directory_or_a_file_that_cannot_be_read_is_told(directory: Path) -> None:
    assert found(directory / "nowhere")["nowhere"].problem == "cannot be read: No such file or directory"
    (directory / "folder.py").mkdir()
    (directory / "gone.py").symlink_to(directory / "nowhere")
    assert found(directory)["folder.py"].problem == "cannot be read: Is a directory"
    assert found(directory)["gone.py"].problem == "cannot be read: No such file or directory"


def test_a_file_that_is_too_large_to_be_code_is_told(directory: Path) -> None:
    write(directory / "large.py", "#" * (sources.MOST_BYTES + 1))
    assert found(directory)["large.py"].problem == "is larger than 1000000 bytes"


def test_a_file_that_did_not_change_is_not_run_again_and_one_that_did_is(directory: Path) -> None:
    path = write(directory / "hours.py", HOURS)
    first, files = from_directory(directory, {})
    again, files = from_directory(directory, files)
    assert again[0] is first[0]
    write(path, HOURS.replace("opening_hours", "hours"))
    changed, _ = from_directory(directory, files)
    assert names(changed[0]) == ["hours"]


def test_a_file_that_breaks_later_leaves_the_module_of_its_functions_in_place(directory: Path) -> None:
    path = write(directory / "hours.py", HOURS)
    from_directory(directory, {})
    module = sys.modules[f"{sources.FILE_MODULE}.hours"]
    write(path, "1 / 0\n")
    assert found(directory)["hours.py"].problem == "line 1: ZeroDivisionError: division by zero"
    assert sys.modules[module.__name__] is module


def test_a_module_is_found_by_its_name(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(directory / "shop_tools.py", HOURS)
    monkeypatch.syspath_prepend(str(directory))
    monkeypatch.delitem(sys.modules, "shop_tools", raising=False)
    source = from_module("shop_tools")
    assert (names(source), source.name, source.always) == (["opening_hours"], "shop_tools", False)
    assert source.tools[0].group == "shop_tools"
    missing = from_module("no_such_module")
    assert missing.problem == "ModuleNotFoundError: No module named 'no_such_module'"
    sys.modules.pop("shop_tools")


async def price(service: str) -> str:
    """Tell a price."""
    return service


def test_functions_of_the_package_itself_are_trusted() -> None:
    source = from_functions("voicebotd.tools.shop", "shop", [price])
    (tool,) = source.tools
    assert (tool.name, tool.group, tool.source, tool.ours) == ("price", "shop", "voicebotd.tools.shop", True)


def test_other_packages_offer_a_module_or_a_function(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(directory / "shop_tools.py", HOURS + "\nasync def extra() -> str:\n    'More.'\n")
    monkeypatch.syspath_prepend(str(directory))
    points = [
        EntryPoint(name="z", value="shop_tools:extra", group=sources.GROUP),
        EntryPoint(name="a", value="shop_tools", group=sources.GROUP),
        EntryPoint(name="m", value="shop_tools:missing", group=sources.GROUP),
    ]
    monkeypatch.setattr(sources, "entry_points", lambda group: points if group == sources.GROUP else [])
    module, missing, function = from_entry_points()
    assert names(module) == ["opening_hours"]
    assert module.tools[0].group == "a"
    assert module.name == "entry point a (shop_tools)"
    assert "has no attribute 'missing'" in missing.problem
    assert names(function) == ["extra"]
    sys.modules.pop("shop_tools")
