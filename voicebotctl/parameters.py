"""From the contract's fields to arguments: help, choices and types are read from its metadata, never written again.

Owns the one way a field becomes an option, a positional argument or the left side of KEY=VALUE. Ranges are told in the
help and checked by the daemon alone, so that there is one wording of "out of range".
"""

from __future__ import annotations

import json
import math
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable, Iterator

from voicebotctl.errors import UsageError

TYPE_CHECKING = False  # as in `typing`, which takes longer to load than all of this program; checkers know the name
if TYPE_CHECKING:
    from typing import Any

    from voicebotd.control.contract_types import FieldSpec


MAX_SECONDS = 1_000_000.0
"""Eleven days. A C timeval holds more, but not infinity."""


class Parameters:
    """The parameters of one method of the contract.

    Making one loads the contract, whose dataclasses take longer to build than all the rest of a run: commands without
    parameters do without.
    """

    def __init__(self, method: str) -> None:
        from voicebotd.control import contract, contract_types  # noqa: PLC0415 (see above)

        fields = contract_types.fields_of(contract.METHODS[method].params_type)
        self._fields = {field.name: _Field(field, contract_types.without_none(field.type)) for field in fields}

    def option(self, parser: ArgumentParser, name: str) -> None:
        """Add `--name`; a switch that is on by default becomes `--no-name`. Not given, it is not in the namespace."""
        field = self._fields[name]
        flag = name.replace("_", "-")
        if field.types != (bool,):
            shown: dict[str, Any] = (
                {"help": field.spec.doc} if field.spec.choices else {"help": field.help, "metavar": name.upper()}
            )
            parser.add_argument(f"--{flag}", dest=name, **shown, **field.reading)
        elif field.spec.default is True:
            parser.add_argument(f"--no-{flag}", dest=name, action="store_false", help=f"do not: {field.help}")
        else:
            parser.add_argument(f"--{flag}", dest=name, action="store_true", help=field.help)

    def positional(self, parser: ArgumentParser, name: str, **changes: Any) -> None:
        """Add a positional argument; `changes` are `add_argument`'s (nargs, metavar)."""
        field = self._fields[name]
        if "nargs" in changes:
            # The parsers' own default, SUPPRESS, would be read as if somebody had typed it.
            changes["default"] = None
        if field.spec.choices and changes.get("nargs") == "*":
            # argparse holds "nothing given" against `choices`, and finds it missing there.
            changes.update(choices=None, type=_as_argument_type(field.choose))
        parser.add_argument(name, **{"metavar": name.upper(), "help": field.help, **field.reading, **changes})

    def assignments(self, parser: ArgumentParser, *, without: Iterable[str]) -> None:
        """Add `KEY=VALUE...`, read into the namespace's `assigned`; its help lists every key but those `without`."""
        keys = [f"{name}: {field.help}" for name, field in self._fields.items() if name not in without]
        parser.add_argument("assigned", nargs="*", default=None, metavar="KEY=VALUE", help="; ".join(keys))

    def assigned(self, assignments: Iterable[str], *, without: Iterable[str]) -> dict[str, Any]:
        """Read `KEY=VALUE`s whose keys are parameters of the method.

        Raises `UsageError` for an unknown key (with the nearest known one) and for a value of another type.
        """
        known = {name: field for name, field in self._fields.items() if name not in without}
        values = {}
        for key, text in split(assignments):
            if key not in known:
                raise UsageError(f"{key}={text}: unknown key", hint=nearest(key, known))
            values[key] = known[key].read(text)
        return values


class _Field:
    """One parameter as people type it."""

    def __init__(self, spec: FieldSpec, types: tuple[Any, ...]) -> None:
        self.spec = spec
        self.types = types

    @property
    def help(self) -> str:
        limits = " ".join(part for part in (self.spec.range_text, self.spec.unit) if part)
        return (f"{self.spec.doc} ({limits})" if limits else self.spec.doc).replace("%", "%%")

    @property
    def reading(self) -> dict[str, Any]:
        """What argparse needs to read it."""
        if self.spec.choices:
            return {"choices": self.spec.choices}
        return {"type": _as_argument_type(self.read)}

    def choose(self, text: str) -> str:
        """Return `text` if it is one of the choices."""
        if text not in self.spec.choices:
            raise UsageError(f"{text}: unknown, {nearest(text, self.spec.choices)}")
        return text

    def read(self, text: str) -> Any:
        """Return the value that `text` stands for; which values are allowed is for the daemon to say."""
        if text == "null" and self.spec.null_means is not None:
            return self.spec.null_means
        if text == "null" and str not in self.types:
            # In the contract null means "leave it alone": from a person it would look like a change and be none.
            raise UsageError(f"{self.spec.name}={text}: null changes nothing", hint=self.spec.doc)
        for type_ in self.types:
            value = _read_as(type_, text)
            if value is not None:
                return value
        wanted = " or ".join(_TYPE_NAMES[type_] for type_ in self.types if type_ in _TYPE_NAMES)
        limits = f", {self.spec.range_text} {self.spec.unit}".rstrip() if self.spec.range_text else ""
        raise UsageError(f"{self.spec.name}={text}: not {wanted}{limits}")


_TYPE_NAMES = {int: "a whole number", float: "a number", bool: "true or false"}


def _read_as(type_: Any, text: str) -> Any:
    """Return `text` as a value of the type, None when it is none."""
    if type_ is bool:
        return {"true": True, "false": False}.get(text)
    if type_ not in (int, float):
        return text
    try:
        number = type_(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _as_argument_type(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def reader(text: str) -> Any:
        try:
            return read(text)
        except UsageError as error:
            raise ArgumentTypeError(error.message) from None

    return reader


def seconds(text: str) -> float:
    """Read a duration for argparse: more than 0 s, at most `MAX_SECONDS`."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_SECONDS:
        raise ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def given(args: Namespace, *names: str) -> dict[str, Any]:
    """Return those of `names` that the command line gave."""
    return {name: value for name in names if (value := getattr(args, name, None)) is not None}


def split(assignments: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (key, value) of each `KEY=VALUE`. Raises `UsageError` where the `=` or the key is missing."""
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not key or not equals:
            raise UsageError(f"{assignment}: not KEY=VALUE")
        yield key, text


def json_or_text(text: str) -> Any:
    """Return what `text` says in JSON (which has no NaN and no Infinity), or `text` itself where it is not JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the known word most like `word`, or all of them."""
    import difflib  # noqa: PLC0415 (only a mistake needs it)

    known = list(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
