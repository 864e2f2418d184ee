"""Functions that really run, in a conversation that is interrupted and cut off: each runs once and is answered once."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import effects as fx
from voicebotd.conversation import events as ev
from voicebotd.conversation.core import Conversation
from voicebotd.conversation.manager import ConversationManager
from voicebotd.conversation.policy import Policy
from voicebotd.conversation.records import AnyRecord, ToolCallRecord
from voicebotd.errors import ToolError
from voicebotd.tools.catalogue import Source
from voicebotd.tools.registry import Call, make
from voicebotd.tools.runner import ToolRunner
from voicebotd.tools.toolbox import Toolbox, Wish

DEADLINE_S = 20.0
SESSION = ev.SessionView(instructions="", turn_detection=ev.TurnDetection(create_response=False))
RAN: Counter[str] = Counter()


async def quick(call: Call) -> str:
    """Answer at once."""
    RAN[call.call_id] += 1
    return "done"


async def slow(call: Call) -> str:
    """Take a moment."""
    RAN[call.call_id] += 1
    await asyncio.sleep(0.01)
    return "done"


def plain(call: Call) -> str:
    """Answer from a thread."""
    RAN[call.call_id] += 1
    return "done"


async def raises(call: Call) -> str:
    """Fail."""
    RAN[call.call_id] += 1
    raise ToolError("The shop is closed.")


async def hangs(call: Call) -> str:
    """Never answer."""
    RAN[call.call_id] += 1
    await asyncio.Event().wait()
    return "never"


NAMES = ["quick", "slow", "plain", "raises", "hangs", "no_such_function"]
ACTIONS = st.one_of(
    st.tuples(st.just("ask"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)),
    st.tuples(st.just("speak"), st.none()),
    st.tuples(st.just("lose"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.005, 0.02])),
)


@dataclass
class Service:
    """Answers every response at once: with the calls that are planned next, else with nothing."""

    planned: list[list[str]] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    outputs: Counter[str] = field(default_factory=Counter)
    """Of this session."""
    delivered: set[str] = field(default_factory=set)
    records: list[ToolCallRecord] = field(default_factory=list)
    linked: bool = True
    responses: int = 0
    active: bool = False
    manager: ConversationManager = field(init=False)

    async def connect(self) -> None:
        self.linked = True
        self.manager.post(ev.LinkReady(session_id="s", model="m", session=SESSION))

    async def disconnect(self) -> None:
        pass

    async def prepare(self) -> None:
        pass

    async def lose(self) -> None:
        """A new session takes longer to open than the box to notice that the old one is gone."""
        self.linked = False
        self.manager.post(ev.LinkLost(reason="gone", retry_in_s=0.0))
        while self.manager.snapshot().state != "connecting":
            await asyncio.sleep(0)
        self.outputs.clear()
        await self.connect()

    def send(self, effect: Any) -> None:
        if not self.linked:
            return
        match effect:
            case fx.CreateFunctionOutput():
                self.outputs[effect.call_id] += 1
                self.delivered.add(effect.call_id)
                self.manager.post(ev.ItemAdded(item_id=effect.item_id, item_type="function_call_output"))
            case fx.CreateMessage():
                self.manager.post(ev.ItemAdded(item_id=effect.item_id, item_type="message", role=effect.role))
            case fx.CreateResponse():
                self.respond(effect)
            case fx.UpdateSession():
                self.manager.post(ev.SessionUpdated(session=SESSION))

    def respond(self, effect: fx.CreateResponse) -> None:
        self.responses += 1
        response_id = f"r{self.responses}"
        names = self.planned.pop(0) if self.planned and effect.calls_functions else []
        calls = tuple(
            ev.FunctionCalled(
                response_id=response_id, item_id=f"i{n}", call_id=f"{response_id}-{n}", name=name, arguments="{}"
            )
            for n, name in enumerate(names)
        )
        self.called += [call.call_id for call in calls]
        self.manager.post(ev.ResponseCreated(response_id=response_id, metadata=effect.metadata))
        for call in calls:
            self.manager.post(call)  # it is told of each twice
        self.manager.post(ev.ResponseDone(response_id=response_id, status="completed", calls=calls))

    def record(self, record: AnyRecord) -> None:
        if isinstance(record, ToolCallRecord):
            self.records.append(record)

    def __getattr__(self, name: str) -> Any:
        """What the audio and the rest of the link would do."""
        return lambda *_, **__: None


async def converse(actions: list[tuple[str, Any]]) -> Service:
    functions = (quick, slow, plain, raises, hangs)
    toolbox = Toolbox([Source(name="here", tools=tuple(make(one, source="here", group="g") for one in functions))])
    toolbox.take(toolbox.look(Wish(offered=["g"], timeout_s=0.05)))
    service = Service()

    def finished(event: ev.ToolFinished) -> None:
        service.manager.post(event)

    runner = ToolRunner(toolbox, finished=finished)
    service.manager = ConversationManager(
        Conversation(Policy(instructions="", turn_detection=ev.TurnDetection(create_response=False))),
        link=service,
        audio=service,
        tools=runner,
        publish=lambda _topic, _data: None,
        record=service.record,
    )
    async with asyncio.TaskGroup() as group:
        lives = [group.create_task(service.manager.run()), group.create_task(runner.run())]
        async with asyncio.timeout(DEADLINE_S):
            await service.manager.command(lambda n: cmd.StartConversation(request_id=n, conversation_id="c"))
            for number, (what, how) in enumerate(actions):
                await act(service, number, what, how)
                await asyncio.sleep(how if what == "wait" else 0)
            while service.manager.snapshot().state != "listening" or service.planned:
                await asyncio.sleep(0.001)
        for life in lives:
            life.cancel()
    return service


async def act(service: Service, number: int, what: str, how: Any) -> None:
    match what:
        case "ask":
            service.planned.append(how)
            service.manager.post(cmd.RequestResponse(request_id=0))
        case "speak":
            service.manager.post(ev.SpeechStarted(item_id=f"u{number}", audio_start_ms=number * 1000))
            service.manager.post(ev.SpeechStopped(item_id=f"u{number}", audio_end_ms=number * 1000 + 900))
            service.manager.post(ev.InputCommitted(item_id=f"u{number}"))
        case "lose":
            await service.lose()


@settings(max_examples=30, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=12))
def test_each_call_runs_once_and_is_answered_once_whatever_happens_meanwhile(actions: list[tuple[str, Any]]) -> None:
    RAN.clear()
    # A last question is asked when all is quiet again, so that nothing that was planned stays uncalled.
    service = asyncio.run(converse([*actions, ("wait", 0.1), ("ask", ["quick"])]))
    assert all(count == 1 for count in RAN.values()), "no function runs twice"
    assert all(count == 1 for count in service.outputs.values()), "no call is answered twice in one session"
    begun = [record.call_id for record in service.records if record.status == "running"]
    ended = [record.call_id for record in service.records if record.status != "running"]
    assert sorted(begun) == sorted(set(begun))
    assert sorted(ended) == sorted(set(ended)), "each has one outcome"
    assert set(begun) <= set(ended), "and each that ran has one"
    assert set(RAN) <= set(begun) <= service.delivered, "and its output was delivered"
    assert begun
