"""A session that was opened, and a link that is not listened to yet."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from voicebotd.conversation.events import SpeechStarted
from voicebotd.realtime.backoff import Failure
from voicebotd.realtime.endpoint import endpoint
from voicebotd.realtime.fields import JsonObject
from voicebotd.realtime.opened import Decoded, Opened, Voice
from voicebotd.realtime.protocol import SessionTold
from voicebotd.realtime.rollover import Schedule
from voicebotd.realtime.session import SessionConfig
from voicebotd.realtime.transport import SessionLink

SPEECH = SpeechStarted(item_id="u", audio_start_ms=0)
MODEL = "gpt-realtime-2.1"


def told(**session: object) -> SessionTold:
    return SessionTold(name="updated", session=dict(session))


def test_what_a_session_that_waits_hears_goes_nowhere_and_how_it_changes_is_kept() -> None:
    heard: list[Decoded] = []
    voice = Voice(heard.append)
    voice(SPEECH)
    voice(told(id="s2", voice="marin"))
    assert heard == []
    assert voice.told == {"id": "s2", "voice": "marin"}


def test_the_present_session_is_listened_to() -> None:
    heard: list[Decoded] = []
    voice = Voice(heard.append)
    voice(told(id="s2"))
    voice.on = True
    voice(SPEECH)
    voice(told(id="s2", voice="marin"))
    assert heard == [SPEECH, told(id="s2", voice="marin")]
    assert voice.told == {"id": "s2"}, "whoever listens keeps the rest"
    voice.on = False
    voice(SPEECH)
    assert len(heard) == 2


@pytest.mark.parametrize(
    ("created", "updated", "session_id", "model"),
    [
        ({"id": "s1", "model": "m1"}, {"id": "s2", "model": "m2"}, "s2", "m2"),
        ({"id": "s1", "model": "m1"}, {}, "s1", MODEL),
        ({}, {}, "", MODEL),
    ],
)
def test_a_session_is_called_as_the_service_called_it_last(
    created: JsonObject, updated: JsonObject, session_id: str, model: str
) -> None:
    voice = Voice(lambda _decoded: None)
    voice.told = updated
    opened = Opened(
        link=cast(SessionLink, None),
        voice=voice,
        endpoint=endpoint("openai", "wss://api.openai.com/v1/realtime", MODEL),
        config=SessionConfig(model=MODEL, instructions=""),
        created=created,
        ready_at_s=0.0,
        schedule=Schedule(due_s=1.0, end_s=2.0),
        serving=cast("asyncio.Task[Failure]", None),
    )
    assert (opened.session_id, opened.model) == (session_id, model)
