"""A docstring read as the model is to read it: what the function does, and what each argument means.

The Google style: an `Args:` section with one `name: text` for each, lines that go on are indented further. Other
sections are for people who read the code. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SECTION = re.compile(r"(Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Notes?):\s*")
_ARGUMENTS = ("Args", "Arguments", "Parameters")
_ENTRY = re.compile(r"(?P<indent>\s+)(?P<name>\w+)(\s*\([^)]*\))?:\s*(?P<text>.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Docstring:
    description: str
    arguments: dict[str, str]


def parse(text: str) -> Docstring:
    """`text`: without the indentation of the code, as `inspect.getdoc` returns it."""
    description: list[str] = []
    arguments: dict[str, str] = {}
    section, indent, name = "", "", ""
    for line in text.splitlines():
        if begun := _SECTION.fullmatch(line):
            section, indent, name = begun[1], "", ""
        elif not section:
            description.append(line)
        elif section in _ARGUMENTS and (entry := _ENTRY.fullmatch(line)) and indent in ("", entry["indent"]):
            indent, name = entry["indent"], entry["name"]
            arguments[name] = entry["text"].strip()
        elif name:
            arguments[name] = f"{arguments[name]} {line.strip()}".strip()
    return Docstring(description="\n".join(description).strip(), arguments=arguments)
