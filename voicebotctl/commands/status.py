"""status: one screen. Does the box listen, hear, get heard, is it connected, what does it cost, and what is to do?"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.render import Style, clean, clock, duration, level, one_line, usd

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than all of this program; checkers know the name
if TYPE_CHECKING:
    from typing import Any


def _status(context: Context, _: Namespace) -> int:
    context.show(context.call("status.get"), lambda status: screen(status, context.style))
    return 0


def screen(status: Mapping[str, Any], style: Style) -> str:
    """Return the whole screen for a `status.get` result."""
    head = f"voicebotd {clean(status.get('version', ''))}".rstrip()
    title = f"{style.paint(head, 'bold')}: {clean(status['state'])}, up {duration(status['uptime_s'])}"
    answers = (
        ("listening", status["listening"], _conversation(status)),
        ("hears", status["hears"], _microphone(status["audio"])),
        ("is heard", status["speaks"], _loudspeaker(status["audio"])),
        ("connected", status["link"]["state"] == "ready", _link(status)),
    )
    lines = [f"  {question:10} {_yes(answer, style)}  {one_line(detail)}" for question, answer, detail in answers]
    lines.append(f"  {'echo':10}      {_echo(status['audio'])}")
    lines.append(f"  {'costs':10}      {_costs(status['usage'])}")
    if status.get("vad"):
        lines.append(f"  {'turns':10}      {_turns(status)}")
    if status.get("barge_in"):
        lines.append(f"  {'barge-in':10}      {_barge_in(status['barge_in'])}")
    return "\n".join([title, *lines, *_missing(status, style), *_trouble(status, style)])


def _yes(answer: bool, style: Style) -> str:
    return style.paint("yes", "green") if answer else style.paint("no ", "red")


def _conversation(status: Mapping[str, Any]) -> str:
    conversation = status["conversation"]
    if conversation is None:
        return "no conversation: `voicebotctl start` begins one"
    muted = ", the microphone is muted: `voicebotctl unmute`" if status["audio"]["muted"] else ""
    began = clock(conversation["started_at"])
    deaf = "" if status["audio"]["state"] == "running" else f", {_no_audio(status['audio'])}"
    return f"conversation {conversation['id']} since {began}, {conversation['turns']} turns{muted}{deaf}"


def _microphone(audio: Mapping[str, Any]) -> str:
    if audio["state"] != "running":
        return _no_audio(audio)
    return f"{audio['input'] or '(no microphone)'}, {level(audio['input_level_dbfs'])}"


def _loudspeaker(audio: Mapping[str, Any]) -> str:
    if audio["state"] != "running":
        return _no_audio(audio)
    rate = "" if audio["sample_rate_hz"] is None else f" at {audio['sample_rate_hz']} Hz"
    latency = "" if audio["latency_ms"] is None else f", latency {audio['latency_ms']:.0f} ms"
    faults = f", {audio['xruns']} xruns" if audio["xruns"] else ""
    faults += f", {audio['respawns']} respawns" if audio["respawns"] else ""
    return (
        f"{audio['output'] or '(no loudspeaker)'}, volume {audio['volume_percent']} %{latency}, "
        f"{audio['streams']}{rate}{faults}"
    )


def _no_audio(audio: Mapping[str, Any]) -> str:
    return f"audio is {audio['state']}: {audio['reason']}" if audio.get("reason") else f"audio is {audio['state']}"


def _echo(audio: Mapping[str, Any]) -> str:
    echo = audio.get("echo") or {"rung": audio["echo_control"], "why": audio.get("echo_control_why") or "not said why"}
    known = [
        f"{words} {echo[name]:.0f} {unit}"
        for name, words, unit in (
            ("erle_db", "removes", "dB"),
            ("delay_ms", "delay", "ms"),
            ("drift_ppm", "drift", "ppm"),
        )
        if echo.get(name) is not None
    ]
    return one_line(", ".join([f"{echo['rung']} ({echo['why']})", *known]))


def _barge_in(settings: Mapping[str, Any]) -> str:
    if settings["mode"] == "immediate":
        return "immediate: falls silent at the first sign of speech"
    if settings["mode"] == "off":
        return "off: does not listen while it speaks"
    return (
        f"confirm: softer by {-settings['duck_db']:g} dB, pauses after {settings['confirm_after_ms']} ms, "
        f"stops for speech of {settings['min_speech_ms']} ms, else goes on after {settings['resume_delay_ms']} ms"
    )


def _link(status: Mapping[str, Any]) -> str:
    link = status["link"]
    if status["state"] == "dozing":
        return "not while nobody speaks: a voice opens it again"
    peer = f"{_server(link)} {link['model']}"
    if link["state"] == "ready":
        return f"{peer}, session {duration(link['session_age_s'])} old"
    why = f": {link['last_error']}" if link["last_error"] else ""
    retry = "" if link.get("retry_in_s") is None else f", next attempt in {duration(link['retry_in_s'])}"
    return f"{peer}, {link['state']}{why}{retry}"


def _server(link: Mapping[str, Any]) -> str:
    """Who answers; a server that is not OpenAI's own with its name and how it is spoken to."""
    known = [str(link[name]) for name in ("server", "shape") if link.get(name)]
    return (
        f"{link['provider']} ({', '.join(known)})" if link["provider"] == "compatible" and known else link["provider"]
    )


def _missing(status: Mapping[str, Any], style: Style) -> Iterator[str]:
    """Yield what the server lacks, and what follows from it."""
    for sentence in status["link"].get("missing", ()):
        yield f"  {style.paint('lacking', 'yellow')}    {one_line(sentence)}"


def _costs(usage: Mapping[str, Any]) -> str:
    line = f"{usd(usage['session_usd'])} this conversation ({usage['tokens']} tokens), {usd(usage['today_usd'])} today"
    if usage.get("cap"):
        whose = "today's cap" if usage["cap"] == "daily" else "the cap of one conversation"
        line += f"; {usage['fraction']:.0%} of {whose} of {usd(usage['cap_usd'])}"
    if usage.get("unpriced"):
        line += f"; no price is known for {', '.join(usage['unpriced'])}"
    return one_line(line)


def _turns(status: Mapping[str, Any]) -> str:
    hidden = {"type"}
    if (status.get("barge_in") or {}).get("mode") == "confirm":
        hidden |= {"create_response", "interrupt_response"}  # the service is told not to: the box does it
    settings = {key: value for key, value in status["vad"].items() if value is not None and key not in hidden}
    profile = f", profile {status['profile']}" if status.get("profile") else ""
    return one_line(
        " ".join([status["vad"]["type"], *(f"{key}={_plain(value)}" for key, value in settings.items())]) + profile
    )


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _trouble(status: Mapping[str, Any], style: Style) -> Iterator[str]:
    """Yield what is wrong and what to do about it, each thing once."""
    parts = [(name, part) for name, part in status["health"].items() if not part["ok"]]
    wrong = [f"{name}: {part.get('reason') or part['state']}" for name, part in parts]
    known = " ".join(wrong)
    if status["reason"] and status["reason"] not in known:
        wrong.insert(0, status["reason"])
    remedies = [*status.get("hints", ()), *(part.get("hint", "") for _, part in parts)]
    for sentence in wrong:
        yield f"  {style.paint('problem', 'red')}    {one_line(sentence)}"
    for sentence in dict.fromkeys(filter(None, remedies)):
        yield f"  {style.paint('to do', 'yellow')}      {one_line(sentence)}"


COMMANDS: Commands = {"status": Command(_status, method="status.get")}
