"""The servers of the Model Context Protocol: the keys `tools.mcp` and `tools.remote_mcp`, part of the manual.

Owns how a server is written and every complaint about one. A secret is never part of it: what goes into an environment,
a header or an authorization is a reference to the place where it is kept (`references.py` reads it). Connects to
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
    model_validator,
)

LOCAL = "tools.mcp"
REMOTE = "tools.remote_mcp"
LOCAL_ALLOWED = (
    "a map of names (small letters, digits, -, at most 24) to maps of either command, args, env, cwd or url, headers; "
    "and of allow, timeout_s, enabled"
)
REMOTE_ALLOWED = (
    "a list of maps of server_label, one of server_url and connector_id, authorization, allowed_tools, require_approval"
)
REFERENCE = "env:NAME, file:/PATH or credential:NAME for a secret"
VALUE = f"{REFERENCE}, text:VALUE for what anybody may read"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _from_text(value: object) -> object:
    # The environment and --set can write nothing but text.
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _address(value: str) -> str:
    """Raises ValueError for an address that would be spoken to in clear, or that has a secret in it."""
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise ValueError("is no address") from None
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError("is no address; write https://HOST/PATH")
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise ValueError("http is for this machine only (localhost, 127.0.0.1, ::1); use https")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("an address has no user, no query and no fragment; a key belongs into headers")
    return value


def _https(value: str) -> str:
    if not value.startswith("https://"):
        raise ValueError("the service reaches it over the internet, by https only")
    return value


Secret = Annotated[str, Field(pattern=r"^(env:[A-Za-z_]\w*|file:/.+|credential:[\w.-]+)$", max_length=1024)]
Value = Annotated[str, Field(pattern=r"^(env:[A-Za-z_]\w*|file:/.+|credential:[\w.-]+|text:[^\r\n\x00]*)$")]
Address = Annotated[str, Field(max_length=2048), AfterValidator(_address)]
ToolNames = list[Annotated[str, Field(min_length=1, max_length=128)]]
Argument = Annotated[str, Field(pattern=r"^[^\x00]*$")]
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]


class _Server(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what was left out, which nobody wants to read."""
        return {name: value for name, value in handler(self).items() if getattr(self, name) != _default(self, name)}


def _default(server: BaseModel, name: str) -> Any:
    return type(server).model_fields[name].default


class McpServer(_Server):
    """A server that the box itself runs or reaches."""

    command: Annotated[str, Field(min_length=1, pattern=r"^[^\x00]+$")] | None = None
    args: list[Argument] = []
    env: dict[EnvironmentName, Value] = {}
    cwd: Annotated[str, Field(pattern=r"^/[^\x00]*$")] | None = None
    url: Address | None = None
    headers: dict[HeaderName, Value] = {}
    allow: ToolNames | None = None
    timeout_s: Annotated[float, Field(ge=0.1, le=600)] | None = None
    enabled: bool = True

    @model_validator(mode="after")
    def _one_way(self) -> McpServer:
        if wrong := _ways(vars(self)):
            raise ValueError(wrong)
        return self


class RemoteMcpServer(_Server):
    """A server that the Realtime service itself calls."""

    server_label: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=64)]
    server_url: Annotated[Address, AfterValidator(_https)] | None = None
    connector_id: Annotated[str, Field(pattern=r"^connector_[a-z0-9_]+$")] | None = None
    authorization: Secret | None = None
    allowed_tools: ToolNames | None = None
    require_approval: Literal["never", "ask"] = "ask"

    @model_validator(mode="after")
    def _one_place(self) -> RemoteMcpServer:
        if wrong := _places(vars(self)):
            raise ValueError(wrong)
        return self


ServerName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,23}$")]
Servers = Annotated[dict[ServerName, McpServer], BeforeValidator(_from_text)]


def _distinct(servers: list[RemoteMcpServer]) -> list[RemoteMcpServer]:
    labels = [server.server_label for server in servers]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise ValueError(f"{', '.join(twice)} is the server_label of more than one")
    return servers


RemoteServers = Annotated[list[RemoteMcpServer], AfterValidator(_distinct), BeforeValidator(_from_text)]
_TYPES: dict[str, Any] = {LOCAL: Servers, REMOTE: RemoteServers}
_MODELS: dict[str, type[BaseModel]] = {LOCAL: McpServer, REMOTE: RemoteMcpServer}
_STDIO, _HTTP = ("args", "env", "cwd"), ("headers",)


def _ways(server: Mapping[str, Any]) -> str:
    """What is wrong with values that are right by themselves; empty where nothing is."""
    command, url = server.get("command"), server.get("url")
    if bool(command) == bool(url):
        return "has either a command or a url"
    strange = [name for name in (_HTTP if command else _STDIO) if server.get(name)]
    return f"{', '.join(strange)} goes with {'url' if command else 'command'} only" if strange else ""


def _places(server: Mapping[str, Any]) -> str:
    one_of_both = bool(server.get("server_url")) != bool(server.get("connector_id"))
    return "" if one_of_both else "has either a server_url or a connector_id"


def complaint(key: str, value: object) -> str:
    """Everything that is wrong with a value of `tools.mcp` or `tools.remote_mcp`, place by place, and no value that may
    be a secret; empty where it is the whole of it."""
    found: list[str] = []
    try:
        TypeAdapter(_TYPES[key]).validate_python(value)
    except ValidationError as error:
        found = [_words(key, each["loc"], each["type"], each["msg"]) for each in error.errors(include_input=False)]
    found += _hidden(key, value)
    return "; ".join(filter(None, dict.fromkeys(found)))


def _hidden(key: str, value: object) -> list[str]:
    """What pydantic does not come to where a key is wrong as well."""
    servers = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    judge = _ways if key == LOCAL else _places
    return [f"{name}: {wrong}" for name, one in servers if isinstance(one, Mapping) and (wrong := judge(one))]


def _words(key: str, place: tuple[Any, ...], kind: str, message: str) -> str:
    if not place:
        return message.removeprefix("Value error, ") if kind == "value_error" else ""
    where = ".".join(str(part) for part in place if part != _KEY)
    if place[-1] == _KEY:
        return f"{where[:60]} cannot be a name here"
    field = str(place[1]) if len(place) > 1 else ""
    told = {
        "extra_forbidden": f" is unknown; known are {', '.join(_MODELS[key].model_fields)}",
        "missing": " is missing",
        "string_pattern_mismatch": f": {_FORMS.get(field, 'is not of the form that it must have')}",
    }
    return where + told.get(kind, f": {message.removeprefix('Value error, ')}")


_KEY = "[key]"
"""What pydantic appends to the place of a name that is wrong, rather than its value."""
_FORMS = {
    "env": f"write {VALUE}",
    "headers": f"write {VALUE}",
    "authorization": f"write {REFERENCE}",
    "cwd": "must begin with /",
    "server_label": "must begin with a letter, and be of letters, digits, _ and -",
    "connector_id": "must be of the form connector_NAME",
}
