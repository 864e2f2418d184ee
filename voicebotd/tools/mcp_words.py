"""What is said of a server and of its answers: to the model, which has to speak about it, and to people.

Owns the texts of calls that came to nothing, the telling of a result, and how long a server that died is left alone.
Pure.
"""

from __future__ import annotations

import json

from mcp_types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
_REASON_CHARACTERS = 300


def told(result: CallToolResult) -> str:
    """A result as text. What cannot be spoken is named."""
    parts = [part for part in map(_part, result.content) if part]
    if not parts and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))
    return "\n".join(parts) or "done"


def _part(content: ContentBlock) -> str:
    match content:
        case TextContent(text=text):
            return text
        case ImageContent(mime_type=kind) | AudioContent(mime_type=kind):
            return f"[It also returned {kind}, which cannot be spoken.]"
        case ResourceLink(name=name, uri=uri):
            return f"[It also returned a link: {name}, {uri}]"
        case EmbeddedResource(resource=TextResourceContents(text=text)):
            return text
    return f"[It also returned a file, {content.resource.uri}, which cannot be spoken.]"


def away(server: str, why: str) -> str:
    """It was not asked at all."""
    return f"The server {server} is not there at present ({why}), so nothing was done. It may be back in a while."


def died(server: str, function: str) -> str:
    """It was asked, and then it was gone."""
    return (
        f"The server {server} was lost while {function} ran; whether it had its effect is not known. Do not call it "
        "again by yourself: tell the visitor, and ask."
    )


def refused(server: str, code: int, message: str) -> str:
    return f"The server {server} refused the call: {message[:_REASON_CHARACTERS]} ({code})."


def unfit(server: str, function: str) -> str:
    return f"The server {server} answered {function} with what does not fit its own description, so the result is lost."


def pause_s(deaths: int, chance: float) -> float:
    """How long to leave a server alone that died so many times in a row. `chance`: 0 to 1, so that not all that died
    together come back together."""
    longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(deaths - 1, 16))
    return float(longest_s * (0.5 + chance / 2))


def reason(error: BaseException) -> str:
    """An exception in a line for people: the innermost of a group, which alone says something."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:_REASON_CHARACTERS]


def ended(returncode: int | None, last_line: str) -> str:
    """How a process ended."""
    how = "closed its output" if returncode is None else f"was killed by signal {-returncode}" if returncode < 0 else ""
    how = how or f"ended with exit code {returncode}"
    return f"{how}: {last_line[:_REASON_CHARACTERS]}" if last_line else how
