"""Who may begin a session, judged from the opening request. Pure.

Owns the service's answers to a wrong key, model, intent or the header of the beta protocol: as at api.openai.com, the
websocket opens and is closed after one `error` event. Any other key will do here, and none, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

DEFAULT_MODEL = "gpt-realtime-2.1"
WRONG_KEY = "sk-wrong"
"""A key that begins so is refused."""
WRONG_MODEL = "no-such-model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    code: str
    message: str
    close_code: int

    @property
    def close_reason(self) -> str:
        return f"invalid_request_error.{self.code}"


def admit(headers: Mapping[str, str], query: str) -> Admitted | Rejected:
    """Judge a request; `headers` are looked up as given, so they should be case-insensitive."""
    parameters = parse_qs(query)
    model = parameters.get("model", [DEFAULT_MODEL])[0]
    if "OpenAI-Beta" in headers:
        return Rejected(
            code="beta_api_shape_disabled",
            message="The beta shape of the Realtime API is no longer served; leave out the OpenAI-Beta header.",
            close_code=4000,
        )
    if headers.get("Authorization", "").removeprefix("Bearer ").startswith(WRONG_KEY):
        return Rejected(code="invalid_api_key", message="Incorrect API key provided.", close_code=3000)
    if parameters.get("intent", ["realtime"]) != ["realtime"]:
        return Rejected(code="invalid_intent", message="Only the intent 'realtime' is served here.", close_code=4000)
    if model == WRONG_MODEL:
        return Rejected(
            code="model_not_found",
            message=f"The model '{model}' does not exist or you do not have access to it.",
            close_code=4004,
        )
    return Admitted(model=model)
