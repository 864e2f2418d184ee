"""The session as it is in force: its defaults, what a `session.update` makes of it, and what the server reads from it.

Owns defaults and merging. Pure. The session stays the JSON object of the wire, because all of it must go back to the
client; `checks` have been applied before, so here the values are known to be in range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voicebotd.rehearsal.checks import invalid
from voicebotd.rehearsal.vad import TurnRule
from voicebotd.rehearsal.wire import Refusal

Settings = dict[str, Any]

_FORMAT = {"type": "audio/pcm", "rate": 24_000}
_SERVER_VAD: Settings = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_SEMANTIC_VAD: Settings = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_TURN_DETECTIONS = {"server_vad": _SERVER_VAD, "semantic_vad": _SEMANTIC_VAD}

SEMANTIC_SILENCE_MS = {"low": 1600, "medium": 800, "auto": 800, "high": 400}
"""`semantic_vad` here is a plain silence by eagerness: a stand-in, since nothing in this server knows a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPolicy:
    """What turn detection means for the server. `rule` None: the client commits by itself."""

    rule: TurnRule | None
    create_response: bool = False
    interrupt_response: bool = False
    idle_timeout_s: float | None = None


def default_session(*, session_id: str, model: str, expires_at: int) -> Settings:
    """The session before any update. `expires_at`: Unix seconds."""
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "expires_at": expires_at,
        "output_modalities": ["audio"],
        "instructions": "Answer in a friendly voice. (These are the rehearsal server's own default instructions.)",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "include": None,
        "audio": {
            "input": {
                "format": _FORMAT,
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": _SERVER_VAD,
            },
            "output": {"format": _FORMAT, "voice": "marin", "speed": 1.0},
        },
    }


def apply_update(current: Settings, update: Settings, *, voice_locked: bool) -> Settings:
    """Return the new session, or raise `Refusal` and leave everything as it was.

    Only the fields that are present change; of `turn_detection` and `noise_reduction` of the same type, too.
    """
    audio = update.get("audio", {})
    given_input, given_output = audio.get("input", {}), audio.get("output", {})
    held = current["audio"]
    if update.get("model", current["model"]) != current["model"]:
        raise invalid("session.model", "the model of a session cannot be changed.")
    if voice_locked and given_output.get("voice", held["output"]["voice"]) != held["output"]["voice"]:
        message = "Cannot update a conversation's voice if assistant audio is present."
        raise Refusal("cannot_update_voice", message, param="session.audio.output.voice")
    new_input = {**held["input"], **given_input}
    if given_input.get("turn_detection"):
        new_input["turn_detection"] = _detection(held["input"]["turn_detection"], given_input["turn_detection"])
    if given_input.get("noise_reduction"):
        strength = (held["input"]["noise_reduction"] or {}).get("strength", 1.0)
        new_input["noise_reduction"] = {"strength": strength, **given_input["noise_reduction"]}
    return {**current, **update, "audio": {"input": new_input, "output": {**held["output"], **given_output}}}


def _detection(held: Settings | None, given: Settings) -> Settings:
    same = held is not None and held["type"] == given["type"]
    return {**(held if same and held else _TURN_DETECTIONS[given["type"]]), **given}


def turn_policy(session: Settings) -> TurnPolicy:
    detection = session["audio"]["input"]["turn_detection"]
    if detection is None:
        return TurnPolicy(rule=None)
    values = _SERVER_VAD | detection
    if detection["type"] == "semantic_vad":
        values["silence_duration_ms"] = SEMANTIC_SILENCE_MS[detection["eagerness"]]
    idle_timeout_ms = values["idle_timeout_ms"]
    return TurnPolicy(
        rule=TurnRule(
            threshold=values["threshold"],
            prefix_padding_ms=values["prefix_padding_ms"],
            silence_duration_ms=values["silence_duration_ms"],
        ),
        create_response=values["create_response"],
        interrupt_response=values["interrupt_response"],
        idle_timeout_s=None if idle_timeout_ms is None else idle_timeout_ms / 1000,
    )
