"""The README's tables, written from the code: `python -m voicebotd.docs [--check] README.md`.

Owns the Markdown of the configuration table, and the markers between which generated text stands in a document. What is
in the tables is the business of `config/model.py` and `control/contract.py`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from voicebotd.config.catalogue import Key, describe
from voicebotd.control.contract_docs import error_table, method_table

_SHOWN_CHARACTERS = 40
_BLOCK = re.compile(r"(?P<begin><!-- generated: (?P<name>\S+) -->\n)(?P<old>.*?)(?P<end><!-- end -->\n)", re.DOTALL)


def configuration_table() -> str:
    """One row for each key."""
    rows = ["| key | default | allowed | a change applies | meaning |", "|---|---|---|---|---|"]
    return "\n".join([*rows, *map(_row, describe())]) + "\n"


TABLES: Mapping[str, Callable[[], str]] = {
    "configuration": configuration_table,
    "methods": method_table,
    "errors": error_table,
}


def renewed(text: str) -> str:
    """The document with every table between its markers as it should be.

    Raises ValueError for a marker with an unknown name, one without its end, and a table that the document lacks.
    """
    names = [match["name"] for match in _BLOCK.finditer(text)]
    if sorted(names) != sorted(TABLES) or text.count("<!-- generated:") != len(names):
        raise ValueError(f"needs one closed block each of {', '.join(TABLES)}; has {', '.join(names) or 'none'}")
    return _BLOCK.sub(lambda match: match["begin"] + TABLES[match["name"]]() + match["end"], text)


def _row(key: Key) -> str:
    cells = (f"`{key.name}`", f"`{_default(key.default)}`", key.allowed, key.applies, key.description)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS].rpartition(" ")[0] + " …"


def main(argv: Sequence[str] | None = None) -> int:
    """Renew the file, or with --check only judge it; return 0, or 1 where it is stale or cannot be renewed."""
    parser = argparse.ArgumentParser(prog="python -m voicebotd.docs", description="Renew the generated tables.")
    parser.add_argument("file", type=Path, metavar="README.md")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where a table is stale")
    arguments = parser.parse_args(argv)
    before = arguments.file.read_text(encoding="utf-8")
    try:
        after = renewed(before)
    except ValueError as error:
        return _complain(arguments.file, str(error))
    if arguments.check:
        stale = f"a table is stale; `python -m voicebotd.docs {arguments.file}` renews it"
        return 0 if after == before else _complain(arguments.file, stale)
    arguments.file.write_text(after, encoding="utf-8")
    return 0


def _complain(file: Path, what: str) -> int:
    sys.stderr.write(f"{file}: {what}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
