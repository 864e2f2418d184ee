"""Which functions there are, which of them the model sees, and all that is wrong with them."""

from __future__ import annotations

from voicebotd.tools.catalogue import Fault, Source, compose
from voicebotd.tools.registry import Tool, make


def made(name: str, *, source: str, group: str) -> Tool:
    async def function() -> None:
        """Do."""

    function.__name__ = name
    return make(function, source=source, group=group)


def source(name: str, group: str, *names: str, always: bool = False) -> Source:
    return Source(name=name, tools=tuple(made(one, source=name, group=group) for one in names), always=always)


APPOINTMENTS = source("voicebotd.tools.appointments", "appointments", "book", "cancel")
HOURS = source("/etc/voicebotd/tools/hours.py", "hours", "opening_hours", always=True)
PACKAGE = source("shop_tools", "shop_tools", "price", "stock")
ALL = [APPOINTMENTS, PACKAGE, HOURS]


def offered(*wanted: str) -> list[str]:
    return [tool.name for tool in compose(ALL, wanted).offered]


def test_a_group_is_offered_by_its_name_and_a_function_by_its_own() -> None:
    assert offered("appointments", "stock") == ["book", "cancel", "stock", "opening_hours"]


def test_what_the_owner_put_there_for_the_model_is_offered_unasked() -> None:
    assert offered("price") == ["price", "opening_hours"]


def test_to_want_nothing_is_to_be_offered_nothing() -> None:
    assert offered() == []


def test_whatever_is_offered_all_can_be_run_by_a_person() -> None:
    assert list(compose(ALL, []).tools) == ["book", "cancel", "price", "stock", "opening_hours"]


def test_of_two_functions_of_one_name_the_first_stays_and_both_sources_are_named() -> None:
    catalogue = compose(
        [APPOINTMENTS, source("/tools/mine.py", "mine", "book", "extra", always=True)], ["appointments"]
    )
    assert catalogue.tools["book"].source == "voicebotd.tools.appointments"
    assert [tool.name for tool in catalogue.offered] == ["book", "cancel", "extra"]
    (fault,) = catalogue.faults
    assert fault.source == "/tools/mine.py"
    assert "book is a function of voicebotd.tools.appointments too" in fault.message


def test_what_is_broken_is_named_and_the_rest_works() -> None:
    catalogue = compose([Source(name="/tools/bad.py", problem="line 3: invalid syntax"), HOURS], ["hours"])
    assert [tool.name for tool in catalogue.offered] == ["opening_hours"]
    assert catalogue.faults == (Fault(source="/tools/bad.py", message="line 3: invalid syntax"),)
    assert str(catalogue.faults[0]) == "/tools/bad.py: line 3: invalid syntax"


def test_a_name_that_nothing_has_is_a_fault_that_names_the_nearest() -> None:
    messages = [fault.message for fault in compose(ALL, ["apointments", "zzz"]).faults]
    assert messages == [
        "'apointments' is neither a function nor a group of functions; did you mean appointments?",
        "'zzz' is neither a function nor a group of functions; voicebotctl tools lists what there is",
    ]
