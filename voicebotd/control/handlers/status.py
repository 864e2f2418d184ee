"""status.get: on one screen, what the box does, what is wrong with it, and what to do about it."""

from __future__ import annotations

import os
import time

from voicebotd.audio.ladder import aec_installed
from voicebotd.control.caller import Caller
from voicebotd.control.contract_params import NoParams
from voicebotd.control.contract_status import (
    AudioStatus,
    BargeInSettings,
    ConversationStatus,
    EchoStatus,
    HealthStatus,
    LinkStatus,
    Status,
    UsageStatus,
    VadSettings,
)
from voicebotd.control.dispatcher import Handler
from voicebotd.control.handlers.box import Box
from voicebotd.conversation.budget import usd
from voicebotd.conversation.snapshot import Snapshot
from voicebotd.conversation.spending import SpendingView
from voicebotd.conversation.states import LIVE, State

_SILENT_DBFS = -119.0
"""Below this a microphone delivers only zeros: muted in its mixer, or not a microphone."""


def status_handlers(box: Box) -> dict[str, Handler]:
    """Return the handler of the method, for the `Dispatcher`."""

    async def get(_params: NoParams, _caller: Caller) -> Status:
        return describe(box)

    return {"status.get": get}


def describe(box: Box) -> Status:
    """The whole status, from what every part says of itself."""
    snapshot = box.manager.snapshot()
    audio = box.audio.status
    health = box.health()
    sick = [one for one in health.values() if not one.ok]
    running = audio.state == "running"
    live = snapshot.state in LIVE or snapshot.state is State.DOZING
    return Status(
        state=str(snapshot.state),
        reason="; ".join(why for why in (*(one.reason for one in sick), snapshot.trouble) if why),
        uptime_s=round(time.monotonic() - box.started_at_s, 1),
        conversation=_conversation(snapshot),
        link=_link(box),
        audio=_audio(box),
        vad=VadSettings(**(snapshot.confirmed or snapshot.turn_detection)),
        tools=[tool.name for tool in box.toolbox.catalogue.offered],
        usage=usage_status(snapshot.spending),
        health={
            name: HealthStatus(ok=one.ok, state=one.state, reason=one.reason, hint=one.hint)
            for name, one in health.items()
        },
        listening=live and running and not audio.muted and not _awaits_the_key(snapshot),
        hears=running and not audio.muted and audio.input_level_dbfs > _SILENT_DBFS,
        speaks=running and audio.volume_percent > 0,
        profile=box.tuning.loaded.settings.conversation.profile,
        hints=_hints(box, snapshot, [one.hint for one in sick if one.hint]),
        barge_in=BargeInSettings(**box.tuning.loaded.settings.barge_in.model_dump()),
        version=box.version,
        pid=os.getpid(),
    )


def usage_status(spending: SpendingView) -> UsageStatus:
    cap = spending.cap
    return UsageStatus(
        today_usd=usd(spending.today_nano_usd),
        session_usd=usd(spending.session_nano_usd),
        tokens=spending.tokens,
        cap_usd=None if cap is None else usd(cap.cap_nano_usd),
        cap=None if cap is None else cap.name,
        fraction=None if cap is None else round(cap.fraction, 4),
        exhausted=spending.exhausted,
        unpriced=list(spending.unpriced),
        hint=spending.hint,
    )


def _conversation(snapshot: Snapshot) -> ConversationStatus | None:
    if snapshot.conversation_id is None:
        return None
    ago_s = time.monotonic() - snapshot.started_at_s
    return ConversationStatus(
        id=snapshot.conversation_id, started_at=round(time.time() - ago_s, 3), turns=snapshot.turns
    )


def _link(box: Box) -> LinkStatus:
    link = box.link.status
    return LinkStatus(
        state=link.state,
        provider=link.provider,
        model=link.model,
        session_age_s=None if link.session_age_s is None else round(link.session_age_s, 1),
        rollovers=link.rollovers,
        last_error=link.last_error or None,
        retry_in_s=None if link.retry_in_s is None else round(link.retry_in_s, 1),
        reconnects=link.reconnects,
        server=link.server,
        shape=link.shape,
        missing=list(link.missing),
        unsent=link.unsent_messages,
    )


def _audio(box: Box) -> AudioStatus:
    audio = box.audio.status
    running = audio.state == "running"
    echo = _echo(box)
    return AudioStatus(
        state=audio.state,
        input=audio.input,
        output=audio.output,
        streams=audio.streams,
        sample_rate_hz=audio.sample_rate_hz or None,
        latency_ms=round(audio.output_latency_ms, 1) if running else None,
        input_latency_ms=round(audio.input_latency_ms, 1) if running else None,
        echo_control=echo.rung,
        echo_control_why=echo.why,
        echo=echo,
        xruns=audio.xruns,
        underruns=audio.underruns,
        respawns=audio.respawns,
        input_level_dbfs=round(audio.input_level_dbfs, 1) if running else None,
        muted=audio.muted,
        volume_percent=audio.volume_percent,
        reason=audio.reason,
    )


def _echo(box: Box) -> EchoStatus:
    audio, chosen = box.audio.status, box.rung()
    in_use = audio.echo_rung or chosen.echo_control
    # Another rung than the chosen one is the audio process's own decision, and its own words say why.
    why = chosen.why if in_use == chosen.echo_control else audio.echo_why
    return EchoStatus(
        rung=in_use,
        why=why,
        delay_ms=_rounded(audio.echo_delay_ms),
        drift_ppm=_rounded(audio.drift_ppm),
        erle_db=_rounded(audio.erle_db),
        aec_installed=aec_installed(),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _hints(box: Box, snapshot: Snapshot, remedies: list[str]) -> list[str]:
    hints = [*remedies, *filter(None, [snapshot.spending.hint])]
    audio = box.audio.status
    if snapshot.conversation_id is None:
        hints.append("no conversation runs: voicebotctl start begins one")
    elif _awaits_the_key(snapshot):
        hints.append("it listens while somebody holds the talk key: voicebotctl talk")
    if audio.muted:
        hints.append("the microphone is muted: voicebotctl unmute")
    elif audio.state == "running" and audio.input_level_dbfs <= _SILENT_DBFS:
        hints.append("the microphone delivers only silence: look at its mixer, its cable, and voicebotctl devices")
    if audio.volume_percent == 0:
        hints.append("the volume is 0: voicebotctl call audio.volume percent=100")
    return hints


def _awaits_the_key(snapshot: Snapshot) -> bool:
    return snapshot.turn_detection["type"] == "none" and not snapshot.talking
