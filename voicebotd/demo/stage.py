"""What the demonstration shows on the terminal while it happens, in the words of `voicebotctl watch`.

Owns when the assistant's words are shown: as soon as all are known, while they are still being spoken. Knows no
conversation, only what it publishes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TextIO

from voicebotctl.narrate import narrated
from voicebotctl.render import Style, one_line, said


class Stage:
    """Colours only on a terminal, and not where `NO_COLOR` is set."""

    def __init__(self, out: TextIO, environ: Mapping[str, str]) -> None:
        self._out = out
        self._style = Style.of(out, environ)
        self._words: dict[str, str] = {}
        """What the assistant is writing and has not been shown, by item."""
        self._heard = ""
        """What was heard of the answer that was cut last."""

    def say(self, text: str) -> None:
        """A line of the demonstration itself."""
        self._write(self._style.paint(text, "bold"))

    def observe(self, topic: str, data: dict[str, Any]) -> None:
        """Show an event as the conversation publishes it."""
        if topic == "transcript" and data["role"] == "assistant":
            self._note(data)
            return
        if topic == "response" and data["event"] in ("done", "interrupted"):
            self._speak()
        text = narrated({"topic": topic, "data": data, "time": time.time()}, self._style)
        if topic == "response" and data["event"] == "interrupted":
            text += self._style.paint(f"; heard: {self._heard or 'nothing'} …", "yellow")
        if text:
            self._write(text)

    def _note(self, data: dict[str, Any]) -> None:
        if not data["final"]:
            item_id = data["item_id"]
            self._words[item_id] = self._words.get(item_id, "") + data["delta"]
        elif data["interrupted"]:
            self._heard = one_line(data["heard_text"])

    def _speak(self) -> None:
        for text in self._words.values():
            self._write(f"{'':8} {said({'role': 'assistant', 'text': text}, self._style)}")
        self._words.clear()

    def _write(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()
