from __future__ import annotations

import pytest

from voicebotd.rehearsal.admission import DEFAULT_MODEL, Admitted, Rejected, admit


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk-anything"}, {"Authorization": "Bearer ek_1"}])
def test_any_key_and_none_will_do(headers: dict[str, str]) -> None:
    assert admit(headers, "model=gpt-realtime-2.1-mini") == Admitted(model="gpt-realtime-2.1-mini")


def test_the_model_has_a_default() -> None:
    assert admit({}, "intent=realtime") == Admitted(model=DEFAULT_MODEL)


@pytest.mark.parametrize(
    ("headers", "query", "code", "close_code"),
    [
        ({"Authorization": "Bearer sk-wrong-1"}, "model=m", "invalid_api_key", 3000),
        ({}, "model=no-such-model", "model_not_found", 4004),
        ({"OpenAI-Beta": "realtime=v1"}, "model=m", "beta_api_shape_disabled", 4000),
        ({}, "intent=transcription", "invalid_intent", 4000),
    ],
)
def test_what_the_service_does_not_let_in_is_not_let_in(
    headers: dict[str, str], query: str, code: str, close_code: int
) -> None:
    rejected = admit(headers, query)
    assert isinstance(rejected, Rejected)
    assert (rejected.code, rejected.close_code) == (code, close_code)
    assert rejected.close_reason == f"invalid_request_error.{code}"
