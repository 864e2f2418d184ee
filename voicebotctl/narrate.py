"""An event as a sentence, for `watch`: who speaks, what was said, what was called, what is wrong.

Owns what of each topic a person wants to see. Pure: a line of the stream in, text out; the empty text is not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from voicebotctl.render import Style, clock, one_line, said

Data = Mapping[str, Any]


def narrated(line: Mapping[str, Any], style: Style) -> str:
    """Return the sentence for a line (topic, data, time), or nothing when it is not for people."""
    tell = _TOPICS.get(line["topic"])
    if tell is None:
        return ""
    try:
        text = tell(line["data"], style)
    except (KeyError, TypeError, AttributeError, ValueError):
        # A daemon of another version says it otherwise: better raw than not at all.
        text = one_line(f"{line['topic']} {line['data']}")
    if not text:
        return ""
    when = clock(line["time"]) if "time" in line else " " * 8
    return f"{style.paint(when, 'dim')} {text}"


def _snapshot(data: Data, style: Style) -> str:
    state = data.get("state", {}).get("state", "unknown")
    link = data.get("link", {}).get("state")
    return _note(f"the box is {state}" + (f", the link is {link}" if link else ""), style)


_NOTICES = {
    "no_connection": ", and the visitor was told that there is no connection",
    "connection_back": ", and the visitor was told that the connection is back",
}


def _state(data: Data, style: Style) -> str:
    return _note(f"{data['state']}{_NOTICES.get(data.get('notice', ''), '')}", style)


_TURNS = {
    "speech_started": "visitor speaks",
    "speech_stopped": "visitor is silent",
    "idle_timeout": "nobody spoke for a while: the assistant does",
    "talk_began": "talk key down",
    "talk_ended": "talk key up",
    "noise": "it was a noise",
    "too_long": "the visitor spoke too long: answered as if it were over",
}


def _turn(data: Data, style: Style) -> str:
    return _note(_TURNS.get(data["event"], ""), style)


def _transcript(data: Data, style: Style) -> str:
    return said(data, style) if data.get("final") else ""


_OVERLAP = {
    "ducked": "somebody speaks over it: softer",
    "paused": "still speaking: paused",
    "resumed": "goes on where it paused",
}


def _response(data: Data, style: Style) -> str:
    if data["event"] == "interrupted":
        return style.paint(f"interrupted after {data['heard_ms']} ms", "yellow")
    if data["event"] in _OVERLAP:
        return _note(_OVERLAP[data["event"]], style)
    if data["event"] == "done" and data["status"] in ("failed", "incomplete"):
        why = data.get("error") or data.get("reason") or "no reason given"
        return style.paint(f"the response is {data['status']}: {one_line(why)}", "red")
    return ""


_FAILED = {"failed": "failed", "timed_out": "did not answer in time", "cancelled": "was not run or cancelled"}


def _tool(data: Data, style: Style) -> str:
    if data["event"] == "called":
        return style.paint(f"calls {one_line(data['name'])}({one_line(data['arguments'])})", "magenta")
    if data["event"] == "failed":
        return style.paint(f"{one_line(data['name'])} {_FAILED[data['status']]}: {one_line(data['output'])}", "red")
    return style.paint(f"{one_line(data['name'])} answered {one_line(data['output'])}", "magenta")


def _link(data: Data, style: Style) -> str:
    if data["state"] == "ready":
        return _note(f"connected to {data.get('model', 'the service')}", style)
    if data["state"] in ("off", "idle"):
        return _note("disconnected" if data["state"] == "off" else "nobody spoke: hung up until somebody does", style)
    retry = data.get("retry_in_s")
    again = "" if retry is None else f", next attempt in {retry:.1f} s"
    return _trouble(f"the link is {data['state']}", data, style, again)


def _device(data: Data, style: Style) -> str:
    if data.get("state") == "lost":
        return _trouble("sound is lost", data, style)
    return _note(f"microphone {data.get('input')}, loudspeaker {data.get('output')}", style)


def _error(data: Data, style: Style) -> str:
    return style.paint(f"error: {one_line(data.get('message') or data.get('code'))}", "red")


def _gap(data: Data, style: Style) -> str:
    return style.paint(f"{data['dropped']} events were lost on the way here", "yellow")


def _away(data: Data, style: Style) -> str:
    return style.paint(one_line(data["message"]), "red")


def _note(text: str, style: Style) -> str:
    return style.paint(one_line(text), "dim")


def _trouble(what: str, data: Data, style: Style, more: str = "") -> str:
    reason = f": {data['reason']}" if data.get("reason") else ""
    hint = f"; {data['hint']}" if data.get("hint") else ""
    return style.paint(one_line(f"{what}{reason}{more}{hint}"), "red")


_TOPICS: dict[str, Callable[[Data, Style], str]] = {
    "snapshot": _snapshot,
    "state": _state,
    "turn": _turn,
    "transcript": _transcript,
    "response": _response,
    "tool": _tool,
    "link": _link,
    "device": _device,
    "error": _error,
    "gap": _gap,
    "away": _away,
}
