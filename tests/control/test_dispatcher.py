"""The seam to the handlers: all of them there, none called without right, none able to hurt the others."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from voicebotd.control.caller import Caller, Peer
from voicebotd.control.contract import METHODS
from voicebotd.control.contract_params import (
    ConfigSetParams,
    InstructionsClearParams,
    InstructionsSetParams,
    NoParams,
    VadSetParams,
)
from voicebotd.control.contract_results import LogLevelSet, MessageSent
from voicebotd.control.dispatcher import Dispatcher
from voicebotd.errors import (
    AudioError,
    ConfigError,
    Problem,
    RealtimeError,
    RpcError,
    StorageError,
    ToolError,
    VoicebotError,
)


def _caller(*, admin: bool = True) -> Caller:
    return Caller(peer=Peer(pid=1, uid=0 if admin else 1000, gid=0, admin=admin))


async def _nothing(_params: Any, _caller: Caller) -> None:
    return None


def _call(dispatcher: Dispatcher, line: str, caller: Caller | None = None) -> Any:
    reply = asyncio.run(dispatcher.answer(line.encode(), caller or _caller()))
    return None if reply is None else json.loads(reply)


def _line(method: str, params: str = "{}") -> str:
    return f'{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":1}}'


def test_a_daemon_that_lacks_a_handler_does_not_start() -> None:
    handlers = dict.fromkeys(set(METHODS) - {"vad.get", "log.level"}, _nothing)

    with pytest.raises(ValueError, match=r"^without a handler: log\.level, vad\.get$"):
        Dispatcher(handlers)


def test_a_handler_without_a_method_and_a_method_with_two_handlers_are_our_bugs() -> None:
    handlers = dict.fromkeys(METHODS, _nothing)

    with pytest.raises(ValueError, match=r"^not in the contract: vad\.forget; handled twice: vad\.get$"):
        Dispatcher(handlers, {"vad.get": _nothing, "vad.forget": _nothing})


def test_every_method_of_the_contract_can_be_handled() -> None:
    Dispatcher(dict.fromkeys(METHODS, _nothing))


def test_a_handler_gets_the_bound_params_and_its_dataclass_is_the_result(make_methods: Callable[..., Any]) -> None:
    async def set_vad(params: VadSetParams, caller: Caller) -> MessageSent:
        return MessageSent(item_id=f"{params.threshold} {caller.peer.pid}")

    dispatcher = Dispatcher({"vad": set_vad}, methods=make_methods({"vad": (VadSetParams, MessageSent)}))

    assert _call(dispatcher, _line("vad", '{"threshold":0.5}'))["result"] == {"item_id": "0.5 1"}


def test_what_is_no_request_and_what_is_no_method_reach_no_handler() -> None:
    dispatcher = Dispatcher({}, methods={})

    assert _call(dispatcher, "{")["error"]["code"] == -32700
    assert _call(dispatcher, _line("a"))["error"]["code"] == -32601
    assert _call(dispatcher, '{"jsonrpc":"2.0","method":"a"}') is None


def test_a_method_that_is_nearly_right_is_told_the_right_name(make_methods: Callable[..., Any]) -> None:
    dispatcher = Dispatcher({"vad.set": _nothing}, methods=make_methods({"vad.set": (NoParams, object)}))

    assert _call(dispatcher, _line("vad.sett"))["error"]["data"]["hint"] == "nearest: vad.set"
    assert _call(dispatcher, _line("zzz"))["error"]["data"]["hint"] == "rpc.discover lists all"


def test_a_result_of_another_type_is_our_bug_and_the_client_learns_no_more(make_methods: Callable[..., Any]) -> None:
    async def wrong(_params: NoParams, _caller: Caller) -> LogLevelSet:
        return LogLevelSet(level="info")

    dispatcher = Dispatcher({"m": wrong}, methods=make_methods({"m": (NoParams, MessageSent)}))

    assert _call(dispatcher, _line("m"))["error"] == {
        "code": -32603,
        "message": "Internal error",
        "data": {"kind": "rpc.internal_error", "retryable": False, "hint": "the daemon's log has it"},
    }


@pytest.mark.parametrize(
    ("error", "code", "kind", "retryable"),
    [
        (RpcError(1002, "conversation.not_running", "no", retryable=True), 1002, "conversation.not_running", True),
        (ConfigError([Problem(key="a", message="bad")]), 1008, "config.invalid", False),
        (AudioError("gone"), 1003, "audio.device_unavailable", True),
        (RealtimeError("down"), 1004, "link.unavailable", True),
        (StorageError("full"), 1010, "history.unavailable", True),
        (ToolError("oops"), 1006, "tool.failed", False),
        (VoicebotError("something"), -32603, "rpc.internal_error", False),
    ],
)
def test_an_error_of_the_tree_keeps_its_message_and_gets_the_kind_of_its_branch(
    make_methods: Callable[..., Any], error: VoicebotError, code: int, kind: str, retryable: bool
) -> None:
    async def fail(_params: NoParams, _caller: Caller) -> None:
        error.hint = "do this"
        raise error

    answered = _call(Dispatcher({"m": fail}, methods=make_methods({"m": (NoParams, object)})), _line("m"))["error"]

    assert (answered["code"], answered["message"]) == (code, error.message)
    assert answered["data"] == {"kind": kind, "retryable": retryable, "hint": "do this"}


@pytest.mark.parametrize(
    ("params_type", "scope", "params", "allowed"),
    [
        (ConfigSetParams, "admin", '{"values":{}}', False),
        (InstructionsSetParams, "control", '{"text":"a"}', True),
        (InstructionsSetParams, "control", '{"text":"a","persist":false}', True),
        (InstructionsSetParams, "control", '{"text":"a","persist":true}', False),
        (InstructionsClearParams, "control", '{"persist":true}', False),
        (VadSetParams, "control", '{"persist":true}', True),
        (NoParams, "read", "{}", True),
    ],
)
def test_what_only_the_owner_may_do(
    make_methods: Callable[..., Any], params_type: type[Any], scope: str, params: str, allowed: bool
) -> None:
    called: list[Any] = []

    async def note(params: Any, _caller: Caller) -> str:
        called.append(params)
        return "done"

    dispatcher = Dispatcher({"m": note}, methods=make_methods({"m": (params_type, str)}, {"m": scope}))
    answered = _call(dispatcher, _line("m", params), _caller(admin=False))

    assert bool(called) is allowed
    if not allowed:
        assert answered["error"]["code"] == -32003
        assert answered["error"]["message"] == "m: not permitted to user 1000"
    assert _call(dispatcher, _line("m", params), _caller(admin=True))["result"] == "done"


def test_the_contract_gives_the_owner_alone_what_the_table_of_rights_says() -> None:
    assert {name for name, method in METHODS.items() if method.scope == "admin"} == {
        "appointments.cancel",
        "appointments.export",
        "config.set",
        "history.export",
        "history.purge",
        "tools.call",
    }


def test_a_batch_is_done_in_its_order(make_methods: Callable[..., Any]) -> None:
    order: list[str] = []

    async def slow(_params: NoParams, _caller: Caller) -> None:
        await asyncio.sleep(0)
        order.append("slow")

    async def quick(_params: NoParams, _caller: Caller) -> None:
        order.append("quick")

    methods = make_methods({"slow": (NoParams, object), "quick": (NoParams, object)})
    replies = _call(Dispatcher({"slow": slow, "quick": quick}, methods=methods), f"[{_line('slow')},{_line('quick')}]")

    assert (order, len(replies)) == (["slow", "quick"], 2)


def test_cancellation_goes_through(make_methods: Callable[..., Any]) -> None:
    async def cancelled(_params: NoParams, _caller: Caller) -> None:
        raise asyncio.CancelledError

    dispatcher = Dispatcher({"m": cancelled}, methods=make_methods({"m": (NoParams, object)}))

    with pytest.raises(asyncio.CancelledError):
        _call(dispatcher, _line("m"))
