"""How a script is written, and the reading of it.

A script is a YAML file; `scripts/default.yaml`, `demo.yaml` and `appointments.yaml` are examples.

    greeting: LINE             said where a response is wanted before the visitor has said anything; takes no turn
    turns:                     at least one; each response of the conversation takes the next one
      - hears: TEXT            reported as the transcript of the visitor's speech; without it, how long it was
        says: LINE or [LINE]   what the assistant says, one message for each line
        calls:                 functions that it then calls; the next turn is the answer to their outputs
          - name: TEXT
            arguments: {…}     optional, an object
            server: LABEL      optional: the service itself calls it on that server (a tool of type mcp) …
            output: TEXT       … and this is what comes of it
      - when_text_contains: TEXT    not in the sequence: answers every written message that contains TEXT (in any
        says: …                     case), and takes no turn
    after_last: repeat|last    after the last turn, start again (the default), or stay at the last turn
    idle: LINE                 said after `idle_timeout_ms` of silence; takes no turn
    waiting: LINE              said while a function takes its time, where a client asks for that (`tool_choice: none`
                               before the output is there); takes no turn
    out_of_band: LINE          said outside of the conversation (`conversation: none`); takes no turn

    LINE: TEXT                                     spoken by the bundled clip of exactly these words, else murmured
          {audio: NAME}                            the bundled clip of that name (speech/manifest.yaml)
          {text: TEXT, audio: NAME or PATH}        a clip or any audio file, beside the script unless PATH is absolute

    In TEXT and in arguments, "{function.path.to.value}" stands for a value in the last output of that function.

Owns the format and its errors: a ConfigError that names the file and the key. Knows no session.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from voicebotd.errors import AudioError, ConfigError, Problem
from voicebotd.rehearsal import speech
from voicebotd.rehearsal.brain import Call, Line
from voicebotd.rehearsal.murmur import murmur
from voicebotd.rehearsal.script import Aside, Script, Turn

BUNDLED = Path(__file__).parent / "scripts"
DEFAULT_SCRIPT = BUNDLED / "default.yaml"

_SCRIPT_KEYS = ("greeting", "turns", "after_last", "idle", "waiting", "out_of_band")
_TURN_KEYS = ("hears", "says", "calls", "when_text_contains")


def load_script(path: Path = DEFAULT_SCRIPT) -> Script:
    """Read a script with all its audio. Raises ConfigError for the first thing that is wrong with it."""
    return _Reader(path).read()


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Script:
        document = self._object(self._document(), "script", _SCRIPT_KEYS)
        turns: list[Turn] = []
        asides: list[Aside] = []
        for index, given in enumerate(self._list(document.get("turns"), "turns")):
            key = f"turns[{index}]"
            entry = self._object(given, key, _TURN_KEYS)
            turn = self._turn(entry, key)
            if "when_text_contains" in entry:
                needle = self._text(entry["when_text_contains"], f"{key}.when_text_contains")
                asides.append(Aside(when_text_contains=needle, answer=turn.answer))
            else:
                turns.append(turn)
        if not turns:
            raise self._wrong("turns", "must have a turn without when_text_contains")
        after_last = document.get("after_last", "repeat")
        if after_last not in ("repeat", "last"):
            raise self._wrong("after_last", f"{after_last!r} is neither repeat nor last")
        return Script(
            turns=tuple(turns),
            asides=tuple(asides),
            after_last=after_last,
            greeting=self._line(document["greeting"], "greeting") if "greeting" in document else None,
            idle=self._line(document.get("idle", {"audio": "assistant_idle"}), "idle"),
            waiting=self._line(document.get("waiting", "One moment, please."), "waiting"),
            out_of_band=self._line(document.get("out_of_band", "Noted."), "out_of_band"),
        )

    def _document(self) -> Any:
        try:
            return yaml.safe_load(self._path.read_text(encoding="utf-8"))
        except OSError as error:
            raise self._wrong("script", f"cannot be read: {error.strerror}") from error
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            raise self._wrong("script", "is not YAML: " + " ".join(str(error).split())) from error

    def _turn(self, entry: dict[str, Any], key: str) -> Turn:
        says = entry.get("says", [])
        lines = says if isinstance(says, list) else [says]
        calls = self._list(entry.get("calls", []), f"{key}.calls")
        if not lines and not calls:
            raise self._wrong(key, "needs says or calls")
        return Turn(
            says=tuple(self._line(line, f"{key}.says[{index}]") for index, line in enumerate(lines)),
            calls=tuple(self._call(call, f"{key}.calls[{index}]") for index, call in enumerate(calls)),
            hears=self._text(entry["hears"], f"{key}.hears") if "hears" in entry else "",
        )

    def _call(self, given: Any, key: str) -> Call:
        entry = self._object(given, key, ("name", "arguments", "server", "output"))
        arguments = entry.get("arguments", {})
        if not isinstance(arguments, dict):
            raise self._wrong(f"{key}.arguments", "must be an object")
        try:
            text = json.dumps(arguments, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise self._wrong(f"{key}.arguments", f"is not JSON: {error}") from error
        remote = {each: self._text(entry[each], f"{key}.{each}") for each in ("server", "output") if each in entry}
        return Call(name=self._text(entry.get("name"), f"{key}.name"), arguments=text, **remote)

    def _line(self, given: Any, key: str) -> Line:
        if not isinstance(given, dict):
            text = self._text(given, key)
            recorded = speech.clip_of_text(text)
            return Line(text=text, pcm=recorded.pcm if recorded else murmur(text))
        entry = self._object(given, key, ("text", "audio"))
        audio = self._text(entry.get("audio"), f"{key}.audio")
        if audio in speech.clip_texts():
            clip = speech.clip(audio)
            return Line(text=self._text(entry.get("text", clip.text), f"{key}.text"), pcm=clip.pcm)
        text = self._text(entry.get("text"), f"{key}.text")
        try:
            return Line(text=text, pcm=speech.read_audio(self._path.parent / audio))
        except AudioError as error:
            raise self._wrong(f"{key}.audio", error.message) from error

    def _object(self, given: Any, key: str, allowed: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise self._wrong(key, f"must be an object with {', '.join(allowed)}")
        for name in given:
            if name not in allowed:
                raise self._wrong(f"{key}.{name}", f"is not known here; known are {', '.join(allowed)}")
        return given

    def _list(self, given: Any, key: str) -> list[Any]:
        if not isinstance(given, list):
            raise self._wrong(key, "must be a list")
        return given

    def _text(self, given: Any, key: str) -> str:
        if not isinstance(given, str) or not given:
            raise self._wrong(key, "must be text")
        return given

    def _wrong(self, key: str, message: str) -> ConfigError:
        return ConfigError([Problem(key=key, message=message, source=str(self._path))])
