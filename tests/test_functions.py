"""From the configuration to the functions, and what --check says of those that are broken."""

from __future__ import annotations

import pytest
import structlog

from voicebotd import functions
from voicebotd.booking import Booking
from voicebotd.check import problems
from voicebotd.store.database import Database

FILE = '''from voicebotd.tools.registry import tool

@tool
async def opening_hours(day: str) -> str:
    """Tell when the shop is open."""
    return "from nine to five"
'''
APPOINTMENTS = [
    "check_availability",
    "schedule_appointment",
    "reschedule_appointment",
    "cancel_appointment",
    "find_appointments",
]


@pytest.fixture
def directory(tmp_path):
    path = tmp_path / "functions"
    path.mkdir(mode=0o755)
    return path


def offered(toolbox):
    return [tool.name for tool in toolbox.catalogue.offered]


def toolbox_of(loaded):
    return functions.toolbox_of(loaded, Booking(Database(None), lambda: loaded.settings.tools.appointments))


def test_the_appointments_are_offered_by_default(directories):
    toolbox = toolbox_of(directories.load())
    assert offered(toolbox) == APPOINTMENTS
    assert all(tool.ours for tool in toolbox.catalogue.offered)
    assert toolbox.stock.wish.timeout_s == 20


def test_what_is_configured_is_looked_for_and_offered(directories, directory):
    (directory / "hours.py").write_text(FILE)
    loaded = directories.load(f"tools.directory={directory}", "session.tools=find_appointments", "tools.timeout_s=3")
    toolbox = toolbox_of(loaded)
    assert offered(toolbox) == ["find_appointments", "opening_hours"]
    assert toolbox.stock.wish.timeout_s == 3


def test_a_relative_directory_is_meant_from_where_it_is_written(directories):
    directories.config_file.write_text("tools:\n  directory: functions\n")
    (directories.config / "functions").mkdir(mode=0o755)
    (directories.config / "functions" / "hours.py").write_text(FILE)
    assert "opening_hours" in offered(toolbox_of(directories.load()))


def test_what_is_broken_is_logged_and_the_rest_works(directories, directory):
    (directory / "bad.py").write_text("def :")
    with structlog.testing.capture_logs() as logs:
        toolbox = toolbox_of(directories.load(f"tools.directory={directory}"))
    assert offered(toolbox) == APPOINTMENTS
    assert [(entry["source"], entry["reason"]) for entry in logs] == [
        (str(directory / "bad.py"), "line 1: invalid syntax")
    ]


def test_check_names_every_broken_source_and_every_unknown_function(directories, directory, monkeypatch):
    (directory / "bad.py").write_text("def :")
    loaded = directories.load(
        f"tools.directory={directory}", "tools.modules=no_such_module", "session.tools=appointment"
    )
    found = [str(problem) for problem in problems(loaded, {"OPENAI_API_KEY": "c0mpany-Key~42"}, directories.cwd)]
    unknown = "'appointment' is neither a function nor a group of functions; did you mean appointments?"
    assert found == [
        "no_such_module: ModuleNotFoundError: No module named 'no_such_module'",
        f"{directory / 'bad.py'}: line 1: invalid syntax",
        f"session.tools: {unknown} (--set)",
    ]


@pytest.mark.asyncio
async def test_a_conversation_without_the_daemon_has_a_book_of_its_own(directories):
    loaded = directories.load()
    async with functions.functions_of(loaded) as toolbox:
        check = next(tool for tool in toolbox.catalogue.offered if tool.name == "check_availability")
        answer = await check.bind("{}", functions_call())()
    assert answer["status"] == "ok"


def functions_call():
    from voicebotd.tools.registry import Call  # noqa: PLC0415

    return Call(call_id="k", conversation_id="c")


@pytest.mark.asyncio
async def test_a_book_that_cannot_be_opened_leaves_the_functions_that_say_so(directories, tmp_path):
    place = tmp_path / "no-directory"
    place.write_text("a file")
    loaded = directories.load(f"history.path={place / 'book.db'}")
    with structlog.testing.capture_logs() as logs:
        async with functions.functions_of(loaded) as toolbox:
            assert offered(toolbox) == APPOINTMENTS
    assert logs[0]["event"] == "the book of appointments cannot be opened"
