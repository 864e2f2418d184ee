import pytest

from voicebotctl import errors
from voicebotctl.errors import DaemonError, UsageError
from voicebotd.control.contract import ERRORS, ExitCode


def test_the_exit_codes_are_the_contracts():
    ours = {name: value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    assert sorted(ours.values()) == sorted(ExitCode)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError, ExitCode.USAGE),
        (errors.UnreachableError, ExitCode.UNREACHABLE),
        (errors.TimedOutError, ExitCode.BUSY_OR_TIMED_OUT),
        (errors.ProtocolError, ExitCode.PROTOCOL_MISMATCH),
        (errors.NotPermittedError, ExitCode.NOT_PERMITTED),
        (errors.InterruptedByUserError, ExitCode.INTERRUPTED),
    ],
)
def test_every_way_to_fail_before_an_answer_has_its_own_exit_code(error, code):
    assert error("why").exit_code == error("why").code == code


@pytest.mark.parametrize("kind", ERRORS)
def test_an_answered_error_is_exit_1_unless_the_daemon_is_busy_or_forbids_it(kind):
    busy = {"rpc.shutting_down", "rpc.overloaded", "rpc.not_ready"}
    expected = ExitCode.ANSWERED_ERROR
    if kind in busy:
        expected = ExitCode.BUSY_OR_TIMED_OUT
    if kind == "rpc.permission":
        expected = ExitCode.NOT_PERMITTED
    assert DaemonError(ERRORS[kind].code, kind, "why").exit_code == expected


def test_the_document_of_an_answered_error_is_the_daemons_own_words():
    error = DaemonError(1008, "config.invalid", "threshold: 7 is not in 0..1", hint="try 0.7")
    assert error.document() == {
        "error": {"code": 1008, "kind": "config.invalid", "message": "threshold: 7 is not in 0..1", "hint": "try 0.7"}
    }


def test_the_document_of_our_own_error_has_the_exit_code_as_its_code():
    assert UsageError("what?").document() == {
        "error": {"code": 2, "kind": "client.usage", "message": "what?", "hint": ""}
    }
