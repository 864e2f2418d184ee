"""doctor: goes through everything a conversation needs and says, for each, why not and what to do."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from voicebotctl.command import Command, Commands
from voicebotctl.context import Context
from voicebotctl.errors import EXIT_FAILURE, EXIT_OK, CommandError
from voicebotctl.render import Style, one_line

Check = dict[str, Any]
"""check, ok (None: cannot be known now), reason, remedy."""


def _doctor(context: Context, _: Namespace) -> int:
    checks, exit_code = _examined(context)
    if exit_code == EXIT_OK and any(check["ok"] is False for check in checks):
        exit_code = EXIT_FAILURE
    document = {"ok": exit_code == EXIT_OK, "checks": checks}
    context.show(document, lambda found: "\n".join(_line(check, context.style) for check in found["checks"]))
    return exit_code


def _examined(context: Context) -> tuple[list[Check], int]:
    """Return the checks as far as one could get, and the exit code of what stopped them."""
    try:
        client = context.connect()
    except CommandError as error:
        return [_check("socket", False, error.message, error.hint)], error.exit_code
    reached = _check("socket", True, context.socket_path)
    with client:
        try:
            status = client.call("status.get", {}, timeout_s=context.patience_s())
        except CommandError as error:
            return [reached, _check("daemon", False, error.message, error.hint)], error.exit_code
    return [reached, *_diagnoses(status)], EXIT_OK


def _diagnoses(status: Mapping[str, Any]) -> Iterator[Check]:
    """Yield the checks that a `status.get` result answers; each part's own word goes before our reading of it."""
    health = dict(status.get("health", {}))
    link, audio = status.get("link", {}), status.get("audio", {})
    yield _check("daemon", True, f"{status.get('version', '')} answers, state {status.get('state')}".strip())
    yield _of_part("audio", health.pop("audio", None), audio.get("state") == "running", audio.get("reason", ""))
    if audio.get("echo"):
        yield _echo(audio["echo"], status.get("barge_in") or {})
    yield _of_link(link, health.pop("link", None), status.get("conversation") is not None)
    yield _key(link)
    if link.get("missing"):
        yield _check("server", None, "; ".join(link["missing"]), "it works without; another server may have them")
    for name, part in health.items():
        yield _of_part(name, part, True, "")


def _of_part(name: str, part: Mapping[str, Any] | None, ok: bool, reason: str) -> Check:
    if part is None:
        return _check(name, ok, reason)
    return _check(name, part["ok"], part.get("reason") or part.get("state", ""), part.get("hint", ""))


def _of_link(link: Mapping[str, Any], part: Mapping[str, Any] | None, conversing: bool) -> Check:
    if not conversing and link.get("state") in ("off", "down"):
        return _check("link", None, "no conversation runs", "`voicebotctl start` opens the link")
    return _of_part("link", part, link.get("state") == "ready", link.get("last_error") or str(link.get("state")))


def _echo(echo: Mapping[str, Any], barge_in: Mapping[str, Any]) -> Check:
    """Judge whether people can talk over an open loudspeaker as well as this box could let them."""
    reason = f"{echo['rung']}: {echo['why']}"
    if echo["rung"] == "aec" or barge_in.get("mode") == "off":
        return _check("echo", True, reason)
    if echo["rung"] == "none":
        return _check("echo", None, reason, "with an open loudspeaker it hears itself: audio.echo_control=auto")
    if not echo.get("aec_installed"):
        return _check("echo", None, reason, "the echo canceller hears more through it: pip install 'voicebotd[aec]'")
    return _check("echo", None, reason, "`voicebotctl selftest` measures which rung suits the room")


def _key(link: Mapping[str, Any]) -> Check:
    """Judge the key by what the service made of it: the client never sees it."""
    if link.get("provider") == "rehearsal":
        return _check("key", True, "the rehearsal server needs none")
    if link.get("state") == "ready":
        return _check("key", True, "the service accepted it")
    error = link.get("last_error") or ""
    if "key" in error.lower():
        return _check(
            "key", False, error, "install a valid key (OPENAI_API_KEY_FILE or the systemd credential), restart"
        )
    return _check("key", None, "it is proved by a connection", "`voicebotctl start` opens one")


def _check(name: str, ok: bool | None, reason: str, remedy: str = "") -> Check:
    return {"check": name, "ok": ok, "reason": reason, "remedy": "" if ok else remedy}


def _line(check: Check, style: Style) -> str:
    colour, mark = {True: ("green", "ok"), False: ("red", "FAILED"), None: ("yellow", "unknown")}[check["ok"]]
    remedy = f"; {check['remedy']}" if check["remedy"] else ""
    return f"{style.paint(f'{mark:8}', colour)}{one_line(check['check']):10}{one_line(check['reason'] + remedy)}"


COMMANDS: Commands = {"doctor": Command(_doctor, summary="check everything a conversation needs, and say what to do")}
