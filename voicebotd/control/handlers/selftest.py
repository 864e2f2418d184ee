"""audio.selftest: measure the room through the running sound, say what it means, and set what it recommends."""

from __future__ import annotations

from dataclasses import replace

from voicebotd.audio.diagnosis import Diagnosis, diagnose
from voicebotd.audio.measurement import Examination, SelfTest
from voicebotd.audio.selftest import Echo
from voicebotd.control.caller import Caller
from voicebotd.control.contract_params import AudioSelftestParams
from voicebotd.control.contract_results import Selftest, SelftestRecommendation
from voicebotd.control.dispatcher import Handler
from voicebotd.control.handlers.box import Box
from voicebotd.control.jsonrpc import refusal
from voicebotd.conversation.states import State

_ANSWERING = (State.THINKING, State.SPEAKING)


def selftest_handlers(box: Box) -> dict[str, Handler]:
    """Return the handler of this method, for the `Dispatcher`."""
    test = SelfTest(box.audio)

    async def selftest(params: AudioSelftestParams, _caller: Caller) -> Selftest:
        if box.manager.snapshot().state in _ANSWERING:
            raise refusal("audio.busy", "the assistant is answering", hint="try again when it is silent")
        found = await box.refusing(test.run())
        diagnosis = diagnose(found.measured, found.situation, found.search)
        wanted = diagnosis.recommended
        if not params.apply or wanted is None:
            return _result(found, diagnosis, applied=False)
        await box.tune(
            {"audio.echo_control": wanted.echo_control, "audio.volume_percent": wanted.volume_percent}, persistent=True
        )
        # What is still wrong is wrong at the new volume.
        situation = replace(found.situation, volume_percent=wanted.volume_percent)
        return _result(found, diagnose(found.measured, situation, found.search), applied=True)

    return {"audio.selftest": selftest}


def _result(found: Examination, diagnosis: Diagnosis, *, applied: bool) -> Selftest:
    measured, echo, wanted = found.measured, found.measured.echo, diagnosis.recommended
    return Selftest(
        latency_ms=_of(echo, "delay_ms"),
        echo_return_loss_db=_of(echo, "loss_db"),
        noise_floor_dbfs=None if measured.dead else round(measured.noise_dbfs, 1),
        verdict=diagnosis.verdict,
        clipping=measured.clipped,
        problems=list(diagnosis.problems),
        advice=list(diagnosis.advice),
        recommended=None
        if wanted is None
        else SelftestRecommendation(echo_control=wanted.echo_control, volume_percent=wanted.volume_percent),
        applied=applied,
        noise_floor_a_dbfs=None if measured.dead else round(measured.noise_a_dbfs, 1),
        clipped_share=round(measured.clipped_share, 5),
        distortion_percent=None if echo is None else round(100 * echo.distortion, 1),
        echo_dbfs=None if diagnosis.echo_dbfs is None else round(diagnosis.echo_dbfs, 1),
        drift_ppm=_of(echo, "drift_ppm"),
        input=found.situation.input,
        output=found.situation.output,
    )


def _of(echo: Echo | None, name: str) -> float | None:
    return None if echo is None else round(getattr(echo, name), 1)
