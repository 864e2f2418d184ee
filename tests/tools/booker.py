"""A process that books. `race`: all its calls at once, when told to; `talk`: one visitor after the other, until killed.

It uses the functions as the daemon makes them, over the database that it is given, and prints a JSON line for each call
that it is about to make and for each answer that it has got.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any

from voicebotd.booking import Booking
from voicebotd.config.appointments import Appointments
from voicebotd.store.database import Database
from voicebotd.tools.appointments import GROUP
from voicebotd.tools.registry import Call, Tool, make_all

SETTINGS = Appointments(
    time_zone="Europe/Berlin",
    open="08:00",
    close="18:00",
    days=["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    horizon_days=400,
)
"""Twenty slots of half an hour a day."""
SLOTS = [f"{8 + slot // 2:02d}:{slot % 2 * 30:02d}" for slot in range(20)]


def say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


async def use(tools: dict[str, Tool], function: str, call_id: str, **arguments: str) -> Any:
    """As the runner does it."""
    return await tools[function].bind(json.dumps(arguments), Call(call_id=call_id, conversation_id="c"))()


async def race(tools: dict[str, Tool], who: str, day: str, calls: int) -> None:
    say(ready=True)
    await asyncio.to_thread(sys.stdin.readline)

    async def wish(number: int) -> None:
        name = f"Visitor {who}{number}"
        arguments = {"service": "consultation", "date": day, "time": SLOTS[number % len(SLOTS)], "name": name}
        answer = await use(tools, "schedule_appointment", f"{who}-{number}", **arguments)
        say(name=name, time=arguments["time"], status=answer["status"], reason=answer.get("reason"), answer=answer)

    await asyncio.gather(*(wish(number) for number in range(calls)))


async def talk(tools: dict[str, Tool], days: list[str], life: str, again: dict[str, Any] | None) -> None:
    """`again`: what the life before was cut off in; the model asks for it once more, by the same call."""
    dice = random.Random(life)
    say(ready=True)
    if again is not None:
        await step(tools, **again)
    for number in range(10_000):
        name = f"Visitor {life} {'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[number % 26]}{number}"
        wish = {"date": dice.choice(days), "time": dice.choice(SLOTS)}
        call_id = f"{life}-{number}"
        made = await step(tools, "schedule_appointment", f"{call_id}-book", service="consultation", name=name, **wish)
        if made["status"] != "booked":
            continue
        theirs = {"name": name, "code": made["appointment"]["code"]}
        if number % 3 == 0:
            wish = {"date": dice.choice(days), "time": dice.choice(SLOTS)}
            await step(tools, "reschedule_appointment", f"{call_id}-move", **theirs, **wish)
        if number % 2 == 0:
            await step(tools, "cancel_appointment", f"{call_id}-cancel", **theirs)


async def step(tools: dict[str, Tool], function: str, call_id: str, **arguments: str) -> Any:
    say(asks={"function": function, "call_id": call_id, **arguments})
    answer = await use(tools, function, call_id, **arguments)
    say(answers=call_id, status=answer["status"], appointment=answer.get("appointment"), name=arguments["name"])
    return answer


async def main(mode: str, path: str, *more: str) -> None:
    database = Database(Path(path))
    await database.open()
    made = make_all(Booking(database, lambda: SETTINGS).tools.functions, source="test", group=GROUP, ours=True)
    tools = {tool.name: tool for tool in made}
    if mode == "race":
        who, day, calls = more
        await race(tools, who, day, int(calls))
    else:
        days, life, again = more
        await talk(tools, json.loads(days), life, json.loads(again))
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
