"""The table of servers."""

from __future__ import annotations

import pytest

from voicebotd.realtime.dialects import DIALECTS, PROVIDERS, SERVERS, recognised


def test_every_provider_of_the_contract_has_an_entry() -> None:
    assert set(PROVIDERS) == {"openai", "azure", "compatible", "rehearsal"}


def test_a_provider_with_one_server_is_found_by_its_own_name() -> None:
    assert {DIALECTS[name].provider for name in PROVIDERS if name != "compatible"} == set(PROVIDERS) - {"compatible"}


def test_the_compatible_servers_can_be_named() -> None:
    assert SERVERS == ("generic", "speech-to-speech", "localai", "speaches", "grok", "qwen")


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("api.openai.com", "openai"),
        ("api.x.ai", "grok"),
        ("dashscope-intl.aliyuncs.com", "qwen"),
        ("ws-1.ap-southeast-1.maas.aliyuncs.com", "qwen"),
    ],
)
def test_a_server_is_recognised_by_a_host_where_nothing_else_answers(host: str, server: str) -> None:
    assert recognised(host) is DIALECTS[server]


@pytest.mark.parametrize("host", ["127.0.0.1", "xapi.x.ai.example", "notapi.x.ai.test", "fakeapi.openai.com.evil"])
def test_another_host_is_nobodys(host: str) -> None:
    assert recognised(host) is None
