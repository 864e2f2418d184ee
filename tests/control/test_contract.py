"""The contract holds together: everything named exists, is documented, and binds in a sensible order."""

import subprocess
import sys
from typing import Any

import pytest

from voicebotd.control import contract_appointments, contract_params, contract_results, contract_status, contract_tools
from voicebotd.control.contract import ERRORS, FLEETING_TOPICS, METHODS, STATE_TOPICS, TOPICS, ExitCode, Method
from voicebotd.control.contract_types import fields_of, needs_admin

NAMES = {
    "rpc.discover", "status.get", "conversation.start", "conversation.stop", "conversation.roll",
    "message.send", "response.request", "response.interrupt", "instructions.get", "instructions.set",
    "instructions.clear", "vad.get", "vad.set",
    "config.get", "config.set", "config.reload", "audio.devices", "audio.select", "audio.mute", "audio.volume",
    "audio.selftest", "talk.begin", "talk.end", "file.process", "history.list", "history.get", "history.search",
    "tools.list", "tools.call", "tools.approve",
    "appointments.list", "appointments.export", "appointments.cancel",
    "history.export", "history.purge",
    "usage.get", "events.subscribe", "events.unsubscribe", "log.level",
}  # fmt: skip


def test_the_methods_are_those_that_were_promised() -> None:
    assert set(METHODS) == NAMES


@pytest.mark.parametrize("method", METHODS.values(), ids=str)
def test_a_method_names_types_and_errors_that_exist(method: Method) -> None:
    assert method.params_type.__name__ == method.params.rpartition(".")[2]
    assert method.result_type is not None
    assert set(method.errors) <= set(ERRORS)
    assert method.summary


@pytest.mark.parametrize("method", METHODS.values(), ids=str)
def test_required_parameters_come_first_because_they_bind_by_position_too(method: Method) -> None:
    required = [field.required for field in fields_of(method.params_type)]

    assert required == sorted(required, reverse=True)


@pytest.mark.parametrize(
    "module", [contract_appointments, contract_params, contract_results, contract_status, contract_tools]
)
def test_every_type_is_used_and_every_field_documented(module: Any) -> None:
    types = [
        value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__
    ]
    named = {method.params for method in METHODS.values()} | {method.result for method in METHODS.values()}
    reached = {name.rpartition(".")[2] for name in named}
    nested = {str(field.type) for contract_type in types for field in fields_of(contract_type)}

    for contract_type in types:
        assert contract_type.__name__ in reached or any(contract_type.__name__ in text for text in nested)
        assert all(field.doc for field in fields_of(contract_type))


def test_defaults_are_within_their_own_range() -> None:
    for method in METHODS.values():
        for field in fields_of(method.params_type):
            if field.default is not None and field.minimum is not None and field.maximum is not None:
                assert field.minimum <= field.default <= field.maximum


def test_error_numbers_and_kinds_are_unique() -> None:
    assert len({error.code for error in ERRORS.values()}) == len(ERRORS)
    assert all(kind == error.kind for kind, error in ERRORS.items())


def test_state_topics_are_topics() -> None:
    assert set(TOPICS) >= STATE_TOPICS >= FLEETING_TOPICS


def test_anybody_may_measure_the_room_and_only_an_administrator_applies_what_was_found() -> None:
    selftest = METHODS["audio.selftest"]
    assert not needs_admin(selftest.scope, selftest.params_type())
    assert needs_admin(selftest.scope, selftest.params_type(apply=True))


def test_the_exit_codes_are_the_promised_ones() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 69, 75, 76, 77, 130]


def test_the_client_can_import_the_contract_without_anything_but_the_standard_library() -> None:
    script = (
        "import sys; import voicebotd.control.contract, voicebotd.control.contract_docs\n"
        "heavy = {'pydantic', 'structlog', 'asyncio', 'voicebotd.control.jsonrpc'} & set(sys.modules)\n"
        "parts = ('appointments', 'params', 'results', 'status', 'tools')\n"
        "lazy = {f'voicebotd.control.contract_{name}' for name in parts} & set(sys.modules)\n"
        "sys.exit(f'{heavy} {lazy}' if heavy or lazy else 0)"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
