"""Whether the service does what we asked: the session that it tells, against the one that is wanted.

Owns the reading of `session.created` and `session.updated`. A setting that was silently not applied is found here;
what to do about it is somebody else's business. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose
from typing import Any

from voicebotd.conversation.events import (
    Eagerness,
    SessionView,
    TurnDetection,
    TurnDetectionType,
)
from voicebotd.realtime.fields import JsonObject, as_whole, is_number, one_line, optional_nested, text
from voicebotd.realtime.session import SessionConfig, reasons, wire, wire_transcription, wire_turn_detection

_TYPES: dict[Any, TurnDetectionType] = {"server_vad": "server_vad", "semantic_vad": "semantic_vad"}
_EAGERNESS: dict[Any, Eagerness] = {"auto": "auto", "low": "low", "medium": "medium", "high": "high"}

_SAME_NUMBER = 1e-3
"""Services that keep a threshold in 32 bits tell 0.85 as 0.8500000238."""


def confirm(
    wanted: SessionConfig, told: JsonObject, asked: JsonObject | None = None
) -> tuple[SessionView, tuple[str, ...]]:
    """Return the session as the service has it, and a sentence for each thing that is not as wanted.

    `asked`: what was really asked for, where that is less than everything. Where the service tells nothing, the view
    shows what was asked for, and the differences say so.
    """
    audio = optional_nested(told, "audio")
    heard = optional_nested(audio, "input")
    transcription = heard.get("transcription", wire_transcription(wanted))
    modalities = told.get("output_modalities")
    view = SessionView(
        instructions=_told_text(told, "instructions", wanted.instructions),
        turn_detection=_turn_detection(wanted.turn_detection, heard),
        voice=_told_text(optional_nested(audio, "output"), "voice", wanted.voice),
        output="text" if modalities == ["text"] else "audio" if modalities == ["audio"] else wanted.output,
        transcription_model=_told_text(transcription, "model", "") if isinstance(transcription, dict) else "",
    )
    differences = list(_differences("", wire(wanted) if asked is None else asked, told))
    if wanted.reasoning_effort is not None and not reasons(wanted.model):
        differences.append(f"reasoning: not sent, because {wanted.model} does not reason")
    return view, tuple(differences)


def _turn_detection(wanted: TurnDetection, heard: JsonObject) -> TurnDetection | None:
    told = heard.get("turn_detection", wire_turn_detection(wanted))
    if not isinstance(told, dict):
        return None
    threshold = told.get("threshold")
    return TurnDetection(
        type=_TYPES.get(_told_text(told, "type", ""), wanted.type),
        threshold=float(threshold) if is_number(threshold) else wanted.threshold,
        prefix_padding_ms=_told_whole(told, "prefix_padding_ms", wanted.prefix_padding_ms),
        silence_duration_ms=_told_whole(told, "silence_duration_ms", wanted.silence_duration_ms),
        create_response=_told_bool(told, "create_response", wanted.create_response),
        interrupt_response=_told_bool(told, "interrupt_response", wanted.interrupt_response),
        idle_timeout_ms=as_whole(told.get("idle_timeout_ms", wanted.idle_timeout_ms)),
        eagerness=_EAGERNESS.get(_told_text(told, "eagerness", ""), wanted.eagerness),
    )


def _differences(path: str, wanted: object, told: object) -> Iterator[str]:
    """Walk what is wanted; what the service tells beyond that is its own affair."""
    if isinstance(wanted, dict) and isinstance(told, dict):
        for name, value in wanted.items():
            yield from _differences(f"{path}.{name}" if path else name, value, told.get(name))
    elif not _same(wanted, told):
        yield f"{path}: wanted {_short(wanted)}, the service has {_short(told)}"


def _same(wanted: object, told: object) -> bool:
    if is_number(wanted) and is_number(told):
        return isclose(wanted, told, abs_tol=_SAME_NUMBER)
    if isinstance(wanted, list) and isinstance(told, list):
        return _names(wanted) == _names(told)
    return wanted == told


def _names(entries: list[Any]) -> list[Any]:
    """Tools are told again with fields of the service's own, so they are compared by name."""
    return [entry.get("name") if isinstance(entry, dict) else entry for entry in entries]


def _short(value: object) -> str:
    return "nothing" if value is None else one_line(repr(value), 60)


def _told_text(source: JsonObject, name: str, default: str) -> str:
    return text(source, name) if isinstance(source.get(name), str) else default


def _told_whole(source: JsonObject, name: str, default: int) -> int:
    told = as_whole(source.get(name))
    return default if told is None else told


def _told_bool(source: JsonObject, name: str, default: bool) -> bool:
    told = source.get(name)
    return told if isinstance(told, bool) else default
