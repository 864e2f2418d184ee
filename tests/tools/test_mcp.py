"""A real server by the official package, over both transports: offered, called, dying, slow, changing, ended."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from voicebotd.errors import ToolError
from voicebotd.tools.mcp import McpServers, ServerReport
from voicebotd.tools.mcp_spec import Spec, Timing
from voicebotd.tools.outputs import MOST_CHARACTERS
from voicebotd.tools.registry import Call
from voicebotd.tools.runner import Outcome, ToolRunner
from voicebotd.tools.toolbox import Toolbox, Wish

pytestmark = pytest.mark.asyncio
TOWN = Path(__file__).with_name("town.py")
DEADLINE_S = 30.0
QUICK = Timing(connect_s=DEADLINE_S, list_s=2.0, look_again_s=0.3)
Transport = Literal["stdio", "http"]


def no_secret(reference: str) -> str:
    if reference == "env:NOWHERE":
        raise ToolError("env:NOWHERE: there is no such variable")
    return reference.removeprefix("text:")


def stdio(name: str = "town", **more: object) -> Spec:
    return Spec(name=name, command=sys.executable, args=(str(TOWN), "stdio"), **more)


@dataclass
class Town:
    """The toolbox with its servers, as the daemon has them."""

    toolbox: Toolbox = field(default_factory=Toolbox)
    told: asyncio.Event = field(default_factory=asyncio.Event)
    changes: int = 0

    def __post_init__(self) -> None:
        self.toolbox.take(self.toolbox.look(Wish(offered=["x"], timeout_s=DEADLINE_S)))
        serve = self.toolbox.serve

        def note(server: str, source: object) -> None:
            serve(server, source)
            self.told.set()

        self.toolbox.serve = note
        self.toolbox.on_served = self.count
        self.runner = ToolRunner(self.toolbox, finished=lambda _: None)

    def count(self) -> None:
        self.changes += 1

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not reached():
                self.told.clear()
                await self.told.wait()

    async def ready(self, restarts: int = 0) -> None:
        def so() -> bool:
            (report, *_) = self.servers.reports
            return report.state == "ready" and report.restarts >= restarts and report.functions > 0

        await self.until(so)

    @property
    def names(self) -> list[str]:
        return [tool.name for tool in self.toolbox.function_tools]

    @property
    def faults(self) -> list[str]:
        return [str(fault) for fault in self.toolbox.catalogue.faults if fault.source.startswith("mcp ")]

    @property
    def report(self) -> ServerReport:
        return self.servers.reports[0]

    async def call(self, name: str, arguments: str = "{}") -> Outcome:
        return await self.runner.call(f"town__{name}", arguments, Call(call_id="k", conversation_id=""))


@asynccontextmanager
async def town(*specs: Spec, timing: Timing = QUICK, **more: object) -> AsyncIterator[Town]:
    made = Town()
    made.servers = McpServers(made.toolbox, reveal=no_secret, timing=timing, **more)
    made.servers.want(specs)
    lives = [asyncio.create_task(made.servers.run()), asyncio.create_task(made.runner.run())]
    try:
        yield made
    finally:
        await made.servers.disconnect()
        for life in lives:
            life.cancel()
        await asyncio.wait(lives)


class Http:
    """The same server at a port, started and ended by the test."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process: asyncio.subprocess.Process | None = None

    @property
    def spec(self) -> Spec:
        return Spec(name="town", url=f"http://127.0.0.1:{self.port}/mcp")

    async def start(self) -> None:
        null = asyncio.subprocess.DEVNULL
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, str(TOWN), "http", str(self.port), stdout=null, stderr=null
        )

    async def end(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
        if self.process is not None:
            await self.process.wait()


@asynccontextmanager
async def reached_by(transport: Transport) -> AsyncIterator[tuple[Town, Http]]:
    """The town over this transport; over HTTP somebody else has to start it again."""
    http = Http()
    try:
        if transport == "http":
            await http.start()
        async with town(http.spec if transport == "http" else stdio()) as made:
            await made.ready()
            yield made, http
    finally:
        await http.end()


both = pytest.mark.parametrize("transport", ["stdio", "http"])


@both
async def test_its_functions_are_offered_and_called(transport: Transport) -> None:
    async with reached_by(transport) as (made, _):
        assert {"town__weather", "town__slow"} <= set(made.names)
        outcome = await made.call("weather", '{"place": "Ulm", "days": 3}')
        assert (outcome.status, outcome.output) == ("completed", "3 days of sun in Ulm")
        assert made.report.transport == transport


@both
async def test_dying_in_mid_call_is_said_not_repeated_and_survived(transport: Transport, tmp_path: Path) -> None:
    note = tmp_path / "note"
    async with reached_by(transport) as (made, http):
        offered, changes = made.names, made.changes
        outcome = await made.call("die", f'{{"note": "{note}"}}')
        assert outcome.status == "failed"
        assert "whether it had its effect is not known" in outcome.output
        await made.until(lambda: made.report.state != "ready")
        assert made.names == offered
        if transport == "http":
            await http.end()
            await http.start()
        else:
            assert made.report.reason == "ended with exit code 7: town: at your service"
        await made.ready(restarts=1)
        assert (await made.call("weather", '{"place": "Ulm"}')).output == "1 days of sun in Ulm"
        assert note.read_text() == "effect\n"
        assert made.changes == changes, "the model was told other functions although they are the same"


@both
async def test_a_slow_function_is_stopped_at_its_deadline_and_the_server_is_told(
    transport: Transport, tmp_path: Path
) -> None:
    note = tmp_path / "note"
    async with reached_by(transport) as (made, _):
        tool = made.toolbox.catalogue.tools["town__slow"]
        object.__setattr__(tool, "timeout_s", 0.5)
        restarts = made.report.restarts
        outcome = await made.call("slow", f'{{"note": "{note}"}}')
        assert outcome.status == "timed_out"
        async with asyncio.timeout(DEADLINE_S):
            while not note.exists():
                await asyncio.sleep(0.02)
        assert (await made.call("weather", '{"place": "Ulm"}')).status == "completed"
        assert made.report.restarts == restarts


@both
async def test_a_function_that_comes_later_is_offered_at_once(transport: Transport) -> None:
    async with reached_by(transport) as (made, _):
        assert "town__tides" not in made.names
        assert (await made.call("grow")).output == "grown"
        await made.until(lambda: "town__tides" in made.names)
        assert (await made.call("tides")).output == "low"


async def test_what_it_returns_can_be_spoken_about_whatever_it_is() -> None:
    async with town(stdio()) as made:
        await made.ready()
        failed = await made.call("fail")
        assert failed.status == "failed"
        assert "the river is dry" in failed.output
        huge = await made.call("huge")
        assert "Cut: these are the first" in huge.output
        assert len(huge.output) < MOST_CHARACTERS + 200
        assert (await made.call("picture")).output == "[It also returned image/png, which cannot be spoken.]"
        wrong = await made.call("weather", '{"place": 3}')
        assert "place: 3 is not of type 'string'" in wrong.output


async def test_only_what_is_allowed_is_offered_and_what_is_not_there_is_named() -> None:
    async with town(stdio(allow=("weather", "snow"))) as made:
        await made.ready()
        assert made.names == ["town__weather"]
        (fault,) = made.faults
        assert fault.startswith("mcp town: allow names snow, which it does not have")
        assert (await made.call("die", '{"note": "/nowhere"}')).status == "failed"
        assert made.report.state == "ready"


async def test_it_is_told_nothing_of_the_daemons_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-nobody")
    async with town(stdio(env=(("TOKEN", "text:abc"),))) as made:
        await made.ready()
        names = (await made.call("surroundings")).output
        assert "'TOKEN'" in names
        assert "OPENAI_API_KEY" not in names


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (Spec(name="town", command="/nowhere/server"), "ended with exit code 127: /nowhere/server: No such file"),
        (Spec(name="town", command=sys.executable, args=("-c", "")), "ended with exit code 0"),
        (Spec(name="town", command="sleep", args=("600",)), "did not answer within 1 s"),
        (Spec(name="town", command="true", cwd="/nowhere"), "cannot be started: No such file or directory"),
        (Spec(name="town", command="true", env=(("A", "env:NOWHERE"),)), "env:NOWHERE: there is no such variable"),
        (Spec(name="town", url="http://127.0.0.1:9/mcp"), "All connection attempts failed"),
        (Spec(name="town", command="yes"), "wrote 1000 lines that are no messages"),
        (Spec(name="town", command="head", args=("-c", "40000000", "/dev/zero")), "wrote a line of more than 16000000"),
    ],
)
async def test_a_server_that_cannot_be_had_is_named_with_the_reason_and_tried_again(spec: Spec, said: str) -> None:
    async with town(spec, timing=Timing(connect_s=1.0)) as made:
        await made.until(lambda: made.report.state == "waiting")
        assert said in made.report.reason
        assert said in made.faults[0]
        await made.until(lambda: made.report.restarts > 0)


async def test_without_the_extra_it_is_named_with_the_remedy_and_nothing_else_breaks() -> None:
    async with town(stdio(), is_installed=lambda: False) as made:
        await made.until(lambda: bool(made.faults))
        assert made.report.state == "unavailable"
        assert made.report.reason == "pip install 'voicebotd[mcp]'"
        assert "pip install 'voicebotd[mcp]'" in made.faults[0]
        made.servers.want([])
        assert made.faults == []


async def test_other_servers_can_be_wanted_while_one_goes_on_undisturbed() -> None:
    async with town(stdio()) as made:
        await made.ready()
        process = await pid(made)
        made.servers.want([stdio(), stdio("village", allow=("weather",))])
        await made.until(lambda: "village__weather" in made.names)
        assert await pid(made) == process
        made.servers.want([stdio("village", allow=("weather",))])
        assert made.names == ["village__weather"]
        await gone(process)


async def test_a_server_that_is_deaf_while_nothing_is_asked_of_it_is_replaced() -> None:
    async with town(stdio()) as made:
        await made.ready()
        os.kill(await pid(made), signal.SIGSTOP)
        await made.ready(restarts=1)
        assert (await made.call("weather", '{"place": "Ulm"}')).status == "completed"


async def test_a_call_while_it_is_away_is_answered_that_nothing_was_done() -> None:
    async with town(stdio()) as made:
        await made.ready()
        os.kill(await pid(made), signal.SIGKILL)
        await made.until(lambda: made.report.state == "waiting")
        assert made.report.reason.startswith("was killed by signal 9")
        outcome = await made.call("weather", '{"place": "Ulm"}')
        assert "is not there at present" in outcome.output
        assert "nothing was done" in outcome.output


async def test_no_process_is_left_behind_not_even_one_of_the_servers_own() -> None:
    async with town(stdio()) as made:
        await made.ready()
        process, child = await pid(made), int((await made.call("breed")).output)
    await gone(process)
    await gone(child)


async def test_it_dies_with_a_daemon_that_is_killed() -> None:
    """Another process holds the server, and is killed without a word."""
    program = (
        "import asyncio, sys\n"
        "from voicebotd.tools import mcp_stdio\n"
        "async def main():\n"
        "    child = await mcp_stdio.start('town', 'sleep', ['600'], env={}, cwd=None)\n"
        "    print(child.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert daemon.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        process = int(await daemon.stdout.readline())
        while Path(f"/proc/{process}/comm").read_text() != "sleep\n":
            await asyncio.sleep(0.01)
    daemon.kill()
    await daemon.wait()
    await gone(process)


async def pid(made: Town) -> int:
    found = re.search(r"\d+$", (await made.call("surroundings")).output)
    assert found is not None
    return int(found[0])


async def gone(process: int) -> None:
    """Dead, be it as a zombie that waits for a parent other than us."""
    async with asyncio.timeout(DEADLINE_S):
        while alive(process):
            await asyncio.sleep(0.02)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
