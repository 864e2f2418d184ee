"""Where a server is and how one gets in.

Owns URLs, authentication headers, and the rule that what a visitor says crosses no network in the clear. Decides
nothing while a session runs and reads no key by itself. How servers differ is in `dialects.py`. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from voicebotd.errors import ConfigError, Problem, RealtimeError
from voicebotd.realtime.dialects import DIALECTS, PROVIDERS, SERVERS, Dialect, Shape, recognised

KEY_SOURCES = "the systemd credential openai-api-key, the file named by OPENAI_API_KEY_FILE, or OPENAI_API_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One model of one server, ready to be connected to."""

    dialect: Dialect
    url: str
    model: str
    address: str
    """Host and port, for messages to people."""

    def headers(self, key: str | None) -> dict[str, str]:
        """Return the headers that let us in. There is never an `OpenAI-Beta`: it is refused since 2026-05-12.

        Raises RealtimeError, not retryable, for a key that is missing or that no HTTP header can carry. The key is
        in no message.
        """
        if self.dialect.key == "never" or (not key and self.dialect.key == "optional"):
            return {}
        if not key:
            raise RealtimeError(
                "there is no API key", retryable=False, code="missing_api_key", hint=f"put one in {KEY_SOURCES}"
            )
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise RealtimeError(
                "the API key has characters that no key has (a space, a line break, an accent)",
                retryable=False,
                code="unusable_api_key",
                hint=f"look at {KEY_SOURCES}",
            )
        name = self.dialect.key_header
        return {name: f"Bearer {key}" if name == "Authorization" else key}


def endpoint(
    provider: str,
    base_url: str,
    model: str,
    *,
    server: str = "auto",
    shape: Literal["auto"] | Shape = "auto",
) -> Endpoint:
    """Return where to connect: `base_url` with `?model=`.

    `server`: whose server a compatible one is; `auto` goes by its host. `shape`: how messages are to be written,
    where the server's own way is not to be trusted.

    Raises ConfigError naming every reason why that is not possible.
    """
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigError([_wrong_url(f"is not a URL: {error}")]) from None
    dialect = _dialect(provider, server, host)
    problems = [_wrong_url(message, hint) for message, hint in _faults(dialect, parts, host)]
    if shape == "beta" and dialect.provider != "compatible":
        message = f"must be auto or ga for the provider {provider}, which takes no beta shape any more"
        problems.append(Problem(key="service.dialect", message=message))
    if problems:
        raise ConfigError(problems)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "model"]
    return Endpoint(
        dialect=dialect if shape == "auto" else replace(dialect, shape=shape),
        url=urlunsplit(parts._replace(query=urlencode([*query, ("model", model)]))),
        model=model,
        address=f"{f'[{host}]' if ':' in host else host}:{port or (443 if parts.scheme == 'wss' else 80)}",
    )


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine, without asking a name server."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


def _dialect(provider: str, server: str, host: str) -> Dialect:
    """Raises ConfigError for a name that is not in the table."""
    if provider not in PROVIDERS:
        raise ConfigError([_not_one_of("service.provider", provider, PROVIDERS)])
    if server != "auto" and server not in SERVERS:
        raise ConfigError([_not_one_of("service.server", server, ("auto", *SERVERS))])
    if provider != "compatible":
        return DIALECTS[provider]
    if server != "auto":
        return DIALECTS[server]
    known = recognised(host)
    return known if known is not None and known.provider == "compatible" else DIALECTS["generic"]


def _faults(dialect: Dialect, parts: SplitResult, host: str) -> list[tuple[str, str]]:
    """Return (message, hint) for each thing wrong with the URL. It is not quoted: it could hold a password."""
    if parts.scheme not in {"ws", "wss"}:
        return [("must begin with wss:// (or, on this machine, ws://)", "")]
    if not host:
        return [("names no host", "")]
    faults = []
    if parts.scheme == "ws" and not is_loopback(host):
        faults.append((f"is ws:// to {host}, which would send what visitors say in the clear", "use wss://"))
    if dialect.loopback_only and not is_loopback(host):
        faults.append((f"must be on this machine for the provider {dialect.name}, not {host}", "use 127.0.0.1"))
    owner = recognised(host)
    if owner is not None and owner is not dialect and not dialect.loopback_only:
        faults.append((f"is the address of {owner.name}, not of {dialect.name}", f"it looks like {dialect.address}"))
    if dialect.provider == "azure" and "/v1/" not in f"{parts.path}/":
        faults.append(("is not the address of the GA API", f"it looks like {dialect.address}"))
    if parts.username is not None or parts.password is not None:
        faults.append(("holds a user name or password", f"put the key in {KEY_SOURCES}"))
    if parts.fragment:
        faults.append(("has a fragment (#…)", "remove it"))
    return faults


def _wrong_url(message: str, hint: str = "") -> Problem:
    return Problem(key="service.base_url", message=message, hint=hint)


def _not_one_of(key: str, value: str, known: tuple[str, ...]) -> Problem:
    return Problem(key=key, message=f"{value!r} is not one of {', '.join(known)}")
