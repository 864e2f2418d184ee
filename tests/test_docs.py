"""The README says what is so: its tables are the code's, and its commands, keys, methods and paths exist."""

from __future__ import annotations

import argparse
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from voicebotctl.cli import _parsed as parse_voicebotctl
from voicebotctl.parameters import Parameters
from voicebotd import cli, docs
from voicebotd.config.catalogue import check, keys, sections
from voicebotd.config.environment import read_environment
from voicebotd.config.layers import environment_layer
from voicebotd.control.contract import METHODS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
WRITTEN_BY_HAND = re.sub(r"<!-- generated: .*?<!-- end -->", "", TEXT, flags=re.DOTALL)


def commands(program: str) -> list[list[str]]:
    """The arguments of every run of a program: shell blocks and inline code, without comments."""
    return [words[1:] for words in _commands() if words[0] == program]


def _commands() -> Iterator[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", WRITTEN_BY_HAND, re.DOTALL | re.MULTILINE)
    inline = re.findall(r"`((?:voicebotctl|voicebotd|python|make) [^`]+)`", WRITTEN_BY_HAND)
    for line in [*"\n".join(blocks).splitlines(), *inline]:
        words = shlex.split(line.removesuffix("&"), comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*|sudo", words[0]):
            del words[0]
        if words:
            yield words


def code() -> list[str]:
    """Everything in the text that is set as code, word for word."""
    without_blocks = re.sub(r"^```.*?^```", "", WRITTEN_BY_HAND, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", without_blocks)


def test_the_tables_of_the_readme_are_those_of_the_code() -> None:
    assert docs.renewed(TEXT) == TEXT, "python -m voicebotd.docs README.md"


@pytest.mark.parametrize("arguments", commands("voicebotctl"), ids=" ".join)
def test_a_voicebotctl_command_exists_with_its_arguments(arguments: list[str]) -> None:
    if arguments == ["--help"]:
        return
    command, parsed = parse_voicebotctl(arguments)

    if command.method == "vad.set":
        Parameters("vad.set").assigned(parsed.assigned or [], without=("profile", "persist"))
    if command.method == "config.set":
        for word in parsed.assigned:
            key, _, value = word.partition("=")
            assert check(key, value, "README", is_text=True)[1] is None
    if command.method is None and arguments[0] == "call":
        assert arguments[1] in METHODS


@pytest.mark.parametrize("arguments", commands("voicebotd"), ids=" ".join)
def test_a_voicebotd_command_exists_with_its_arguments(arguments: list[str]) -> None:
    parsed: argparse.Namespace = cli._parser().parse_args(arguments)

    for word in parsed.set:
        key, _, value = word.partition("=")
        assert check(key, value, "README", is_text=True)[1] is None


@pytest.mark.parametrize("arguments", commands("python"), ids=" ".join)
def test_a_module_that_is_run_exists(arguments: list[str]) -> None:
    assert arguments[0] == "-m"
    assert importlib.util.find_spec(arguments[1]) is not None


@pytest.mark.parametrize("arguments", commands("make"), ids=" ".join)
def test_a_make_target_exists(arguments: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert re.search(rf"^{arguments[0]}:", makefile, re.MULTILINE)


def test_every_key_that_is_mentioned_exists() -> None:
    known = {*keys(), *sections(), *METHODS}
    first_parts = {name.partition(".")[0] for name in known}
    dotted = [word for text in code() for word in re.findall(r"(?<![/\w.-])[a-z_]+(?:\.[a-z_]+)+(?![/\w.-])", text)]

    mentioned = {word for word in dotted if word.partition(".")[0] in first_parts}

    assert mentioned
    assert mentioned <= known


def test_every_environment_variable_that_sets_a_key_exists() -> None:
    variables = dict(re.findall(r"^(VOICEBOTD_\w+__\w+)=(\S+)", WRITTEN_BY_HAND, re.MULTILINE))
    environment = read_environment(variables, ROOT / "tests")

    assert variables
    assert environment_layer(environment.values, environment.sources).problems == ()


def test_every_file_that_is_named_exists() -> None:
    named = {word for word in code() if re.fullmatch(r"(?:voicebotd|voicebotctl|config|systemd)/[\w/.-]*", word)}

    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_link_within_the_readme_leads_to_a_heading() -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", WRITTEN_BY_HAND, re.MULTILINE)
    }

    assert set(re.findall(r"\]\(#([^)]+)\)", WRITTEN_BY_HAND)) <= headings


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "README.md"
    blocks = "".join(f"<!-- generated: {name} -->\nold\n<!-- end -->\nkept\n" for name in docs.TABLES)
    path.write_text(f"before\n{blocks}", encoding="utf-8")
    return path


def test_a_stale_table_is_found_and_left_as_it_is(document: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = document.read_text(encoding="utf-8")

    assert docs.main(["--check", str(document)]) == 1
    assert "stale" in capsys.readouterr().err
    assert document.read_text(encoding="utf-8") == before


def test_a_document_is_renewed_between_its_markers_only(document: Path) -> None:
    assert docs.main([str(document)]) == 0
    text = document.read_text(encoding="utf-8")

    assert text.startswith("before\n")
    assert text.count("kept\n") == len(docs.TABLES)
    assert "old" not in text.splitlines()
    assert docs.main(["--check", str(document)]) == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("generated: methods", "generated: mehtods"),
        ("<!-- end -->\nkept\n<!-- generated: methods", "<!-- generated: methods"),
        ("<!-- generated: errors -->", ""),
    ],
)
def test_a_marker_that_is_wrong_is_named_and_nothing_written(
    document: Path, old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = document.read_text(encoding="utf-8").replace(old, new, 1)
    document.write_text(text, encoding="utf-8")

    assert docs.main([str(document)]) == 1
    assert "needs one closed block each of configuration, methods, errors" in capsys.readouterr().err
    assert document.read_text(encoding="utf-8") == text


def test_the_configuration_table_has_a_row_of_five_columns_for_each_key() -> None:
    rows = docs.configuration_table().splitlines()[2:]

    assert [row.split("`")[1] for row in rows] == list(keys())
    assert all(row.replace("\\|", "").count("|") == 6 for row in rows)
    assert any(row.startswith("| `turn_detection.threshold` | `0.85` | a number from 0 to 1 | live |") for row in rows)
