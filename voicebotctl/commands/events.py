"""watch, events: what happens, while it happens. `watch` is for people, `events` for scripts."""

from __future__ import annotations

import os
import random
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.errors import TimedOutError, UnreachableError
from voicebotctl.meter import Meter
from voicebotctl.narrate import narrated
from voicebotctl.parameters import Parameters
from voicebotctl.render import clock, one_line, value_text

WATCHED = ("state", "turn", "transcript", "response", "tool", "link", "device", "error")
"""What a bystander would notice: no token counts, no settings. Levels only where they can be one line that moves."""
LEVEL = "audio.level"
FIRST_RETRY_S = 0.25
LAST_RETRY_S = 5.0

Line = dict[str, Any]


def _events_arguments(parser: ArgumentParser) -> None:
    Parameters("events.subscribe").positional(parser, "topics", nargs="*", metavar="TOPIC")


def _events(context: Context, args: Namespace) -> int:
    topics = list(dict.fromkeys(args.topics or []))
    _follow(context, _lines(context, topics), _plain, _meter(context))
    return 0


def _meter(context: Context) -> Meter:
    return Meter(context.out, os.environ, wanted=not context.json_output)


def _follow(context: Context, lines: Iterable[Line], text: Callable[[Line], str], meter: Meter) -> None:
    """Print every line, above the meter where there is one."""
    try:
        for line in lines:
            if meter.shows and line["topic"] == LEVEL:
                meter.draw(line["data"])
            else:
                meter.wipe()
                context.show(line, text)
    finally:
        meter.wipe()


def _plain(line: Line) -> str:
    when = clock(line["time"]) if "time" in line else "-"
    return f"{line.get('seq', '-')} {when} {one_line(line['topic'])} {value_text(line['data'])}"


def _watch_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--reconnect", action="store_true", help="wait for the daemon when it is away")


def _watch(context: Context, args: Namespace) -> int:
    meter = _meter(context)
    topics = [*WATCHED, LEVEL] if meter.shows else list(WATCHED)
    lines = _reconnecting(context, topics) if hasattr(args, "reconnect") else _lines(context, topics)
    _follow(context, lines, lambda event: narrated(event, context.style), meter)
    return 0


def _lines(context: Context, topics: list[str]) -> Iterator[Line]:
    """Yield the snapshot and then every event, all of one shape: topic, data and, of events, seq and time."""
    with context.connect() as client:
        subscribed = client.call(
            "events.subscribe", {"topics": topics} if topics else {}, timeout_s=context.patience_s()
        )
        yield {"topic": "snapshot", "seq": subscribed["seq"], "data": subscribed["snapshot"]}
        while True:
            message = client.notification()
            if message["method"] == "event":
                yield message.get("params", {})
            elif message["method"] == "gap":
                yield {"topic": "gap", "data": message.get("params", {})}


def _reconnecting(context: Context, topics: list[str]) -> Iterator[Line]:
    """Yield as `_lines` does, over restarts of the daemon."""
    delay_s = FIRST_RETRY_S
    while True:
        try:
            for line in _lines(context, topics):
                delay_s = FIRST_RETRY_S
                yield line
        except (UnreachableError, TimedOutError) as error:
            yield {"topic": "away", "data": {"message": error.message}}
        # Full jitter, so that the watchers of one daemon do not come back together.
        time.sleep(delay_s * random.random())  # noqa: S311 (timing, not secrecy)
        delay_s = min(2 * delay_s, LAST_RETRY_S)


COMMANDS: Commands = {
    "watch": Command(_watch, summary="show the conversation while it happens", arguments=_watch_arguments),
    "events": Command(_events, method="events.subscribe", arguments=_events_arguments),
}
