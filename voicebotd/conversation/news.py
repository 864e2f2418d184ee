"""What people are told of the box around a conversation: its link, its devices, its errors. Plain sentences
for those who subscribe; nothing is decided here.
"""

from __future__ import annotations

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.states import Refused

ANSWER_IS_MISSING = "the service did not answer in time"
DEAF = "the service hears nothing any more"
ANSWER_STOPPED = "the service stopped in the middle of an answer"


def refused(command: cmd.Command, why: Refused) -> fx.Effect:
    return fx.Refuse(
        request_id=command.request_id, kind=why.kind, message=why.message, hint=why.hint, retryable=why.retryable
    )


def state(now: str, before: str, conversation_id: str | None, *, notice: str) -> fx.Effect:
    data = {"state": now, "before": before, "conversation_id": conversation_id}
    return fx.Publish(topic="state", data={**data, "notice": notice} if notice else data)


def link_ready(event: ev.LinkReady) -> fx.Effect:
    return fx.Publish(topic="link", data={"state": "ready", "session_id": event.session_id, "model": event.model})


def link_lost(event: ev.LinkLost) -> fx.Effect:
    data = {
        "state": "refused" if event.fatal else "lost",
        "reason": event.reason,
        "code": event.code,
        "hint": event.hint,
        "retry_in_s": event.retry_in_s,
    }
    return fx.Publish(topic="link", data=data)


def device_lost(event: ev.AudioLost) -> fx.Effect:
    return fx.Publish(topic="device", data={"state": "lost", "reason": event.reason, "hint": event.hint})


def device_ready(event: ev.AudioReady) -> fx.Effect:
    data = {"state": "ready", "input": event.input_name, "output": event.output_name}
    return fx.Publish(topic="device", data=data)


def service_error(event: ev.ServerError) -> fx.Effect:
    return fx.Publish(topic="error", data={"code": event.code, "message": event.message, "param": event.param})


def no_answer() -> fx.Effect:
    return fx.Publish(topic="error", data={"code": "no_answer", "message": ANSWER_IS_MISSING})
