"""A small real server by the official package: `town.py stdio`, or `town.py http PORT`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("town")


@server.tool()
async def weather(place: str, days: int = 1) -> str:
    """Tell the weather of a place."""
    return f"{days} days of sun in {place}"


@server.tool()
async def die(note: str) -> str:
    """Have its effect, and die before it is told."""
    with Path(note).open("a") as file:
        file.write("effect\n")
    os._exit(7)


@server.tool()
async def slow(note: str) -> str:
    """Take for ever, and note when it is told to stop."""
    try:
        await asyncio.Event().wait()
    finally:
        Path(note).write_text("stopped")
    return "never"


@server.tool()
async def grow(context: Context) -> str:
    """Have one function more from now on."""

    async def tides() -> str:
        """Tell the tides."""
        return "low"

    server.add_tool(tides)
    await context.notify_tools_changed()  # to those who asked for it
    await context.session.send_tool_list_changed()
    return "grown"


@server.tool()
async def fail() -> str:
    """Raise."""
    raise ToolError("the river is dry")


@server.tool()
async def huge() -> str:
    """Return five million characters."""
    return "x" * 5_000_000


@server.tool(structured_output=False)
async def picture() -> Image:
    """Return a picture."""
    return Image(data=b"\x89PNG", format="png")


@server.tool()
async def surroundings() -> str:
    """Tell the names in its environment, its arguments and its process."""
    return f"{sorted(os.environ)} {os.getpid()}"


@server.tool()
async def breed() -> int:
    """Start a child that does not end by itself."""
    return subprocess.Popen(["sleep", "600"]).pid


if __name__ == "__main__":
    print("town: at your service", file=sys.stderr, flush=True)
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
