"""Where each server is and how one gets in."""

from __future__ import annotations

import pytest

from voicebotd.errors import ConfigError, RealtimeError
from voicebotd.realtime.dialects import DIALECTS, Dialect
from voicebotd.realtime.endpoint import endpoint, is_loopback

OPENAI = "wss://api.openai.com/v1/realtime"
AZURE = "wss://desk.openai.azure.com/openai/v1/realtime"


def test_the_model_is_part_of_the_url() -> None:
    assert endpoint("openai", OPENAI, "gpt-realtime-2.1").url == f"{OPENAI}?model=gpt-realtime-2.1"


def test_a_query_of_the_base_url_is_kept_but_for_another_model() -> None:
    wanted = endpoint("compatible", "wss://example.test/v1/realtime?tier=a&model=old", "a b/c")
    assert wanted.url == "wss://example.test/v1/realtime?tier=a&model=a+b%2Fc"


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("wss://example.test/v1", "example.test:443"),
        ("ws://localhost/v1", "localhost:80"),
        ("ws://[::1]:8765/v1", "[::1]:8765"),
    ],
)
def test_the_address_for_people_has_host_and_port(base_url: str, address: str) -> None:
    assert endpoint("compatible", base_url, "m").address == address


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_recognised_without_a_name_server(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["192.168.1.5", "localhost.example.com", "fe80::1", "::ffff:10.0.0.1", "127.0.0.1.example"]
)
def test_another_machine_is_not_this_one(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("provider", "base_url", "message"),
    [
        ("openai", "https://api.openai.com/v1/realtime", "must begin with wss://"),
        ("openai", "wss:///v1", "names no host"),
        ("openai", "wss://[::1/v1", "is not a URL"),
        ("openai", "wss://host:99999/v1", "is not a URL"),
        ("compatible", "ws://192.168.1.5:8000/v1", "in the clear"),
        ("rehearsal", "wss://example.test/v1", "must be on this machine"),
        ("openai", "wss://u:secret@example.test/v1", "user name or password"),
        ("openai", "wss://:secret@example.test/v1", "user name or password"),
        ("openai", "wss://example.test/v1#x", "has a fragment"),
    ],
)
def test_a_url_that_cannot_be_used_is_a_configuration_error(provider: str, base_url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        endpoint(provider, base_url, "m")
    assert caught.value.problems[0].key == "service.base_url"
    assert "secret" not in str(caught.value)


def test_every_fault_of_a_url_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        endpoint("compatible", "ws://u@example.test/v1#x", "m")
    assert len(caught.value.problems) == 3


def test_an_unknown_provider_is_told_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="openai, azure, rehearsal, compatible"):
        endpoint("opanai", OPENAI, "m")


def test_the_key_travels_as_a_bearer_and_no_beta_header_ever_does() -> None:
    assert endpoint("openai", OPENAI, "m").headers("sk-1") == {"Authorization": "Bearer sk-1"}
    assert endpoint("compatible", "ws://127.0.0.1/v1", "m").headers("sk-1") == {"Authorization": "Bearer sk-1"}


@pytest.mark.parametrize("key", [None, ""])
def test_openai_needs_a_key(key: str | None) -> None:
    with pytest.raises(RealtimeError) as caught:
        endpoint("openai", OPENAI, "m").headers(key)
    assert caught.value.code == "missing_api_key"
    assert not caught.value.retryable
    assert "OPENAI_API_KEY" in caught.value.hint


@pytest.mark.parametrize("key", [None, ""])
def test_a_compatible_server_needs_none(key: str | None) -> None:
    assert endpoint("compatible", "ws://127.0.0.1/v1", "m").headers(key) == {}


def test_the_rehearsal_server_is_never_shown_the_key() -> None:
    assert endpoint("rehearsal", "ws://127.0.0.1/v1", "m").headers("sk-1") == {}


@pytest.mark.parametrize("key", ["sk-1\nX-Evil: 1", "sk 1", "sk-é"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(RealtimeError) as caught:
        endpoint("openai", OPENAI, "m").headers(key)
    assert caught.value.code == "unusable_api_key"
    assert key not in str(caught.value)


def address_of(dialect: Dialect) -> str:
    """Its address in the README, with real names where people put their own."""
    return dialect.address.replace("RESOURCE", "desk").replace("HOST", "voice.example.test")


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_every_server_is_found_at_its_own_address_and_in_the_clear_only_on_this_machine(dialect: Dialect) -> None:
    server = dialect.name if dialect.provider == "compatible" else "auto"
    assert endpoint(dialect.provider, address_of(dialect), "m", server=server).dialect is dialect
    elsewhere = "ws://192.168.1.5:8000/openai/v1/realtime"
    with pytest.raises(ConfigError, match="in the clear"):
        endpoint(dialect.provider, elsewhere, "m", server=server)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
def test_every_server_is_let_have_the_key_in_the_header_that_it_reads(dialect: Dialect) -> None:
    server = dialect.name if dialect.provider == "compatible" else "auto"
    headers = endpoint(dialect.provider, address_of(dialect), "m", server=server).headers("sk-1")
    wanted = {"Authorization": {"Authorization": "Bearer sk-1"}, "api-key": {"api-key": "sk-1"}}[dialect.key_header]
    assert headers == ({} if dialect.key == "never" else wanted)


def test_azure_is_asked_for_a_deployment_without_an_api_version() -> None:
    assert endpoint("azure", AZURE, "front-desk").url == f"{AZURE}?model=front-desk"


def test_the_preview_address_of_azure_is_refused_with_the_one_to_use() -> None:
    with pytest.raises(ConfigError, match="not the address of the GA API") as caught:
        endpoint("azure", "wss://desk.openai.azure.com/openai/realtime", "m")
    assert "openai/v1/realtime" in caught.value.problems[0].hint


@pytest.mark.parametrize(("provider", "server"), [("azure", "auto"), ("compatible", "auto"), ("compatible", "localai")])
def test_openais_own_address_is_not_taken_for_somebody_elses(provider: str, server: str) -> None:
    with pytest.raises(ConfigError, match="is the address of openai"):
        endpoint(provider, OPENAI, "m", server=server)


def test_a_compatible_server_is_recognised_by_its_host_or_taken_as_any() -> None:
    assert endpoint("compatible", "wss://api.x.ai/v1/realtime", "m").dialect.name == "grok"
    assert endpoint("compatible", "wss://example.test/v1/realtime", "m").dialect.name == "generic"


def test_an_unknown_server_is_told_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'lokalai' is not one of auto, generic, speech-to-speech") as caught:
        endpoint("compatible", "ws://127.0.0.1/v1", "m", server="lokalai")
    assert caught.value.problems[0].key == "service.server"


def test_a_shape_can_be_laid_down() -> None:
    assert endpoint("compatible", "ws://127.0.0.1/v1", "m", shape="beta").dialect.shape == "beta"
    assert endpoint("openai", OPENAI, "m", shape="ga").dialect.shape == "ga"


@pytest.mark.parametrize(("provider", "url"), [("openai", OPENAI), ("azure", AZURE)])
def test_who_takes_no_beta_shape_any_more_is_not_sent_any(provider: str, url: str) -> None:
    with pytest.raises(ConfigError, match="must be auto or ga") as caught:
        endpoint(provider, url, "m", shape="beta")
    assert caught.value.problems[0].key == "service.dialect"
