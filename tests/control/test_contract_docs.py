"""The README's tables are the contract's."""

import runpy
import warnings

import pytest

from voicebotd.control.contract import ERRORS, METHODS
from voicebotd.control.contract_docs import error_table, method_table


def test_every_method_has_a_row_of_five_columns() -> None:
    rows = method_table().splitlines()[2:]

    assert [row.split("`")[1] for row in rows] == list(METHODS)
    assert all(row.replace("\\|", "").count("|") == 6 for row in rows)


def test_a_row_shows_range_unit_default_and_right_of_each_parameter() -> None:
    rows = {row.split("`")[1]: row for row in method_table().splitlines()[2:]}

    assert "`threshold?` 0..1<br>" in rows["vad.set"]
    assert "`silence_duration_ms?` 100..10000 ms<br>" in rows["vad.set"]
    assert "`mode?` append\\|replace [append]<br>`persist?` [false] (admin)" in rows["instructions.set"]
    assert "| `text`<br>" in rows["message.send"]
    assert "| OpenRPC | read |" in rows["rpc.discover"]


def test_every_error_has_a_row() -> None:
    rows = error_table().splitlines()[2:]

    assert len(rows) == len(ERRORS)
    assert "| 1001 | `conversation.already_running` | a conversation runs already | no |" in rows
    assert "| -32001 | `rpc.overloaded` | too many clients or requests | yes |" in rows


def test_the_module_prints_both_tables(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        # runpy warns that the module is imported already: this test has to.
        warnings.simplefilter("ignore", RuntimeWarning)
        runpy.run_module("voicebotd.control.contract_docs", run_name="__main__")

    assert capsys.readouterr().out == method_table() + "\n" + error_table()
