"""What we want of a session, and what a change makes of it. Plain values; what is under way is `standing.py`'s."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from voicebotd.conversation.commands import SetInstructions
from voicebotd.conversation.effects import FunctionTool
from voicebotd.conversation.events import BargeIn, TurnDetection

Runtime = tuple[str, Literal["append", "replace"]] | None
"""Standing runtime instructions and how they meet the configured ones."""


Part = Literal["nothing", "instructions", "turn_detection", "barge_in", "tools"]
"""What people change of it, one at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What we want of the session."""

    turn_detection: TurnDetection
    barge_in: BargeIn
    configured: str
    """The instructions of the configuration."""
    runtime: Runtime = None
    tools: tuple[FunctionTool, ...] = ()


def instructed(wanted: Wanted, command: SetInstructions) -> Wanted:
    """With other instructions."""
    if command.text is None:
        return replace(wanted, runtime=None)
    if command.mode == "configured":
        return replace(wanted, configured=command.text)
    return replace(wanted, runtime=(command.text, command.mode))


def undone(wanted: Wanted, *, before: Wanted, after: Wanted) -> Wanted:
    """Take back a change from `before` to `after`, and nothing that was changed again since."""
    back = {
        field.name: getattr(before, field.name)
        for field in fields(Wanted)
        if getattr(wanted, field.name) == getattr(after, field.name)
    }
    return replace(wanted, **back)


def describe(turn_detection: TurnDetection | None) -> dict[str, Any]:
    """As people read it: only the settings that the type has."""
    if turn_detection is None or turn_detection.type == "none":
        return {"type": "none"}
    described = asdict(turn_detection)
    unused = {"eagerness"}
    if turn_detection.type == "local":
        unused = {"eagerness", "create_response", "interrupt_response", "idle_timeout_ms"}
    if turn_detection.type == "semantic_vad":
        unused = {"threshold", "prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms"}
    return {key: value for key, value in described.items() if key not in unused}
