"""Every call comes to an answer that the model can speak about, whatever the function does."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from voicebotd.conversation.effects import RunTool
from voicebotd.conversation.events import ToolFinished
from voicebotd.errors import ToolError
from voicebotd.tools import workshop as workshop_module
from voicebotd.tools.catalogue import Source
from voicebotd.tools.outputs import MOST_CHARACTERS
from voicebotd.tools.registry import Call, make, tool
from voicebotd.tools.runner import ToolRunner
from voicebotd.tools.toolbox import Toolbox, Wish
from voicebotd.tools.workshop import Workshop

DEADLINE_S = 10.0
CALL = Call(call_id="by hand", conversation_id="")
pytestmark = pytest.mark.asyncio


@dataclass
class Bench:
    toolbox: Toolbox
    runner: ToolRunner = field(init=False)
    finished: list[ToolFinished] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.runner = ToolRunner(self.toolbox, finished=self.note)

    def note(self, finished: ToolFinished) -> None:
        self.finished.append(finished)
        self.news.set()

    def start(self, name: str, arguments: str = "{}", call_id: str = "k") -> None:
        self.runner.start(RunTool(call_id=call_id, conversation_id="c", name=name, arguments=arguments))

    async def answers(self, count: int = 1) -> list[ToolFinished]:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.finished) < count:
                self.news.clear()
                await self.news.wait()
        return self.finished

    async def answer(self, name: str, arguments: str = "{}") -> ToolFinished:
        self.start(name, arguments)
        return (await self.answers())[0]


@asynccontextmanager
async def bench(
    *functions: Callable[..., Any], ours: bool = False, timeout_s: float = 5.0, **options: Any
) -> AsyncIterator[Bench]:
    tools = tuple(make(function, source="here", group="g", ours=ours) for function in functions)
    toolbox = Toolbox([Source(name="here", tools=tools)])
    toolbox.take(toolbox.look(Wish(offered=options.get("offered", ["g"]), timeout_s=timeout_s)))
    made = Bench(toolbox)
    life = asyncio.create_task(made.runner.run())
    await asyncio.sleep(0)
    try:
        yield made
    finally:
        life.cancel()
        await asyncio.wait({life})


def error(finished: ToolFinished) -> str:
    text: str = json.loads(finished.output)["error"]
    return text


async def greet(name: str, call: Call) -> dict[str, str]:
    """Greet."""
    return {"hello": name, "call": call.call_id, "in": threading.current_thread().name}


async def fails() -> None:
    """Fail."""
    raise ValueError("the password is hunter2")


async def refuses() -> None:
    """Refuse."""
    raise ToolError("The shop is closed on Sundays.")


async def leaves() -> None:
    """Leave."""
    sys.exit(3)


async def gives_up() -> None:
    """Cancel itself."""
    raise asyncio.CancelledError


async def five_megabytes() -> str:
    """Tell all."""
    return "x" * 5_000_000


async def nonsense() -> object:
    """Tell what cannot be told."""
    return object()


async def hangs() -> None:
    """Hang."""
    await asyncio.Event().wait()


async def impatient() -> None:
    """Time out by itself."""
    raise TimeoutError


def plain(name: str) -> str:
    """Greet without haste."""
    return f"{name} in {threading.current_thread().name}"


def hidden(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@hidden
async def disguised(name: str) -> str:
    """An async function that looks like a plain one."""
    await asyncio.sleep(0)
    return name


async def test_an_async_function_that_is_not_ours_runs_apart_and_its_result_is_told() -> None:
    async with bench(greet) as at:
        done = await at.answer("greet", '{"name": "Ada"}')
    assert (done.call_id, done.status) == ("k", "completed")
    assert json.loads(done.output) == {"hello": "Ada", "call": "k", "in": "tools"}


async def test_one_of_ours_runs_in_the_daemons_own_loop() -> None:
    async with bench(greet, ours=True) as at:
        done = await at.answer("greet", '{"name": "Ada"}')
    assert json.loads(done.output)["in"] == threading.current_thread().name


async def test_a_plain_function_runs_in_a_thread_and_so_does_one_that_only_looks_plain() -> None:
    async with bench(plain, disguised) as at:
        at.start("plain", '{"name": "Ada"}', "k1")
        at.start("disguised", '{"name": "Bob"}', "k2")
        outputs = {done.call_id: done.output for done in await at.answers(2)}
    assert outputs == {"k1": "Ada in tool", "k2": "Bob"}


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize(
    ("function", "words"),
    [
        (refuses, "The shop is closed on Sundays."),
        (fails, "The function fails failed."),
        (nonsense, "returned what cannot be told (object)"),
        (impatient, "The function impatient failed."),
    ],
)
async def test_a_failure_is_an_answer_and_tells_no_secrets(
    function: Callable[..., Any], words: str, ours: bool
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with bench(function, ours=ours) as at:
            done = await at.answer(function.__name__)
    assert "hunter2" not in str([entry for entry in logs if entry["log_level"] != "debug"])
    assert done.status == "failed"
    assert words in error(done)
    assert "hunter2" not in done.output


async def bursts() -> None:
    """Fail in several ways at once."""
    raise BaseExceptionGroup("several", [asyncio.CancelledError(), ValueError("hunter2")])


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("function", [gives_up, bursts])
async def test_a_cancellation_of_its_own_making_is_a_failure_like_any_other(
    function: Callable[..., Any], ours: bool
) -> None:
    async with bench(function, ours=ours) as at:
        assert (await at.answer(function.__name__)).status == "failed"


async def test_a_function_that_fails_because_it_is_cancelled_bothers_nobody() -> None:
    begun = asyncio.Event()

    async def stumbles() -> None:
        """Fail on the way out."""
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            raise ValueError("late")

    async with bench(stumbles, greet, ours=True) as at:
        at.start("stumbles", call_id="k1")
        await begun.wait()
        at.runner.cancel("k1")
        at.start("greet", '{"name": "Ada"}', "k2")
        assert [one.call_id for one in await at.answers()] == ["k2"]


@pytest.mark.parametrize("function", [leaves, gives_up])
async def test_a_function_that_wants_to_end_everything_ends_its_own_call_only(function: Callable[..., Any]) -> None:
    async with bench(function, greet) as at:
        assert (await at.answer(function.__name__)).status == "failed"
        at.start("greet", '{"name": "Ada"}')
        assert (await at.answers(2))[1].status == "completed"


async def test_a_plain_function_that_wants_to_end_everything_ends_its_own_call_only() -> None:
    def leave() -> None:
        """Leave."""
        sys.exit(3)

    async with bench(leave) as at:
        assert (await at.answer("leave")).status == "failed"


@pytest.mark.parametrize("ours", [True, False])
async def test_megabytes_are_cut(ours: bool) -> None:
    async with bench(five_megabytes, ours=ours) as at:
        done = await at.answer("five_megabytes")
    assert done.status == "completed"
    assert len(done.output) < MOST_CHARACTERS + 200
    assert "of 5000000 characters" in done.output


async def test_wrong_arguments_and_unknown_names_are_answers() -> None:
    async with bench(greet, plain, offered=["greet"]) as at:
        at.start("greet", '{"name": 7}', "k1")
        at.start("great", "{}", "k2")
        at.start("plain", '{"name": "Ada"}', "k3")
        done = {one.call_id: error(one) for one in await at.answers(3)}
    assert "name: Input should be a valid string, not 7" in done["k1"]
    assert done["k2"] == "There is no function 'great'. There is only: greet."
    assert done["k3"].startswith("There is no function 'plain'"), "it is not offered to the model"


@pytest.mark.parametrize("ours", [True, False])
async def test_a_function_that_hangs_is_stopped_at_its_deadline(ours: bool) -> None:
    async with bench(hangs, ours=ours, timeout_s=0.1) as at:
        done = await at.answer("hangs")
    assert done.status == "timed_out"
    assert "did not answer within 0.1 s" in error(done)
    assert done.duration_ms >= 100


async def test_a_function_may_have_a_deadline_of_its_own() -> None:
    @tool(timeout_s=0.05)
    async def brief() -> None:
        """Hang."""
        await asyncio.Event().wait()

    async with bench(brief, timeout_s=60) as at:
        assert "within 0.05 s" in error(await at.answer("brief"))


async def test_twenty_at_once_are_all_answered_and_only_so_many_run_together() -> None:
    running = most = 0

    async def busy() -> str:
        """Take a moment."""
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return "done"

    async with bench(busy, ours=True) as at:
        for number in range(20):
            at.start("busy", call_id=str(number))
        answers = await at.answers(20)
    assert {one.call_id for one in answers} == {str(number) for number in range(20)}
    assert {one.output for one in answers} == {"done"}
    assert most == ToolRunner.AT_ONCE


async def test_more_than_can_wait_are_told_that_they_were_not_run() -> None:
    ran = []
    gate = asyncio.Event()

    async def waits() -> None:
        """Wait."""
        ran.append(1)
        await gate.wait()

    async with bench(waits, ours=True) as at:
        for number in range(ToolRunner.MOST + 3):
            at.start("waits", call_id=str(number))
        refused = list(await at.answers(3))
        gate.set()
        answers = await at.answers(ToolRunner.MOST + 3)
    assert all("this one was not run" in error(one) for one in refused)
    assert (len(ran), at.runner.refused) == (ToolRunner.MOST, 3)
    assert sum(one.status == "completed" for one in answers) == ToolRunner.MOST


async def test_the_time_in_the_queue_counts_because_the_visitor_waits() -> None:
    async with bench(hangs, ours=True, timeout_s=0.2) as at:
        began_s = time.monotonic()
        for number in range(ToolRunner.AT_ONCE + 1):
            at.start("hangs", call_id=str(number))
        answers = await at.answers(ToolRunner.AT_ONCE + 1)
        assert time.monotonic() - began_s < 0.39
    assert {one.status for one in answers} == {"timed_out"}


async def test_what_is_cancelled_is_stopped_and_nobody_is_told() -> None:
    stopped = asyncio.Event()

    async def waits() -> None:
        """Wait."""
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with bench(waits, greet, ours=True) as at:
        at.start("waits", call_id="k1")
        await asyncio.sleep(0)
        at.runner.cancel("k1")
        at.runner.cancel("never heard of")
        async with asyncio.timeout(DEADLINE_S):
            await stopped.wait()
        at.start("greet", '{"name": "Ada"}', "k2")
        assert [one.call_id for one in await at.answers()] == ["k2"]


async def test_after_the_end_a_call_is_answered_that_it_was_not_run() -> None:
    async with bench(greet) as at:
        pass
    at.start("greet", '{"name": "Ada"}')
    (done,) = at.finished
    assert (done.status, error(done)) == ("cancelled", "The functions have been stopped.")


async def test_a_person_may_call_what_the_model_does_not_see() -> None:
    async with bench(greet, offered=[]) as at:
        called = await at.runner.call("greet", '{"name": "Ada"}', CALL)
        assert called.status == "completed"
        assert json.loads(called.output)["call"] == "by hand"
        assert (await at.runner.call("great", "{}", CALL)).output == (
            '{"error": "There is no function \'great\'. There is only: greet."}'
        )
        assert at.finished == []


async def test_who_has_to_mend_a_function_is_told_what_it_raised_and_where() -> None:
    with structlog.testing.capture_logs() as logs:
        async with bench(fails) as at:
            await at.answer("fails")
    (entry,) = [entry for entry in logs if entry["event"] == "a function failed"]
    assert (entry["name"], entry["source"], entry["error"]) == ("fails", "here", "ValueError")
    assert entry["at"].startswith(f"{__file__}:")


# What does not yield.


@asynccontextmanager
async def held() -> AsyncIterator[tuple[Callable[..., Any], Callable[..., Any]]]:
    """An async and a plain function that never yield, until this is left."""
    let_go = threading.Event()

    async def stubborn() -> str:
        """Hold the thread."""
        let_go.wait()
        return "late"

    def obstinate() -> str:
        """Hold a thread."""
        let_go.wait()
        return "late"

    try:
        yield stubborn, obstinate
    finally:
        let_go.set()


@pytest.fixture
def impatient_workshop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workshop, "HEARS_WITHIN_S", 0.1)
    monkeypatch.setattr(Workshop, "ENDS_WITHIN_S", 0.1)


@pytest.mark.usefixtures("impatient_workshop")
async def test_a_function_that_never_yields_stops_neither_the_daemon_nor_the_next_function() -> None:
    async with held() as (stubborn, _), bench(stubborn, greet, timeout_s=0.3) as at:
        at.start("stubborn", call_id="k1")
        ticks = 0
        while not at.finished:
            await asyncio.sleep(0.01)
            ticks += 1
        assert ticks > 10, "the daemon's loop went on"
        assert at.finished[0].status == "timed_out"
        health = at.runner.health_check()
        assert not health.ok
        assert "1 functions were stopped and have not ended" in health.reason
        at.start("greet", '{"name": "Ada"}', "k2")
        assert (await at.answers(2))[1].status == "completed"


@pytest.mark.usefixtures("impatient_workshop")
async def test_a_function_that_finds_the_thread_held_is_run_in_another_and_once() -> None:
    ran: list[str] = []

    async def counts() -> str:
        """Count."""
        ran.append("once")
        return "counted"

    async with held() as (stubborn, _), bench(stubborn, counts, timeout_s=5) as at:
        at.start("stubborn", call_id="k1")
        await asyncio.sleep(0.05)
        at.start("counts", call_id="k2")
        answers = await at.answers(2)
        assert "1 functions were stopped" in at.runner.health_check().reason, "it holds its thread still"
    by_id = {one.call_id: one for one in answers}
    assert by_id["k2"].output == "counted"
    assert by_id["k1"].status == "failed"
    assert error(by_id["k1"]).startswith(workshop_module.LOST[:30])
    await asyncio.sleep(0.1)
    assert ran == ["once"]


@pytest.mark.usefixtures("impatient_workshop")
async def test_a_plain_function_that_hangs_is_left_behind_and_its_late_result_is_nobodys() -> None:
    async with held() as (_, obstinate), bench(obstinate, timeout_s=0.1) as at:
        assert (await at.answer("obstinate")).status == "timed_out"
        assert at.runner.health_check().state == "stuck"
    await asyncio.sleep(0.1)
    assert len(at.finished) == 1
    assert at.runner.health_check().ok


@pytest.mark.usefixtures("impatient_workshop")
async def test_when_too_many_do_not_end_no_more_are_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workshop, "MOST_STUCK", 1)
    async with held() as (_, obstinate), bench(obstinate, greet, timeout_s=0.1) as at:
        await at.answer("obstinate")
        at.start("greet", '{"name": "Ada"}', "k2")
        assert "1 functions that were stopped have not ended" in error((await at.answers(2))[1])


@pytest.mark.usefixtures("impatient_workshop")
async def test_a_function_that_fails_when_nobody_waits_any_more_bothers_nobody() -> None:
    let_go = threading.Event()

    def late() -> None:
        """Fail late."""
        let_go.wait()
        raise ValueError("late")

    with structlog.testing.capture_logs() as logs:
        async with bench(late, timeout_s=0.05) as at:
            await at.answer("late")
            let_go.set()
            while at.runner.health_check().state == "stuck":
                await asyncio.sleep(0.01)
    assert [entry["event"] for entry in logs] == ["a function did not answer in time", "function called"]


@pytest.mark.usefixtures("impatient_workshop")
async def test_a_function_that_ignores_its_cancellation_holds_no_thread_and_is_counted() -> None:
    released = threading.Event()

    async def deaf() -> str:
        """Go on."""
        while not released.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        return "at last"

    async with bench(deaf, greet, timeout_s=0.1) as at:
        assert (await at.answer("deaf")).status == "timed_out"
        assert at.runner.health_check().state == "stuck"
        at.start("greet", '{"name": "Ada"}', "k2")
        assert (await at.answers(2))[1].status == "completed"
        released.set()


async def test_what_is_broken_is_told_by_the_health() -> None:
    async with bench(greet, offered=["greet", "nobody", "nothing"]) as at:
        health = at.runner.health_check()
    assert (health.ok, health.state) == (False, "faulty")
    assert "'nobody' is neither a function nor a group of functions" in health.reason
    assert health.reason.endswith("(and 1 more)")
    async with bench(greet, offered=["greet", "nobody"]) as at:
        assert not at.runner.health_check().reason.endswith("more)")
    async with bench(greet) as at:
        assert at.runner.health_check().ok
