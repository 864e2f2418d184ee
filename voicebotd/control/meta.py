"""The methods that need nothing but the contract and the event hub: rpc.discover, events.subscribe, .unsubscribe.

Owns their handlers. Knows no other part of the daemon.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from voicebotd.control.caller import Caller
from voicebotd.control.contract import TOPICS
from voicebotd.control.contract_params import EventsParams, NoParams
from voicebotd.control.contract_results import Subscribed, Unsubscribed
from voicebotd.control.contract_types import Topic
from voicebotd.control.dispatcher import Handler
from voicebotd.control.events import EventHub
from voicebotd.control.openrpc import openrpc_document


def meta_handlers(hub: EventHub) -> dict[str, Handler]:
    """Return the handlers of these methods, for the `Dispatcher`."""

    async def discover(_params: NoParams, _caller: Caller) -> dict[str, Any]:
        return openrpc_document()

    async def subscribe(params: EventsParams, caller: Caller) -> Subscribed:
        snapshot, seq = hub.subscribe(caller.queue, _topics(params))
        return Subscribed(topics=_in_order(caller.queue.topics), snapshot=snapshot, seq=seq)

    async def unsubscribe(params: EventsParams, caller: Caller) -> Unsubscribed:
        hub.unsubscribe(caller.queue, _topics(params))
        return Unsubscribed(topics=_in_order(caller.queue.topics))

    return {"rpc.discover": discover, "events.subscribe": subscribe, "events.unsubscribe": unsubscribe}


def _topics(params: EventsParams) -> Iterable[Topic]:
    return TOPICS if params.topics is None else params.topics


def _in_order(topics: set[Topic]) -> list[Topic]:
    return [topic for topic in TOPICS if topic in topics]
