"""instructions.*, vad.*, config.*, log.level: what holds until somebody changes it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from voicebotd.config.catalogue import applies, flatten, unknown
from voicebotd.config.layers import INSTRUCTIONS_KEY
from voicebotd.config.model import Settings
from voicebotd.config.reload import Change
from voicebotd.control.caller import Caller
from voicebotd.control.contract_params import (
    ConfigGetParams,
    ConfigSetParams,
    InstructionsClearParams,
    InstructionsSetParams,
    LogLevelParams,
    NoParams,
    VadSetParams,
)
from voicebotd.control.contract_results import Config, ConfigValue, Instructions, LogLevelSet, Vad
from voicebotd.control.contract_status import BargeInSettings, VadSettings
from voicebotd.control.dispatcher import Handler
from voicebotd.control.handlers.box import Box
from voicebotd.control.jsonrpc import refusal
from voicebotd.conversation import commands as cmd
from voicebotd.errors import ConfigError

_NEVER_MS = 0
"""What a client writes for "no idle timeout"; null stands for it (contract_params.py)."""
_HEEDED: dict[str, tuple[str, ...]] = {
    "threshold": ("server_vad", "local"),
    "prefix_padding_ms": ("server_vad", "local"),
    "silence_duration_ms": ("server_vad", "local"),
    "idle_timeout_ms": ("server_vad",),
    "eagerness": ("semantic_vad",),
    "create_response": ("server_vad", "semantic_vad", "local"),
    "interrupt_response": ("server_vad", "semantic_vad"),
}
"""Which types of turn detection heed a setting (openai-python `RealtimeAudioInputTurnDetection`; local: our own)."""


def tuning_handlers(box: Box) -> dict[str, Handler]:
    """Return the handlers of these methods, for the `Dispatcher`."""

    async def log_level(params: LogLevelParams, _caller: Caller) -> LogLevelSet:
        await box.tune({"log.level": params.level}, persistent=False)
        return LogLevelSet(level=params.level)

    return {**_instructions(box), **_vad(box), **_config(box), "log.level": log_level}


def _instructions(box: Box) -> dict[str, Handler]:
    def current() -> Instructions:
        snapshot, loaded = box.manager.snapshot(), box.tuning.loaded
        text, mode = snapshot.runtime_instructions or (None, "append")
        persisted = loaded.sources[INSTRUCTIONS_KEY] == str(loaded.paths.overrides_file)
        return Instructions(effective=snapshot.instructions, runtime=text, mode=mode, persisted=persisted)

    async def instruct(text: str | None, mode: Any = "append") -> None:
        await box.command(lambda number: cmd.SetInstructions(request_id=number, text=text, mode=mode))

    async def get(_params: NoParams, _caller: Caller) -> Instructions:
        return current()

    async def set_(params: InstructionsSetParams, _caller: Caller) -> Instructions:
        if not params.persist:
            await instruct(params.text, params.mode)
            return current()
        # What is kept becomes the configured text, so that it is neither lost nor said twice after a restart.
        configured = box.tuning.loaded.instructions
        text = params.text if params.mode == "replace" else f"{configured}\n\n{params.text}"
        await box.tune({INSTRUCTIONS_KEY: text}, persistent=True)
        await instruct(None)
        return current()

    async def clear(params: InstructionsClearParams, _caller: Caller) -> Instructions:
        await instruct(None)
        if params.persist:
            await box.refusing(box.tuning.forget_instructions())
        return current()

    return {"instructions.get": get, "instructions.set": set_, "instructions.clear": clear}


def _vad(box: Box) -> dict[str, Handler]:
    def current(applied: str | None = None, given: Iterable[str] = ()) -> Vad:
        snapshot = box.manager.snapshot()
        effective = snapshot.confirmed
        return Vad(
            requested=VadSettings(**snapshot.turn_detection),
            effective=VadSettings(**effective) if effective is not None else None,
            applied="live" if (applied or ("live" if effective else "next_session")) == "live" else "next_session",
            profile=box.tuning.loaded.settings.conversation.profile,
            barge_in=BargeInSettings(**box.tuning.loaded.settings.barge_in.model_dump()),
            notes=_unused(given, box.tuning.loaded.settings),
        )

    async def get(_params: NoParams, _caller: Caller) -> Vad:
        return current()

    async def set_(params: VadSetParams, _caller: Caller) -> Vad:
        names = {field.name for field in fields(params)} - {"profile", "persist"}
        given = {name: getattr(params, name) for name in names if getattr(params, name) is not None}
        if given.get("idle_timeout_ms") == _NEVER_MS:
            given["idle_timeout_ms"] = None
        values: dict[str, Any] = {f"turn_detection.{name}": value for name, value in given.items()}
        if params.profile is not None:
            values["conversation.profile"] = params.profile
        if not values:
            raise refusal(
                "rpc.invalid_params", "vad.set: nothing to set", hint=f"give one of {', '.join(sorted(names))}"
            )
        outcome = await box.tune(values, persistent=params.persist)
        return current(outcome.applied, given)

    return {"vad.get": get, "vad.set": set_}


def _unused(given: Iterable[str], settings: Settings) -> list[str]:
    """A sentence for each setting that was given and changes nothing as things are."""
    kind, mode = settings.turn_detection.type, settings.barge_in.mode
    notes = [
        f"{name} has no effect while type is {kind}; it is for {' and '.join(_HEEDED[name])}"
        for name in _HEEDED
        if name in given and kind not in _HEEDED[name]
    ]
    if "interrupt_response" in given and kind in _HEEDED["interrupt_response"] and mode != "immediate":
        notes.append(f"interrupt_response has no effect while barge_in.mode is {mode}; it is for immediate")
    return notes


def _config(box: Box) -> dict[str, Handler]:
    async def get(params: ConfigGetParams, _caller: Caller) -> Config:
        loaded = box.tuning.loaded
        values = {
            name: ConfigValue(value=value, source=loaded.sources[name], applied=applies(name))
            for name, value in flatten(loaded.settings).items()
            if params.key is None or name == params.key or name.startswith(f"{params.key}.")
        }
        if not values:
            assert params.key is not None
            raise ConfigError([unknown(params.key, "rpc")])
        return Config(values=values)

    async def set_(params: ConfigSetParams, _caller: Caller) -> Config:
        return _changed((await box.tune(params.values, persistent=params.persist)).changes)

    async def reload(_params: NoParams, _caller: Caller) -> Config:
        outcome = await box.refusing(box.tuning.reload())
        box.link.retry_now()  # also for a new key, which is not part of the configuration
        offered, faults = outcome.functions.offered, outcome.functions.faults
        return replace(
            _changed(outcome.changes),
            functions=None if offered is None else list(offered),
            broken=[str(fault) for fault in faults],
        )

    return {"config.get": get, "config.set": set_, "config.reload": reload}


def _changed(changes: list[Change]) -> Config:
    return Config(
        values={each.key: ConfigValue(value=each.new, source=each.source, applied=each.applied) for each in changes}
    )
