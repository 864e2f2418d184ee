"""Hours, days and services as people write them, and what is wrong with them alone and together."""

from typing import Any

import pytest

from voicebotd.config.appointments import Appointments, minutes_of, problems
from voicebotd.config.catalogue import check
from voicebotd.config.document import parse
from voicebotd.config.layers import command_line_layer, document_layer, resolve
from voicebotd.errors import ConfigError


def shop(yaml: str) -> Appointments:
    tree, wrong = parse(f"tools: {{appointments: {{{yaml}}}}}", "f")
    assert wrong == []
    return resolve([document_layer(tree, "f")]).settings.tools.appointments


def complaint(yaml: str) -> str:
    with pytest.raises(ConfigError) as caught:
        shop(yaml)
    return str(caught.value)


def test_a_clock_is_read_as_minutes_from_midnight() -> None:
    assert [minutes_of(clock) for clock in ("00:00", "09:30", "24:00")] == [0, 570, 1440]


@pytest.mark.parametrize(
    ("written", "clock"), [("17:00", "17:00"), ("9:00", "09:00"), ('"9:00"', "09:00"), ("09:00", "09:00")]
)
def test_a_time_may_be_written_without_the_quotes_that_yaml_asks_for(written: str, clock: str) -> None:
    assert shop(f"open: {written}, close: 20:00").open == clock


@pytest.mark.parametrize("written", ["9", "true", "24:00", "25:00", "noon", "10:60", "-5", "5000"])
def test_what_is_no_time_to_open_is_refused(written: str) -> None:
    assert "tools.appointments.open" in complaint(f"open: {written}")
    assert "allowed: a time from 00:00 to 23:59" in complaint(f"open: {written}")


def test_the_shop_may_close_at_the_end_of_the_day() -> None:
    assert shop('close: "24:00"').close == "24:00"


def test_days_off_are_days_stretches_and_days_of_every_year() -> None:
    written = "2026-12-24, 2026-12-27/2027-01-02, 12-25, 02-29"
    assert shop(f"days_off: [{written}]").days_off == written.split(", ")


@pytest.mark.parametrize("written", ["2026-02-30", "02-30", "2027-01-02/2026-12-24", "13-01", "christmas", "2026-1-1"])
def test_a_day_off_that_is_no_day_is_refused(written: str) -> None:
    assert "tools.appointments.days_off" in complaint(f"days_off: ['{written}']")


@pytest.mark.parametrize("written", ["13:00-12:00", "12:00", "12:00-12:00", "noon-13:00"])
def test_a_break_that_is_no_stretch_of_time_is_refused(written: str) -> None:
    assert "tools.appointments.breaks" in complaint(f"breaks: ['{written}']")


@pytest.mark.parametrize(
    "written", ["{}", "{consultation: 0}", "{consultation: 500}", "{Basic: 30, basic: 60}", "{'': 30}", "[basic]"]
)
def test_services_that_nobody_could_book_are_refused(written: str) -> None:
    assert "tools.appointments.services" in complaint(f"services: {written}")


def test_a_service_longer_than_the_day_is_refused_with_both_lengths() -> None:
    text = complaint("open: 10:00, close: 11:00")
    assert text.startswith("tools.appointments.services: premium takes 120 minutes, and the shop is open for 60")


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        (
            "open: 18:00",
            "tools.appointments.open: 18:00 is not allowed; allowed: a time before tools.appointments.close",
        ),
        (
            "close: 08:00",
            "tools.appointments.close: 08:00 is not allowed; allowed: a time after tools.appointments.open",
        ),
    ],
)
def test_the_hour_that_somebody_wrote_is_the_one_to_mend(yaml: str, message: str) -> None:
    assert complaint(yaml).startswith(message)


def test_a_zone_that_this_machine_does_not_know_is_refused() -> None:
    assert shop("time_zone: America/New_York").time_zone == "America/New_York"
    assert shop("time_zone: auto").time_zone == "auto"
    assert "Europe/Berlin" in complaint("time_zone: Europe/Atlantis")
    assert "time_zone" in complaint("time_zone: ../../etc/passwd")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("days", "mon, tue,sat", ["mon", "tue", "sat"]),
        ("breaks", "", []),
        ("breaks", "12:00-13:00", ["12:00-13:00"]),
        ("days_off", "12-25,2026-12-24", ["12-25", "2026-12-24"]),
        ("services", "haircut=45, colour = 90", {"haircut": 45, "colour": 90}),
        ("services", '{"haircut": 45}', {"haircut": 45}),
        ("keep_days", "null", None),
        ("slot_minutes", "15", 15),
    ],
)
def test_lists_and_maps_can_be_written_where_only_text_can_be(name: str, text: str, value: Any) -> None:
    layer = command_line_layer([f"tools.appointments.{name}={text}"])
    assert getattr(resolve([layer]).settings.tools.appointments, name) == value


@pytest.mark.parametrize("text", ["haircut", "haircut=long", "=45"])
def test_text_that_is_no_map_of_services_is_refused(text: str) -> None:
    assert check("tools.appointments.services", text, "--set", is_text=True)[1] is not None


def test_an_empty_day_list_is_refused_because_such_a_shop_is_never_open() -> None:
    assert "tools.appointments.days" in complaint("days: []")


def test_the_defaults_agree_with_each_other() -> None:
    assert problems({}, {}) == []
