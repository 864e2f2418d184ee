"""The built-in server lives as long as the program that talks to it, and only where none is named."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from voicebotd.errors import RealtimeError
from voicebotd.rehearsing import rehearsal

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("log")]


async def test_a_rehearsal_points_every_configuration_to_the_built_in_server(directories):
    loaded = directories.load("service.provider=rehearsal")
    async with rehearsal(loaded) as pointed:
        now, later = pointed(loaded), pointed(directories.load("service.provider=rehearsal", "session.voice=cedar"))
        host, _, port = now.settings.service.base_url.removeprefix("ws://").partition("/")[0].partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
    assert now.settings.service.base_url == later.settings.service.base_url
    assert later.settings.session.voice == "cedar"
    assert now.sources["service.base_url"] == "--rehearse"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))


@pytest.mark.parametrize(
    "words", [("service.provider=rehearsal", "service.base_url=ws://127.0.0.1:9/v1"), ("service.provider=openai",)]
)
async def test_a_server_that_is_named_is_used(directories, words):
    loaded = directories.load(*words)
    async with rehearsal(loaded) as pointed:
        assert pointed(loaded) is loaded


async def test_the_built_in_server_fails_as_it_is_told_to(directories):
    loaded = directories.load("service.provider=rehearsal")
    async with rehearsal(loaded, faults=["status=503"]) as pointed:
        with pytest.raises(InvalidStatus):
            await connect(pointed(loaded).settings.service.base_url)


async def test_faults_that_no_built_in_server_would_be_there_for_are_refused(directories):
    loaded = directories.load("service.provider=rehearsal", "service.base_url=ws://127.0.0.1:9/v1")
    with pytest.raises(RealtimeError, match="--fault is for the built-in server"):
        async with rehearsal(loaded, faults=["rst"]):
            pytest.fail("it was entered")
