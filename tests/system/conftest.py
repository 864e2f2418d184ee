"""What every system test shares: one virtual sound card, and servers and daemons that are always ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from rig.card import VirtualCard
from rig.daemon import Daemon, Home, Settings, merged
from rig.rehearsal import Rehearsal


@pytest.fixture(scope="session")
def sound_card() -> Iterator[VirtualCard]:
    """The machine's microphone and loudspeaker. Whoever breaks it repairs it."""
    card = VirtualCard()
    card.start()
    yield card
    card.remove()


@pytest.fixture
def card(sound_card: VirtualCard) -> Iterator[VirtualCard]:
    """The same, with a visitor who falls silent when the test ends."""
    yield sound_card
    sound_card.hush()


@pytest.fixture(scope="session")
def conversation_settings() -> Callable[[str], Settings]:
    """Settings for quick turns in both directions at once: the card has no echo to control."""

    def settings(url: str) -> Settings:
        return {
            "service": {"provider": "openai", "base_url": url},
            "turn_detection": {"threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500},
            "audio": {"echo_control": "none"},
            "barge_in": {"mode": "immediate"},
        }

    return settings


@pytest.fixture(scope="module")
def start_rehearsal() -> Iterator[Callable[..., Rehearsal]]:
    """Start a rehearsal server with a script, and options of its command line; it ends with the module."""
    with ExitStack() as stack:
        yield lambda script, *options: stack.enter_context(Rehearsal(script, options=options))


@pytest.fixture
def home() -> Iterator[Home]:
    """Directories that outlive one daemon, for restarts."""
    home = Home()
    yield home
    home.remove()


@pytest.fixture
def run_daemon(card: VirtualCard, conversation_settings: Callable[[str], Settings]) -> Callable[..., Daemon]:
    """Make (not yet start) a daemon that talks to `url` over the virtual card: `with run_daemon(url) as daemon:`."""

    def make(url: str, changes: Settings | None = None, *, env: dict[str, str] | None = None, **more: Any) -> Daemon:
        settings = merged(conversation_settings(url), changes or {})
        return Daemon(settings, env={**card.env, **(env or {})}, **more)

    return make
