"""The built-in server lives as long as the program that talks to it, and only where none is named."""

import asyncio

import pytest

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
