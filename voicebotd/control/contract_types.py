"""How a field of the contract describes itself: one documentation for `--help`, OpenRPC, the README and validation.

Owns `doc()` (what a field writes about itself) and `fields_of()` (what everybody reads). Knows no method. Standard
library only: the client imports it and must start in milliseconds.
"""

from dataclasses import MISSING, dataclass, fields
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

Scope = Literal["read", "control", "admin"]
"""`read` and `control`: everybody whom the socket's mode lets in. `admin`: root and the daemon's own user."""
Topic = Literal[
    "state", "turn", "transcript", "response", "tool", "audio.level", "link", "device", "usage", "error", "config"
]
TurnDetectionType = Literal["server_vad", "semantic_vad", "none", "local"]
BargeInMode = Literal["immediate", "confirm", "off"]
EchoControl = Literal["aec", "gate", "half_duplex", "none"]
Eagerness = Literal["auto", "low", "medium", "high"]
Modality = Literal["audio", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]
HistoryFormat = Literal["jsonl", "markdown"]
Pace = Literal["real_time", "fast"]
CapName = Literal["daily", "session"]


def doc(
    text: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    unit: str = "",
    admin: bool = False,
    null_means: Any = None,
) -> dict[str, Any]:
    """Metadata of a contract field. The range is inclusive; choices are the field's `Literal`, never repeated here.

    `admin`: the method needs the admin scope as soon as this field is given (true, or not None).
    `null_means`: the value that a given `null` stands for, where it says something else than an absent field.
    """
    return {
        "doc": text,
        "minimum": minimum,
        "maximum": maximum,
        "unit": unit,
        "admin": admin,
        "null_means": null_means,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One field of a params or result dataclass, ready to be shown or checked."""

    name: str
    type: Any
    """The annotation: `str`, `int`, `float`, `bool`, `Literal`, `list`, `dict`, a dataclass, or a union of these."""
    doc: str
    required: bool
    default: Any
    """None where required."""
    choices: tuple[str, ...]
    """The values of the field's (or of the list's items') `Literal`; empty where anything of the type will do."""
    minimum: float | None
    maximum: float | None
    unit: str
    admin: bool
    null_means: Any

    @property
    def is_list(self) -> bool:
        return any(get_origin(part) is list for part in without_none(self.type))

    @property
    def range_text(self) -> str:
        """`0..1`, `a|b|c` or nothing: the values allowed, as people read them."""
        if self.choices:
            return "|".join(self.choices)
        if self.minimum is None and self.maximum is None:
            return ""
        low, high = ("" if bound is None else f"{bound:g}" for bound in (self.minimum, self.maximum))
        return f"{low}..{high}"


def without_none(annotation: Any) -> tuple[Any, ...]:
    """Return the alternatives of a union (of any type: itself), None left out."""
    if get_origin(annotation) in (UnionType, Union):
        return tuple(part for part in get_args(annotation) if part is not NoneType)
    return (annotation,)


def choices_of(annotation: Any) -> tuple[str, ...]:
    """Return the values of the `Literal` in `X`, `X | None` or `list[X]`; empty when there is none."""
    for part in without_none(annotation):
        if get_origin(part) is Literal:
            return get_args(part)
        if get_origin(part) is list:
            return choices_of(get_args(part)[0])
    return ()


def fields_of(contract_type: Any) -> tuple[FieldSpec, ...]:
    """Return the fields of a params or result dataclass, in the order of declaration (= order by position)."""
    return tuple(
        FieldSpec(
            name=field.name,
            type=field.type,
            doc=field.metadata["doc"],
            required=field.default is MISSING and field.default_factory is MISSING,
            default=_default(field.default, field.default_factory),
            choices=choices_of(field.type),
            minimum=field.metadata["minimum"],
            maximum=field.metadata["maximum"],
            unit=field.metadata["unit"],
            admin=field.metadata["admin"],
            null_means=field.metadata["null_means"],
        )
        for field in fields(contract_type)
    )


def _default(default: Any, factory: Any) -> Any:
    if factory is not MISSING:
        return factory()
    return None if default is MISSING else default


def needs_admin(scope: Scope, params: Any) -> bool:
    """Return whether a call with these (bound) params needs the admin scope."""
    if scope == "admin":
        return True
    return any(field.metadata["admin"] and getattr(params, field.name) not in (None, False) for field in fields(params))
