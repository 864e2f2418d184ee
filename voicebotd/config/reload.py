"""What differs between two configurations, and when each difference takes effect. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voicebotd.config.catalogue import applies, flatten
from voicebotd.config.layers import INSTRUCTIONS_KEY
from voicebotd.config.load import LoadedConfig
from voicebotd.config.section import Applies


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One key that differs. `old` and `new` are JSON types."""

    key: str
    old: Any
    new: Any
    source: str
    """Where the new value comes from."""
    applied: Applies


def diff(before: LoadedConfig, after: LoadedConfig) -> list[Change]:
    """List the keys whose values differ, in the manual's order.

    Instructions differ as well where the same file holds another text by now.
    """
    old, new = flatten(before.settings), flatten(after.settings)
    changed = {name for name in new if new[name] != old[name]}
    if before.instructions != after.instructions:
        changed.add(INSTRUCTIONS_KEY)
    return [
        Change(key=name, old=old[name], new=new[name], source=after.sources[name], applied=applies(name))
        for name in new
        if name in changed
    ]
