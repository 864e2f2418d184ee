"""What a script cannot know beforehand: parts of the answers that its functions gave, put into its words and calls.

Owns `{function.path.to.value}`, which stands for a value in the last output of that function, as JSON. What no output
holds stays as it is written. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from voicebotd.rehearsal.brain import Call, Line, Past
from voicebotd.rehearsal.murmur import murmur

_GAP = re.compile(r"\{(?P<function>\w+)(?P<path>(?:\.\w+)+)\}")


def has_gaps(part: Line | Call) -> bool:
    return _GAP.search(_text(part)) is not None


def outputs_of(past: Iterable[Past]) -> dict[str, Any]:
    """The last output of each function; those of one response come in the order of its calls."""
    waiting: list[str] = []
    outputs: dict[str, Any] = {}
    for item in past:
        if item.kind == "call":
            waiting.append(item.name)
        elif item.kind == "output" and waiting:
            outputs[waiting.pop(0)] = _document(item.text)
    return outputs


def filled(part: Line | Call, outputs: Mapping[str, Any]) -> Line | Call:
    """The same with its gaps filled, as far as there are outputs for them."""
    text = _text(part)
    new = _GAP.sub(lambda gap: _value(gap, outputs, quoted=isinstance(part, Call)), text)
    if new == text:
        return part
    return replace(part, arguments=new) if isinstance(part, Call) else Line(text=new, pcm=_murmured(new))


@lru_cache(maxsize=64)
def _murmured(text: str) -> bytes:
    """Asked for again at each turn, to recognise what was said."""
    return murmur(text)


def _value(gap: re.Match[str], outputs: Mapping[str, Any], *, quoted: bool) -> str:
    value = outputs.get(gap["function"])
    for name in gap["path"].split(".")[1:]:
        value = value.get(name) if isinstance(value, dict) else None
    if value is None:
        return gap[0]
    # The arguments of a call are JSON text, in which a gap stands within quotes.
    return json.dumps(str(value))[1:-1] if quoted else str(value)


def _text(part: Line | Call) -> str:
    return part.arguments if isinstance(part, Call) else part.text


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
