"""What becomes of a response that failed or was cut short: asked for once more, finished, or told to the visitor.

The rule and the words for it; who carries it out is `dialogue.py`. Pure.
"""

from __future__ import annotations

from enum import Enum

from voicebotd.conversation.events import ResponseDone

GO_ON = "Your last answer was cut off in the middle. Go on from exactly where it stopped. Do not repeat what was said."
FINISH = "You ran out of room for your last answer. Finish it in one short sentence. Do not repeat what was said."
CANNOT_SAY = (
    "Tell the visitor in one short sentence that you cannot answer that, and offer to help with something else."
)

NO_USE = frozenset(
    {"insufficient_quota", "credit_balance_exhausted", "invalid_api_key", "account_deactivated", "model_not_found"}
)
"""Codes after which the same request fails in the same way; what the link does about them is its own affair."""


class Verdict(Enum):
    NOTHING = "nothing"
    AGAIN = "again"
    GO_ON = "go on"
    FINISH = "finish"
    CANNOT_SAY = "cannot say"
    TELL = "tell"
    """Nothing more can be done: the visitor must not wait in vain."""


INSTRUCTIONS = {Verdict.GO_ON: GO_ON, Verdict.FINISH: FINISH, Verdict.CANNOT_SAY: CANNOT_SAY}


def judge(done: ResponseDone, *, begun: bool, tried: bool) -> Verdict:
    """`begun`: the visitor has heard, or will hear, something of it. `tried`: this was the second try already."""
    if done.status in ("completed", "cancelled"):
        return Verdict.NOTHING
    if tried or done.error_code in NO_USE:
        return Verdict.TELL
    if done.status == "incomplete" and done.reason == "max_output_tokens":
        return Verdict.FINISH
    if done.status == "incomplete" and done.reason == "content_filter":
        return Verdict.CANNOT_SAY
    return Verdict.GO_ON if begun else Verdict.AGAIN
