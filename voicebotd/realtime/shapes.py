"""The same message in the shapes that servers know: GA, the older flat one ("beta"), and mixtures of them.

Owns the names of the beta shape (openai-python `types/beta/realtime`). Everything of ours is written in the GA shape
first and rewritten here; what a server tells of its session is brought back to the GA shape. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from voicebotd.realtime.fields import JsonObject, as_whole, optional_nested

Path = tuple[str, ...]

_FLAT: Mapping[str, Path] = {
    "instructions": ("instructions",),
    "tools": ("tools",),
    "tool_choice": ("tool_choice",),
    "max_response_output_tokens": ("max_output_tokens",),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
}
"""Where the GA shape has what the beta shape calls so. Formats and modalities are not only renamed."""

_FORMATS: Mapping[str, Path] = {
    "input_audio_format": ("audio", "input", "format"),
    "output_audio_format": ("audio", "output", "format"),
}
_PCM_NAME = re.compile(r"pcm\d*")
_PARTS = {"output_text": "text", "output_audio": "audio"}


def lookup(tree: JsonObject, path: Path) -> tuple[bool, Any]:
    """Return whether there is something at `path`, and what."""
    node: Any = tree
    for name in path:
        if not isinstance(node, dict) or name not in node:
            return False, None
        node = node[name]
    return True, node


def put(tree: JsonObject, path: Path, value: object) -> None:
    """Put `value` at `path`, making the way to it."""
    *way, last = path
    for name in way:
        if not isinstance(tree.get(name), dict):
            tree[name] = {}
        tree = tree[name]
    tree[last] = value


def without(tree: JsonObject, paths: Iterable[Path]) -> JsonObject:
    """Return a copy of `tree` that has nothing at `paths`."""
    copy = _copy(tree)
    for *way, last in paths:
        there, parent = lookup(copy, tuple(way))
        if there and isinstance(parent, dict):
            parent.pop(last, None)
    return copy


def lifted(session: JsonObject, paths: Iterable[Path]) -> JsonObject:
    """Return a GA session with the settings at `paths` at its top instead, where it needs no type."""
    paths = tuple(paths)
    if not paths:
        return session
    copy = without(session, [*paths, ("type",)])
    for path in paths:
        there, value = lookup(session, path)
        if there:
            copy[path[-1]] = value
    return copy


def flat(session: JsonObject, *, pcm: str | None) -> JsonObject:
    """Return a GA session in the beta shape; what that shape has no name for is left out. `pcm`: its format's name."""
    made: JsonObject = {}
    for name, path in _FLAT.items():
        there, value = lookup(session, path)
        if there:
            made[name] = value
    if isinstance(made.get("turn_detection"), dict):
        made["turn_detection"] = without(made["turn_detection"], [("idle_timeout_ms",)])
    if "output_modalities" in session:
        made["modalities"] = _modalities(session["output_modalities"])
    for name, path in _FORMATS.items():
        if pcm is not None and lookup(session, path)[0]:
            made[name] = pcm
    return made


def nested_tools(session: JsonObject) -> JsonObject:
    """Return a session whose tools are written as chat completions write them."""
    if "tools" not in session:
        return session
    nested = [
        {"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}
        for tool in session["tools"]
    ]
    return {**session, "tools": nested}


def flat_message(message: JsonObject) -> JsonObject:
    """Return a client event other than `session.update` in the beta shape."""
    if "item" in message:
        return {**message, "item": _flat_item(message["item"])}
    if "response" in message:
        return {**message, "response": _flat_response(message["response"])}
    return message


def told_in_ga(told: JsonObject, *, input_hz: int, output_hz: int) -> JsonObject:
    """Return the session that a server tells, in whatever shape, in the GA shape. GA places win over flat ones.

    The rates are those of formats that are named without one.
    """
    made = _copy(told)
    for name, path in _FLAT.items():
        if name in told and not lookup(made, path)[0]:
            put(made, path, told[name])
    for (name, path), rate_hz in zip(_FORMATS.items(), (input_hz, output_hz), strict=True):
        if isinstance(told.get(name), str) and not lookup(made, path)[0]:
            pcm = _PCM_NAME.fullmatch(told[name])
            put(made, path, {"type": "audio/pcm", "rate": rate_hz} if pcm else {"type": told[name]})
    if isinstance(told.get("modalities"), list) and "output_modalities" not in told:
        made["output_modalities"] = ["audio"] if "audio" in told["modalities"] else ["text"]
    if isinstance(told.get("tools"), list):
        made["tools"] = [_flat_tool(tool) for tool in told["tools"]]
    return made


def looks_flat(told: JsonObject) -> bool | None:
    """Return whether the session that a server tells is in the beta shape, None where it does not show."""
    if isinstance(told.get("audio"), dict) or told.get("type") == "realtime":
        return False
    return True if "modalities" in told or "input_audio_format" in told else None


def rate_hz(told: JsonObject, direction: str) -> int | None:
    """Return the rate of `direction` (input, output) in a session in the GA shape, where it is a usable PCM rate."""
    stated = optional_nested(optional_nested(optional_nested(told, "audio"), direction), "format")
    rate = as_whole(stated.get("rate"))
    return rate if stated.get("type") == "audio/pcm" and rate is not None and 8000 <= rate <= 48_000 else None


def _flat_item(item: JsonObject) -> JsonObject:
    if "content" not in item:
        return item
    return {**item, "content": [{**part, "type": _PARTS.get(part["type"], part["type"])} for part in item["content"]]}


def _flat_response(response: JsonObject) -> JsonObject:
    made = dict(response)
    if "output_modalities" in made:
        made["modalities"] = _modalities(made.pop("output_modalities"))
    if "max_output_tokens" in made:
        made["max_response_output_tokens"] = made.pop("max_output_tokens")
    if "input" in made:
        made["input"] = [_flat_item(item) for item in made["input"]]
    return made


def _modalities(output: list[str]) -> list[str]:
    """The beta shape knows no audio alone."""
    return ["text"] if output == ["text"] else ["text", "audio"]


def _flat_tool(tool: object) -> object:
    if isinstance(tool, dict) and isinstance(tool.get("function"), dict):
        return {"type": tool.get("type"), **tool["function"]}
    return tool


def _copy(tree: JsonObject) -> JsonObject:
    return {name: _copy(value) if isinstance(value, dict) else value for name, value in tree.items()}
