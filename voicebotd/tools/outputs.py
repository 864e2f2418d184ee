"""What the model is told of a call: a result as text, or in what way there is none.

The model speaks about what it reads here, so each text is a sentence that says what to do next. Pure.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from voicebotd.errors import ToolError

MOST_CHARACTERS = 16_000
"""About 4000 tokens: they are read, and paid for, with every later answer of the conversation."""
_ADVICE = "Tell the visitor in plain words, without this message, and offer what can be done instead."


def tell(result: Any) -> str:
    """A result as text. Raises ToolError for one that cannot be told."""
    if result is None:
        return "done"
    return _capped(result if isinstance(result, str) else _json(result))


def failure(message: str) -> str:
    """Something went wrong, and the message is fit for the model to read."""
    return json.dumps({"error": message[:MOST_CHARACTERS]}, ensure_ascii=False)


def raised(name: str) -> str:
    """The function raised something of its own; what exactly is for the log, not for a visitor."""
    return failure(f"The function {name} failed. {_ADVICE}")


def timed_out(name: str, after_s: float) -> str:
    return failure(
        f"The function {name} did not answer within {after_s:g} s and was stopped; whether it had its effect is not "
        f"known. {_ADVICE}"
    )


def unknown(name: str, offered: list[str]) -> str:
    there_is = f"There is only: {', '.join(offered)}." if offered else "There are no functions at present."
    return failure(f"There is no function {name[:64]!r}. {there_is}")


def busy(running: int) -> str:
    return failure(
        f"{running} functions are running or waiting already, so this one was not run. Try it once more later."
    )


def _json(result: Any) -> str:
    try:
        return json.dumps(to_jsonable_python(result), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        message = f"The function returned what cannot be told ({type(result).__name__}), so its result is not known."
        raise ToolError(f"{message} {_ADVICE}") from error


def _capped(text: str) -> str:
    if len(text) <= MOST_CHARACTERS:
        return text
    note = f"\n[Cut: these are the first {MOST_CHARACTERS} of {len(text)} characters. Ask for less if you can.]"
    return text[:MOST_CHARACTERS] + note
