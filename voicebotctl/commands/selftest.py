"""selftest: measure the room, and say in words what is wrong with the sound and what to set."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.errors import EXIT_FAILURE, EXIT_OK
from voicebotctl.parameters import Parameters, given
from voicebotctl.render import Style, one_line

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than all of this program; checkers know the name
if TYPE_CHECKING:
    from typing import Any

PATIENCE_S = 90.0
"""Six seconds when all is well; where the loudspeaker is not heard, other devices are tried for at most 40."""
_SUMMARY = (
    "play a sweep and measure the room: delay, echo, noise, and what to set; "
    "exit code 1 when a problem is left that needs a person"
)


def _arguments(parser: ArgumentParser) -> None:
    Parameters("audio.selftest").option(parser, "apply")


def _selftest(context: Context, args: Namespace) -> int:
    result = context.call("audio.selftest", given(args, "apply"), default_s=PATIENCE_S)
    context.show(result, lambda found: "\n".join(_screen(found, context.style)))
    return EXIT_FAILURE if result.get("problems") else EXIT_OK


def _screen(found: Mapping[str, Any], style: Style) -> Iterator[str]:
    first, *others = found["problems"] or [""]
    yield style.paint(one_line(found["verdict"]), "red" if first else "green")
    for problem in others:
        yield style.paint(one_line(problem), "red")
    for sentence in found["advice"]:
        yield f"  {style.paint('to do', 'yellow')}       {one_line(sentence)}"
    for name, value in _figures(found):
        yield f"  {name:11} {one_line(value)}"
    yield from _recommendation(found)


def _figures(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if found.get("input"):
        yield "devices", f"microphone {found['input']}, loudspeaker {found['output']}"
    if found["latency_ms"] is not None:
        loss_db = found["echo_return_loss_db"]
        louder = "louder" if loss_db < 0 else "softer"
        echo = f"after {found['latency_ms']:.0f} ms, {abs(loss_db):.1f} dB {louder} than what was played"
        arrives = "" if found.get("echo_dbfs") is None else f"; the assistant arrives at {found['echo_dbfs']:.0f} dBFS"
        yield "echo", echo + arrives
    else:
        yield "echo", "none was heard"
    if found["noise_floor_dbfs"] is not None:
        ear = found.get("noise_floor_a_dbfs")
        weighed = "" if ear is None else f" ({ear:.0f} as the ear weighs it)"
        yield "noise", f"{found['noise_floor_dbfs']:.0f} dBFS{weighed}"
    if found.get("distortion_percent") is not None:
        clipping = "overdriven" if found["clipping"] else "not overdriven"
        yield "distortion", f"{found['distortion_percent']:.1f} %, microphone {clipping}"


def _recommendation(found: Mapping[str, Any]) -> Iterator[str]:
    wanted = found["recommended"]
    if wanted is None:
        yield "  no settings are recommended while it is so"
        return
    settings = f"echo control {wanted['echo_control']}, volume {wanted['volume_percent']} %"
    state = "set, and kept over a restart" if found["applied"] else "`voicebotctl selftest --apply` sets it"
    yield f"  {'recommended':11} {one_line(settings)} ({state})"


COMMANDS: Commands = {"selftest": Command(_selftest, summary=_SUMMARY, arguments=_arguments)}
