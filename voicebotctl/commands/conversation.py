"""start, stop, send, respond, interrupt: the conversation and what is said in it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.parameters import Parameters, given
from voicebotctl.render import clean, duration, usd

START_TIMEOUT_S = 30.0
"""The daemon may have to open the link first, and gives that ten seconds by default."""
ROLL_TIMEOUT_S = 30.0
"""The second session is opened first, within ten seconds by default, and then waits as long for a silence."""
RESPONSE_TIMEOUT_S = 120.0
"""A response may call functions before it speaks."""


def _start_arguments(parser: ArgumentParser) -> None:
    parameters = Parameters("conversation.start")
    for name in ("greeting", "profile", "instructions"):
        parameters.option(parser, name)


def _start(context: Context, args: Namespace) -> int:
    params = given(args, "greeting", "profile", "instructions")
    result = context.call("conversation.start", params, default_s=START_TIMEOUT_S)
    context.show(result, lambda started: f"conversation {clean(started['conversation_id'])} began")
    return 0


def _stop(context: Context, _: Namespace) -> int:
    context.show(context.call("conversation.stop"), _stopped)
    return 0


def _stopped(result: Mapping[str, Any]) -> str:
    summary = result["summary"]
    return f"the conversation ended: {summary['turns']} turns, {duration(summary['seconds'])}, {usd(summary['usd'])}"


def _roll(context: Context, _: Namespace) -> int:
    result = context.call("conversation.roll", default_s=ROLL_TIMEOUT_S)
    context.show(result, lambda rolled: f"the conversation goes on in session {clean(rolled['session_id'])}")
    return 0


def _send_arguments(parser: ArgumentParser) -> None:
    parameters = Parameters("message.send")
    parameters.positional(parser, "text")
    parameters.option(parser, "role")
    parameters.option(parser, "respond")


def _send(context: Context, args: Namespace) -> int:
    result = context.call("message.send", given(args, "text", "role", "respond"))
    context.show(result, lambda sent: f"sent as {clean(sent['item_id'])}")
    return 0


def _respond_arguments(parser: ArgumentParser) -> None:
    parameters = Parameters("response.request")
    parameters.option(parser, "instructions")
    parser.add_argument("--text", dest="output", action="store_const", const="text", help="written, not spoken")
    parser.add_argument("--no-wait", dest="wait", action="store_false", help="do not wait until it is done")
    parser.add_argument("--wait", dest="wait", action="store_true", help="wait, and print its text (the default)")


def _respond(context: Context, args: Namespace) -> int:
    params = {"wait": True, **given(args, "instructions", "output", "wait")}
    result = context.call("response.request", params, default_s=RESPONSE_TIMEOUT_S)
    context.show(result, _said if params["wait"] else lambda asked: f"requested as {clean(asked['response_id'])}")
    return 0


def _said(result: Mapping[str, Any]) -> str:
    text = clean(result.get("text") or "")
    status = result.get("status") or "completed"
    return text if status == "completed" else f"{text}\n[{clean(status)}]".lstrip()


def _interrupt(context: Context, _: Namespace) -> int:
    context.show(context.call("response.interrupt"), _interrupted)
    return 0


def _interrupted(result: Mapping[str, Any]) -> str:
    if result["item_id"] is None:
        return "nothing was being said"
    return f"silenced: {result['heard_ms']} ms of {clean(result['item_id'])} were heard"


COMMANDS: Commands = {
    "start": Command(_start, method="conversation.start", arguments=_start_arguments),
    "stop": Command(_stop, method="conversation.stop"),
    "roll": Command(_roll, method="conversation.roll"),
    "send": Command(_send, method="message.send", arguments=_send_arguments),
    "respond": Command(_respond, method="response.request", arguments=_respond_arguments),
    "interrupt": Command(_interrupt, method="response.interrupt"),
}
