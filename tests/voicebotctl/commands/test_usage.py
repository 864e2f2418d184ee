"""What it cost, on one screen."""

import json

import pytest

from voicebotctl.commands.usage import screen
from voicebotctl.render import Style

PLAIN = Style(colour=False)


@pytest.fixture
def report(daemon):
    return daemon.answers["usage.get"]


def days(report, *amounts):
    """One day for each amount, the last of them today, with what was used today on each."""
    models = report["days"][0]["models"]
    report["days"] = [
        {"date": f"2026-11-{number:02d}", "usd": usd, "models": models if usd else []}
        for number, usd in enumerate(amounts, start=1)
    ]
    return report


def test_a_day_is_a_table_of_models_with_the_caps_above_it(report):
    assert screen(report, PLAIN).splitlines() == [
        "what it cost",
        "  today         $0.0119 of $0.0200, 59% [######....]",
        "  conversation  $0.0096, no cap",
        "",
        "  model             for            times  text in  cached  out  audio in  cached  out  minutes  USD",
        "  gpt-realtime-2.1  response       2      15       4                              150           0.009602",
        "  gpt-transcribe    transcription  1                                                   0.5      0.002250",
    ]


def test_more_days_are_a_bar_each_and_the_models_are_added_up(report):
    lines = screen(days(report, 0.02, 0.0, 0.01, 0.000001), PLAIN).splitlines()
    assert lines[4:9] == [
        "  2026-11-01  $0.0200  " + "#" * 40,
        "  2026-11-02  $0.00",
        "  2026-11-03  $0.0100  " + "#" * 20,
        "  2026-11-04  $0.0000  #",
        "  together    $0.0300",
    ]
    assert "  gpt-realtime-2.1  response       6      45" in "\n".join(lines)
    assert lines[-1].endswith("0.006750")


def test_days_in_which_nothing_was_used_say_so(report):
    assert screen(days(report, 0), PLAIN).splitlines()[-1] == "  nothing was used today"
    assert screen(days(report, 0, 0), PLAIN).splitlines()[-1] == "  nothing was used in these 2 days"


def test_a_model_without_a_price_is_not_shown_as_free(report):
    report["days"][0]["models"][0]["priced"] = False
    report["status"]["hint"] = "no price is known for gpt-realtime-2.1: set budget.prices"
    lines = screen(report, PLAIN).splitlines()
    assert lines[-3].endswith("no price known")
    assert lines[-1] == "  to do  no price is known for gpt-realtime-2.1: set budget.prices"


def test_what_was_only_rehearsed_is_said_to_be_unpaid(report):
    report["days"][0]["models"][0]["model"] = "rehearsal/gpt-realtime-2.1"
    assert screen(report, PLAIN).splitlines()[-1] == "  rehearsal/… was only rehearsed: nothing of it is paid"


def test_a_cap_of_nothing_is_all_spent(report):
    report["daily_cap_usd"] = 0.0
    assert "of $0.00, 100% [##########]" in screen(report, PLAIN)


def test_what_a_model_is_called_cannot_drive_the_terminal(report):
    report["days"][0]["models"][0]["model"] = "evil\x1b[2J\nname"
    assert "evil[2J name" in screen(report, PLAIN)


def test_with_json_it_is_one_document(ctl, report):
    assert json.loads(ctl("--json", "usage").out) == report
