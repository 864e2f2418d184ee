"""rpc.discover and events.*: the methods that need nothing but the contract and the hub."""

import asyncio
import json
from typing import Any

from voicebotd.control.caller import Caller, Peer
from voicebotd.control.contract import METHODS, TOPICS
from voicebotd.control.dispatcher import Dispatcher
from voicebotd.control.events import EventHub
from voicebotd.control.meta import meta_handlers
from voicebotd.control.openrpc import openrpc_document


class _Bench:
    def __init__(self) -> None:
        self.hub = EventHub()
        handlers = meta_handlers(self.hub)
        self.dispatcher = Dispatcher(handlers, methods={name: METHODS[name] for name in handlers})
        self.caller = Caller(peer=Peer(pid=1, uid=1000, gid=1000, admin=False))

    def call(self, method: str, params: Any) -> Any:
        line = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}).encode()
        reply = asyncio.run(self.dispatcher.answer(line, self.caller))
        assert reply is not None
        return json.loads(reply)["result"]


def test_discover_answers_the_whole_contract() -> None:
    assert _Bench().call("rpc.discover", []) == json.loads(json.dumps(openrpc_document()))


def test_subscribing_without_topics_is_to_all_of_them() -> None:
    bench = _Bench()
    bench.hub.publish("link", {"state": "ready"})

    assert bench.call("events.subscribe", {}) == {
        "topics": list(TOPICS),
        "snapshot": {"link": {"state": "ready"}},
        "seq": 1,
    }


def test_topics_add_up_and_are_taken_away_again() -> None:
    bench = _Bench()

    assert bench.call("events.subscribe", [["turn"]])["topics"] == ["turn"]
    assert bench.call("events.subscribe", {"topics": ["usage", "state"]})["topics"] == ["state", "turn", "usage"]
    assert bench.call("events.unsubscribe", {"topics": ["turn"]}) == {"topics": ["state", "usage"]}
    assert bench.call("events.unsubscribe", {}) == {"topics": []}
