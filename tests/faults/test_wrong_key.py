"""A key that the service refuses, by HTTP or by an error and a close: asked for seldom, told well, shown to nobody."""

from __future__ import annotations

import asyncio
import io
from itertools import pairwise

import pytest
from faultrig.box import talking_box
from faultrig.hurry import hurried
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from voicebotd.conversation.events import LinkLost
from voicebotd.rehearsal.server import RehearsalServer, parrot_brain
from voicebotd.service import Health
from voicebotd.system.logging import setup

KEY = "sk-proj-Th1sIsTheKeyOfTheHouse0123456789"
PACE = 25.0
SECONDS = 200.0


class Doorkeeper(RehearsalServer):
    """Notes what it is shown."""

    def __init__(self, fault: str) -> None:
        super().__init__(brain=parrot_brain(), faults=[fault])
        self.shown: list[str | None] = []

    async def _answer_opening(self, websocket: ServerConnection, request: Request) -> Response | None:
        self.shown.append(request.headers.get("Authorization"))
        return await super()._answer_opening(websocket, request)


@pytest.mark.parametrize("fault", ["status=401", "denied=invalid_api_key"])
def test_a_refused_key_is_tried_once_a_minute_at_most_told_and_never_logged(
    fault: str, monkeypatch: pytest.MonkeyPatch, own_logging: None
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    stream = io.StringIO()
    setup(level="debug", format="console", stream=stream, environ={})

    async def wait_and_see() -> tuple[list[str | None], list[float], Health]:
        async with Doorkeeper(fault) as server, talking_box(server, "service.provider=openai") as box:
            await asyncio.sleep(SECONDS)
            assert box.stack.link.status.state == "refused"
            lost_s = [at_s for event, at_s in box.events if isinstance(event, LinkLost)]
            return server.shown, lost_s, box.stack.link.health_check()

    shown, lost_s, health = hurried(wait_and_see, pace=PACE)
    assert set(shown) == {f"Bearer {KEY}"}
    assert 2 <= len(shown) <= 1 + SECONDS / 60
    assert all(later - sooner >= 60.0 for sooner, later in pairwise(lost_s))
    assert not health.ok
    assert "the API key was refused" in health.reason
    assert "put a valid key in" in health.hint
    logged = stream.getvalue()
    assert "the API key was refused" in logged
    assert "[debug" in logged
    assert KEY not in logged
    assert KEY[8:] not in logged
