"""What a server may lack, in words, and what is then left unsaid to it.

Owns the list of everything that the box can do without: a message that is not sent, or a setting that is left out of
the session. Which server lacks what is in `dialects.py`. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from voicebotd.conversation.effects import (
    AnswerApproval,
    CancelResponse,
    ClearInput,
    CommitInput,
    CreateFunctionCall,
    CreateMessage,
    DeleteItem,
    ToService,
    TruncateItem,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """`without`: what follows where a server lacks it. `messages`: not sent then. `setting`: its place in the GA
    session, left out then, which nobody misses where it was to be `unset`. `answered`: somebody may wait for it."""

    without: str
    messages: tuple[type[ToService], ...] = ()
    answered: bool = False
    setting: tuple[str, ...] = ()
    tool_type: str = ""
    """Tools of this type are left out of the session then."""
    unset: object = None


_DETECTION = ("audio", "input", "turn_detection")

FEATURES: Mapping[str, Feature] = MappingProxyType(
    {
        "truncate": Feature(without="the service remembers what was not heard", messages=(TruncateItem,)),
        "cancel": Feature(
            without="an interrupted answer is made, and paid for, to its end", messages=(CancelResponse,)
        ),
        "delete": Feature(without="a noise stays in the conversation", messages=(DeleteItem,)),
        "clear": Feature(
            without="what was said right before push to talk or a noise may count as said", messages=(ClearInput,)
        ),
        "commit": Feature(
            without="push to talk and turn_detection.type none or local cannot end a turn",
            messages=(CommitInput,),
            answered=True,
        ),
        "messages": Feature(
            without="nothing can be told to it in writing: voicebotctl send, the context of an earlier session",
            messages=(CreateMessage, CreateFunctionCall),
            answered=True,
        ),
        "confirmation": Feature(without="the service does not say which settings it took"),
        "create_response": Feature(
            without="the service answers at the end of every turn by itself, also of a noise",
            setting=(*_DETECTION, "create_response"),
            unset=True,
        ),
        "interrupt_response": Feature(
            without="the service stops its answer by itself when somebody speaks, also for a noise",
            setting=(*_DETECTION, "interrupt_response"),
            unset=True,
        ),
        "semantic_vad": Feature(
            without="turn_detection.type semantic_vad goes by loudness and silence, as server_vad does",
            setting=(*_DETECTION, "eagerness"),
        ),
        "idle_timeout": Feature(
            without="turn_detection.idle_timeout_ms has no effect", setting=(*_DETECTION, "idle_timeout_ms")
        ),
        "prefix_padding": Feature(
            without="turn_detection.prefix_padding_ms has no effect", setting=(*_DETECTION, "prefix_padding_ms")
        ),
        "transcription": Feature(
            without="what the visitor says is not written down", setting=("audio", "input", "transcription")
        ),
        "noise_reduction": Feature(
            without="session.noise_reduction has no effect", setting=("audio", "input", "noise_reduction")
        ),
        "speed": Feature(without="session.speed has no effect", setting=("audio", "output", "speed"), unset=1.0),
        "text_output": Feature(
            without="session.output text has no effect", setting=("output_modalities",), unset=["audio"]
        ),
        "max_output_tokens": Feature(
            without="session.max_output_tokens has no effect", setting=("max_output_tokens",), unset="inf"
        ),
        "truncation": Feature(without="session.truncation has no effect", setting=("truncation",), unset="auto"),
        "remote_mcp": Feature(
            without="tools.remote_mcp has no effect", messages=(AnswerApproval,), answered=True, tool_type="mcp"
        ),
        "tool_choice": Feature(without="session.tool_choice has no effect", setting=("tool_choice",), unset="auto"),
    }
)


def in_words(name: str) -> str:
    """Return the sentence for people about a feature that is missing."""
    return f"{name}: {FEATURES[name].without}"


def feature_of(effect: ToService) -> str | None:
    """Return the feature that `effect` needs, or None for what no server lacks."""
    return _BY_MESSAGE.get(type(effect))


_BY_MESSAGE = {message: name for name, feature in FEATURES.items() for message in feature.messages}
