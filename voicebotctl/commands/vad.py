"""vad show, vad set: how turns are detected, what was asked for and what the service confirmed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.errors import UsageError
from voicebotctl.parameters import Parameters, given
from voicebotctl.render import clean, one_line, table, value_text

_OPTIONS = ("profile", "persist")
_CONFIRM = ("confirm_after_ms", "min_speech_ms", "resume_delay_ms", "duck_db")
"""What only the mode `confirm` heeds."""


def _show(context: Context, _: Namespace) -> int:
    context.show(context.call("vad.get"), _settings)
    return 0


def _set_arguments(parser: ArgumentParser) -> None:
    parameters = Parameters("vad.set")
    for name in _OPTIONS:
        parameters.option(parser, name)
    parameters.assignments(parser, without=_OPTIONS)


def _set(context: Context, args: Namespace) -> int:
    changes = Parameters("vad.set").assigned(args.assigned or [], without=_OPTIONS)
    params = {**changes, **given(args, *_OPTIONS)}
    if not changes and "profile" not in params:
        raise UsageError(
            "vad set: nothing to set", hint="give KEY=VALUE or --profile; `voicebotctl vad show` lists the keys"
        )
    result = context.call("vad.set", params)
    kept = "kept over a restart" if params.get("persist") else "forgotten at a restart (--persist keeps it)"
    context.show(result, lambda now: f"{_settings(now, changed=changes)}\n{kept}")
    return 0


def _settings(result: Mapping[str, Any], *, changed: Mapping[str, Any] | None = None) -> str:
    """Return wish beside confirmation, a star at what this command changed, what happens when somebody speaks over the
    assistant, and when all of it holds."""
    requested, confirmed = result["requested"], result.get("effective")
    rows = [("", "", "requested", "confirmed by the service")]
    for key, value in requested.items():
        seen = "no session" if confirmed is None else _setting(confirmed.get(key))
        rows.append(("*" if changed and key in changed else "", key, _setting(value), seen))
    profile = f"profile: {clean(result['profile'])}\n" if result.get("profile") else ""
    when = "now, from the next turn on" if result["applied"] == "live" else "in the next session"
    notes = "".join(f"note: {one_line(note)}\n" for note in result.get("notes", ()))
    return f"{table(rows)}\n{barge_in(result.get('barge_in'))}{profile}{notes}applies: {when}"


def barge_in(settings: Mapping[str, Any] | None) -> str:
    """Return what speech over the assistant does as a line; nothing where the daemon does not say."""
    if not settings:
        return ""
    if settings["mode"] != "confirm":
        return f"barge-in: {clean(settings['mode'])}\n"
    values = " ".join(f"{key}={value_text(settings[key])}" for key in _CONFIRM)
    return f"barge-in: confirm {values}\n          (so the box, not the service, creates and interrupts responses)\n"


def _setting(value: Any) -> str:
    return "-" if value is None else value_text(value)


COMMANDS: Commands = {
    "vad show": Command(_show, method="vad.get"),
    "vad set": Command(_set, method="vad.set", arguments=_set_arguments),
}
