"""A YAML document as plain values: safe, without duplicate keys, and with line and column of what is wrong.

Owns how configuration, profiles and overrides are parsed. Pure: text in; knows no key.
"""

from __future__ import annotations

from typing import Any

import yaml

from voicebotd.errors import Problem


class _Loader(yaml.SafeLoader):
    """The safe loader, which by itself lets the last of two equal keys win in silence."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.duplicates: list[tuple[str, yaml.Mark]] = []

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # The `<<` merges have not been expanded here yet: overriding a merged key is no duplicate.
        node = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in seen:
                self.duplicates.append((key.value, key.start_mark))
            seen.add((key.tag, key.value))
        return node


def parse(text: str, source: str) -> tuple[dict[Any, Any], list[Problem]]:
    """Parse a document that must be a map (an empty one is an empty map)."""
    try:
        loader = _Loader(text)
        tree = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return {}, [_problem(error.problem or error.context or "not YAML", source, mark)]
    except yaml.reader.ReaderError as error:
        return {}, [Problem(key=source, message=f"position {error.position}: {error.reason}")]
    except ValueError as error:
        # SafeLoader builds dates with the datetime constructors, which refuse 2026-99-99 in their own way.
        return {}, [Problem(key=source, message=f"not YAML: {error}")]
    problems = [_problem(f"duplicate key {name}", source, mark) for name, mark in loader.duplicates]
    if tree is None:
        return {}, problems
    if not isinstance(tree, dict):
        return {}, [*problems, Problem(key=source, message=f"must be a map of keys, not {type(tree).__name__}")]
    return tree, problems


def _problem(message: str, source: str, mark: yaml.Mark | None) -> Problem:
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return Problem(key=source, message=where + message)
