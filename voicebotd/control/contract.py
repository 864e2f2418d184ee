"""The contract of the control socket: every method, topic, error, limit and exit code, declared once.

From it are derived the argument parser and `--help` of the client, the OpenRPC document, the README's table, the
validation of parameters and the check that every method has a handler. Knows no handler and no transport. Standard
library only, because the client imports it and must start in milliseconds.
"""

from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module
from typing import Any, get_args

from voicebotd.control.contract_types import Scope, Topic

PROTOCOL_VERSION = "1.0"
"""Told in `hello`. The major number changes when something is renamed or dropped."""

LINE_LIMIT_BYTES = 256 * 1024
"""One request, its newline not counted; a longer line is answered with -32600 and the connection closed."""
BATCH_LIMIT = 64
IN_FLIGHT_LIMIT = 32
"""Lines of one client that are being worked on; the next one is answered with -32001."""
QUEUE_LIMIT = 256
"""Events (and, separately, replies) that wait for one client."""
FDS_PER_LINE = 4
"""Open files that may come with one line (SCM_RIGHTS); more are closed unseen."""

TOPICS: tuple[Topic, ...] = get_args(Topic)
STATE_TOPICS: frozenset[Topic] = frozenset({"state", "link", "audio.level", "device"})
"""Topics whose latest event says everything: a slow client gets only that one."""
FLEETING_TOPICS: frozenset[Topic] = frozenset({"audio.level"})
"""State topics that are true for a moment only: made only while somebody listens, and never does more than the latest
one wait for a client. What is skipped so is no `gap`."""


class ExitCode(IntEnum):
    """What `voicebotctl` exits with (sysexits.h where it has a number)."""

    OK = 0
    ANSWERED_ERROR = 1
    USAGE = 2
    UNREACHABLE = 69
    BUSY_OR_TIMED_OUT = 75
    PROTOCOL_MISMATCH = 76
    NOT_PERMITTED = 77
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorKind:
    """One way to be refused: JSON-RPC's number, our name for it (`data.kind`) and whether trying again can help."""

    code: int
    kind: str
    summary: str
    retryable: bool = False


ERRORS: dict[str, ErrorKind] = {
    error.kind: error
    for error in (
        ErrorKind(code=-32700, kind="rpc.parse_error", summary="the line is not JSON"),
        ErrorKind(code=-32600, kind="rpc.invalid_request", summary="the JSON is not a JSON-RPC 2.0 request"),
        ErrorKind(code=-32601, kind="rpc.method_not_found", summary="there is no such method"),
        ErrorKind(code=-32602, kind="rpc.invalid_params", summary="a parameter is unknown, missing or out of range"),
        ErrorKind(code=-32603, kind="rpc.internal_error", summary="a bug of ours; the log has it"),
        ErrorKind(code=-32000, kind="rpc.shutting_down", summary="the daemon is stopping", retryable=True),
        ErrorKind(code=-32001, kind="rpc.overloaded", summary="too many clients or requests", retryable=True),
        ErrorKind(code=-32002, kind="rpc.not_ready", summary="the daemon is still starting", retryable=True),
        ErrorKind(code=-32003, kind="rpc.permission", summary="only root and the daemon's own user may"),
        ErrorKind(code=1001, kind="conversation.already_running", summary="a conversation runs already"),
        ErrorKind(code=1002, kind="conversation.not_running", summary="no conversation runs"),
        ErrorKind(code=1003, kind="audio.device_unavailable", summary="no such sound device", retryable=True),
        ErrorKind(code=1004, kind="link.unavailable", summary="no connection to the service", retryable=True),
        ErrorKind(code=1005, kind="budget.exhausted", summary="the configured spending cap is reached"),
        ErrorKind(code=1006, kind="tool.failed", summary="a function failed"),
        ErrorKind(code=1007, kind="history.not_found", summary="no such conversation"),
        ErrorKind(code=1008, kind="config.invalid", summary="the configuration refuses it"),
        ErrorKind(code=1009, kind="file.unreadable", summary="no file came with the request, or it has no audio"),
        ErrorKind(code=1010, kind="history.unavailable", summary="the database cannot be read", retryable=True),
        ErrorKind(code=1011, kind="response.interrupted", summary="an interrupt stopped everything that was to follow"),
        ErrorKind(code=1012, kind="talk.not_begun", summary="the talk key is not held"),
        ErrorKind(code=1013, kind="talk.active", summary="not while the talk key is held", retryable=True),
        ErrorKind(code=1014, kind="file.unwritable", summary="the output file that came cannot be written"),
        ErrorKind(code=1015, kind="audio.busy", summary="the sound is in use for something else", retryable=True),
        ErrorKind(code=1016, kind="link.unsupported", summary="the server in use has nothing of the kind"),
        ErrorKind(code=1018, kind="appointments.not_found", summary="no such appointment, or not booked any more"),
        ErrorKind(
            code=1019, kind="appointments.unavailable", summary="the book cannot be read or written", retryable=True
        ),
        ErrorKind(code=1020, kind="tool.no_approval", summary="no call waits for this approval"),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One verb of the socket.

    `params` and `result` name dataclasses of contract_params.py and contract_results.py, or `x.Name` of contract_x.py.
    Names, because each dataclass costs about a millisecond to make, and a client that asks for the status needs none.
    """

    name: str
    summary: str
    params: str = "NoParams"
    result: str
    scope: Scope = "control"
    errors: tuple[str, ...] = ()
    """Kinds of error of its own, beyond those that any method may answer."""

    @property
    def params_type(self) -> type[Any]:
        return _declared(self.params, "params")

    @property
    def result_type(self) -> type[Any]:
        return _declared(self.result, "results")


def _declared(name: str, home: str) -> type[Any]:
    part, _, name = name.rpartition(".")
    found: type[Any] = getattr(import_module(f"voicebotd.control.contract_{part or home}"), name)
    return found


_RUNNING = ("conversation.not_running", "link.unavailable")
_FILE_ERRORS = ("file.unreadable", "file.unwritable", "link.unavailable", "budget.exhausted")

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="rpc.discover",
            summary="describe every method as an OpenRPC document",
            result="OpenRpcDocument",
            scope="read",
        ),
        Method(
            name="status.get", summary="what the box does, and what is wrong with it", result="Status", scope="read"
        ),
        Method(
            name="conversation.start",
            summary="begin to listen and talk",
            params="ConversationStartParams",
            result="ConversationStarted",
            errors=("conversation.already_running", "budget.exhausted", "config.invalid"),
        ),
        Method(
            name="conversation.stop",
            summary="end the conversation",
            result="ConversationStopped",
            errors=("conversation.not_running",),
        ),
        Method(
            name="conversation.roll",
            summary="go on in another session of the service, with what was said",
            result="ConversationRolled",
            errors=_RUNNING,
        ),
        Method(
            name="message.send",
            summary="put a message into the conversation",
            params="MessageSendParams",
            result="MessageSent",
            errors=(*_RUNNING, "budget.exhausted"),
        ),
        Method(
            name="response.request",
            summary="have the assistant say something now",
            params="ResponseRequestParams",
            result="ResponseRequested",
            errors=(*_RUNNING, "budget.exhausted"),
        ),
        Method(
            name="response.interrupt",
            summary="silence the assistant at once",
            result="ResponseInterrupted",
            errors=("conversation.not_running",),
        ),
        Method(name="instructions.get", summary="what the model is told", result="Instructions", scope="read"),
        Method(
            name="instructions.set",
            summary="tell the model more, or something else",
            params="InstructionsSetParams",
            result="Instructions",
        ),
        Method(
            name="instructions.clear",
            summary="back to the configured instructions",
            params="InstructionsClearParams",
            result="Instructions",
        ),
        Method(name="vad.get", summary="how turns are detected", result="Vad", scope="read"),
        Method(
            name="vad.set",
            summary="change how turns are detected, live",
            params="VadSetParams",
            result="Vad",
            errors=("config.invalid",),
        ),
        Method(
            name="config.get",
            summary="configuration in force, with the source of each value",
            params="ConfigGetParams",
            result="Config",
            scope="read",
            errors=("config.invalid",),
        ),
        Method(
            name="config.set",
            summary="change the configuration",
            params="ConfigSetParams",
            result="Config",
            scope="admin",
            errors=("config.invalid",),
        ),
        Method(
            name="config.reload",
            summary="read the configuration files again",
            result="Config",
            errors=("config.invalid",),
        ),
        Method(name="audio.devices", summary="list the sound devices", result="Devices", scope="read"),
        Method(
            name="audio.select",
            summary="use another microphone or loudspeaker",
            params="AudioSelectParams",
            result="AudioSelected",
            errors=("audio.device_unavailable",),
        ),
        Method(
            name="audio.mute", summary="mute or unmute the microphone", params="AudioMuteParams", result="AudioMuted"
        ),
        Method(
            name="audio.volume",
            summary="set the loudness of the assistant",
            params="AudioVolumeParams",
            result="AudioVolume",
        ),
        Method(
            name="audio.selftest",
            summary="play a sweep and measure the room: delay, echo, noise, and what to set",
            params="AudioSelftestParams",
            result="Selftest",
            errors=("audio.device_unavailable", "audio.busy", "config.invalid"),
        ),
        Method(
            name="talk.begin",
            summary="push to talk: the key goes down",
            result="Talk",
            errors=(*_RUNNING, "budget.exhausted"),
        ),
        Method(name="talk.end", summary="push to talk: the key comes up", result="Talk", errors=_RUNNING),
        Method(
            name="file.process",
            summary="hold a conversation with an audio file; pass it (and an output WAV) open, by SCM_RIGHTS",
            params="FileProcessParams",
            result="FileDocument",
            errors=_FILE_ERRORS,
        ),
        Method(
            name="history.list",
            summary="list conversations, newest first",
            params="HistoryListParams",
            result="HistoryList",
            scope="read",
            errors=("history.not_found", "history.unavailable"),
        ),
        Method(
            name="history.get",
            summary="show what was said in a conversation",
            params="HistoryGetParams",
            result="HistoryConversation",
            scope="read",
            errors=("history.not_found", "history.unavailable"),
        ),
        Method(
            name="history.search",
            summary="find what was said, latest first",
            params="HistorySearchParams",
            result="HistoryFound",
            scope="read",
            errors=("history.unavailable",),
        ),
        Method(
            name="tools.list",
            summary="list the functions, with their schemas, and what is broken among their sources",
            result="tools.ToolList",
            scope="read",
        ),
        Method(
            name="tools.call",
            summary="run one function, whether the model sees it or not",
            params="tools.ToolCallParams",
            result="tools.ToolCalled",
            scope="admin",
            errors=("tool.failed",),
        ),
        Method(
            name="tools.approve",
            summary="decide whether the service may make a call that it asked for",
            params="tools.ToolApproveParams",
            result="tools.ToolDecided",
            scope="control",
            errors=("tool.no_approval", "conversation.not_running", "link.unavailable"),
        ),
        Method(
            name="appointments.list",
            summary="list appointments, the earliest first",
            params="appointments.AppointmentsListParams",
            result="appointments.AppointmentList",
            scope="read",
            errors=("appointments.unavailable",),
        ),
        Method(
            name="appointments.export",
            summary="appointments as an iCalendar document",
            params="appointments.AppointmentsExportParams",
            result="appointments.AppointmentsExport",
            scope="admin",
            errors=("appointments.unavailable",),
        ),
        Method(
            name="appointments.cancel",
            summary="cancel an appointment for a visitor",
            params="appointments.AppointmentCancelParams",
            result="appointments.AppointmentCancelled",
            scope="admin",
            errors=("appointments.not_found", "appointments.unavailable"),
        ),
        Method(
            name="history.export",
            summary="all that is kept, oldest first, piece by piece: turns, calls, usage",
            params="HistoryExportParams",
            result="HistoryExported",
            scope="admin",
            errors=("history.not_found", "history.unavailable"),
        ),
        Method(
            name="history.purge",
            summary="remove old conversations for good; what they cost stays",
            params="HistoryPurgeParams",
            result="HistoryPurged",
            scope="admin",
            errors=("history.unavailable",),
        ),
        Method(
            name="usage.get",
            summary="what was used and what it cost, by day and model, and the caps",
            params="UsageParams",
            result="UsageReport",
            scope="read",
            errors=("history.unavailable",),
        ),
        Method(
            name="events.subscribe",
            summary="be told what happens: notifications `event` {topic, seq, time, data} and `gap` {dropped}",
            params="EventsParams",
            result="Subscribed",
            scope="read",
        ),
        Method(
            name="events.unsubscribe",
            summary="be told no more",
            params="EventsParams",
            result="Unsubscribed",
            scope="read",
        ),
        Method(name="log.level", summary="change how much is logged", params="LogLevelParams", result="LogLevelSet"),
    )
}
