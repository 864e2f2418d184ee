"""What wins: many places say values, later ones override earlier ones, and each value remembers its place.

Owns precedence, the reading of the environment's and the command line's spelling, where a profile belongs, and the
judgement of the whole. Pure: texts and mappings in, settings or every problem out.

A profile is a set of values that people choose by name. One that a file names is laid over that file, because the
shipped file spells out every key and would otherwise hide it. One that is named live, in the environment or by --set
is laid under the values from the same place, which were chosen one by one. Only the profile that wins is laid at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from voicebotd.config import appointments
from voicebotd.config.catalogue import check, keys, sections, show, unknown
from voicebotd.config.credentials import redact
from voicebotd.config.model import FILE_PREFIX, Settings, file_mapping
from voicebotd.errors import ConfigError, Problem

PROFILE_KEY = "conversation.profile"
INSTRUCTIONS_KEY = "session.instructions"
PATH_KEYS = frozenset({"control.socket", "history.path", "tools.directory"})
ENVIRONMENT_PREFIX = "VOICEBOTD_"
SEED_VARIABLES = {
    "AUDIO_INPUT_DEVICE": "audio.input_device",
    "AUDIO_OUTPUT_DEVICE": "audio.output_device",
    "LOG_LEVEL": "log.level",
}
"""The short names that the first program of this family read; the fourth, OPENAI_API_KEY, is no setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One place says one value. `is_text`: it was written where only text can be written."""

    name: str
    value: Any
    source: str
    is_text: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one place says. `is_file`: a profile that it names is laid over it, not under it."""

    assignments: tuple[Assignment, ...] = ()
    problems: tuple[Problem, ...] = ()
    is_file: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    settings: Settings
    sources: Mapping[str, str] = field(default_factory=dict)
    """For every key the place that won; `default` where nobody said anything."""


def document_layer(tree: Mapping[Any, Any], source: str, *, is_file: bool = True) -> Layer:
    """The layer that a parsed YAML document says."""
    assignments: list[Assignment] = []
    problems: list[Problem] = []
    _flatten(tree, "", source, assignments, problems)
    return Layer(assignments=tuple(assignments), problems=tuple(problems), is_file=is_file)


def values_layer(values: Mapping[str, Any], source: str) -> Layer:
    """The layer that dotted keys with their values say."""
    return _layer([Assignment(name=name, value=value, source=source) for name, value in values.items()])


def environment_layer(values: Mapping[str, str], sources: Mapping[str, str]) -> Layer:
    """The layer of `VOICEBOTD_SECTION__KEY` and the short names; the long name wins over the short one.

    Other variables that begin with VOICEBOTD_ are not ours to judge, unless one is a key with too few underscores.
    """
    found: list[Assignment] = []
    problems: list[Problem] = []
    for variable, name in SEED_VARIABLES.items():
        if values.get(variable):
            found.append(Assignment(name=name, value=values[variable], source=sources[variable], is_text=True))
    one_underscore = {name.replace(".", "_"): name for name in keys()}
    for variable in sorted(values):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        rest = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if "__" in rest:
            name = rest.replace("__", ".")
            found.append(Assignment(name=name, value=values[variable], source=sources[variable], is_text=True))
        elif rest in one_underscore:
            meant = ENVIRONMENT_PREFIX + one_underscore[rest].replace(".", "__").upper()
            problems.append(
                Problem(key=variable, message="unknown", source=sources[variable], hint=f"did you mean {meant}?")
            )
    layer = _layer(found)
    return replace(layer, problems=(*problems, *layer.problems))


def command_line_layer(words: Iterable[str]) -> Layer:
    """The layer of `--set KEY=VALUE`."""
    found: list[Assignment] = []
    problems: list[Problem] = []
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            found.append(Assignment(name=name.strip(), value=value, source="--set", is_text=True))
        else:
            problems.append(Problem(key=redact(word), message="is not KEY=VALUE", source="--set"))
    layer = _layer(found)
    return replace(layer, problems=(*problems, *layer.problems))


def without_profile(layer: Layer) -> Layer:
    """Return a profile's layer with a complaint in place of any profile that it names itself."""
    kept = tuple(each for each in layer.assignments if each.name != PROFILE_KEY)
    refused = tuple(
        Problem(key=PROFILE_KEY, message="a profile cannot name a profile", source=each.source)
        for each in layer.assignments
        if each.name == PROFILE_KEY
    )
    return replace(layer, assignments=kept, problems=(*layer.problems, *refused))


def anchored(layer: Layer, directory: PurePath) -> Layer:
    """Return the layer with its relative paths made absolute: they are meant from where they are written."""
    return replace(layer, assignments=tuple(_anchor(each, directory) for each in layer.assignments))


def winner(layers: Sequence[Layer], name: str) -> Assignment:
    """The assignment of this key that wins; where nobody assigns it, its default."""
    found = [each for layer in layers for each in layer.assignments if each.name == name]
    return found[-1] if found else Assignment(name=name, value=keys()[name].default, source="default")


def chosen_profile(layers: Sequence[Layer]) -> Assignment | None:
    """The profile that wins, if there is one and its name can be one; the value is the name."""
    found = winner(layers, PROFILE_KEY)
    value, _ = check(PROFILE_KEY, found.value, found.source, is_text=found.is_text)
    return replace(found, value=value) if value else None


def with_profile(layers: Sequence[Layer], profile: Layer) -> list[Layer]:
    """Return the layers with the winning profile's own layer put where it belongs; one of them must name it."""
    naming = [
        index for index, layer in enumerate(layers) if any(each.name == PROFILE_KEY for each in layer.assignments)
    ]
    index = naming[-1]
    place = index + 1 if layers[index].is_file else index
    return [*layers[:place], profile, *layers[place:]]


def resolve(layers: Sequence[Layer]) -> Resolved:
    """Judge every layer, lowest first, and return what they say together.

    A value that a higher layer hides is judged as well: it would come to light when the higher one goes.

    Raises:
        ConfigError: with every problem of every layer.
    """
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    sources = dict.fromkeys(keys(), "default")
    for layer in layers:
        problems.extend(layer.problems)
        for each in layer.assignments:
            value, problem = check(each.name, each.value, each.source, is_text=each.is_text)
            if problem:
                problems.append(problem)
            else:
                values[each.name] = value
                sources[each.name] = each.source
    problems.extend(_together(values, sources))
    if problems:
        raise ConfigError(problems)
    return Resolved(settings=Settings.model_validate(nested(values)), sources=sources)


def _together(values: Mapping[str, Any], sources: Mapping[str, str]) -> list[Problem]:
    """The complaints about values that are right by themselves and wrong beside each other."""
    return [
        *_file_back_end(values, sources),
        *_noise_before_pause(values, sources),
        *_sound_without_words(values, sources),
        *appointments.problems(values, sources),
    ]


def _noise_before_pause(values: Mapping[str, Any], sources: Mapping[str, str]) -> list[Problem]:
    shortest, pause = "barge_in.min_speech_ms", "barge_in.confirm_after_ms"
    speech_ms, pause_ms = (values.get(name, keys()[name].default) for name in (shortest, pause))
    if speech_ms >= pause_ms:
        return []
    if sources[shortest] == "default":  # the one that somebody wrote is the one to mend
        message = f"{pause_ms} is not allowed; allowed: at most {shortest}, which is {speech_ms}"
        return [Problem(key=pause, message=message, source=sources[pause])]
    message = f"{speech_ms} is not allowed; allowed: at least {pause}, which is {pause_ms}"
    return [Problem(key=shortest, message=message, source=sources[shortest])]


def _sound_without_words(values: Mapping[str, Any], sources: Mapping[str, str]) -> list[Problem]:
    name = "history.recordings"
    if not values.get(name, False):
        return []
    for without in ("history.enabled", "history.transcripts"):
        if not values.get(without, True):
            message = f"true is not allowed; allowed with {without} false: false, since a recording has every word"
            return [Problem(key=name, message=message, source=sources[name])]
    return []


def _file_back_end(values: Mapping[str, Any], sources: Mapping[str, str]) -> list[Problem]:
    name = "audio.input_device"
    device = values.get(name, "default")
    if values.get("audio.backend") != "file" or (isinstance(device, str) and device != "default"):
        return []
    message = f"{show(device)} is not allowed; allowed with audio.backend file: the path of a sound file"
    return [Problem(key=name, message=message, source=sources[name])]


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted keys into maps of maps."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    return tree


def _layer(assignments: Iterable[Assignment]) -> Layer:
    """A layer of assignments that may name anything: those without a key become problems."""
    known: list[Assignment] = []
    problems: list[Problem] = []
    for each in assignments:
        if each.name in keys():
            known.append(each)
        elif each.name in sections():
            problems.append(_is_section(each.name, each.value, each.source))
        else:
            problems.append(unknown(each.name, each.source))
    return Layer(assignments=tuple(known), problems=tuple(problems))


def _flatten(
    tree: Mapping[Any, Any], prefix: str, source: str, assignments: list[Assignment], problems: list[Problem]
) -> None:
    for part, value in tree.items():
        name = f"{prefix}{part}"
        if name in keys():
            assignments.append(Assignment(name=name, value=value, source=source))
        elif name not in sections():
            # Named once, however much is below it.
            problems.append(unknown(name, source))
        elif isinstance(value, Mapping):
            _flatten(value, f"{name}.", source, assignments, problems)
        elif value is not None or prefix:
            # `audio:` with every key below it commented out is an empty section, not a mistake.
            problems.append(_is_section(name, value, source))


def _anchor(each: Assignment, directory: PurePath) -> Assignment:
    if each.name == INSTRUCTIONS_KEY:
        value = file_mapping(each.value)
        if isinstance(value, str) and value.startswith(FILE_PREFIX):
            value = f"{FILE_PREFIX} {directory / value.removeprefix(FILE_PREFIX).strip()}"
        return replace(each, value=value)
    if each.name in PATH_KEYS and isinstance(each.value, str) and each.value not in {"", "auto"}:
        return replace(each, value=str(directory / each.value))
    return each


def _is_section(name: str, value: object, source: str) -> Problem:
    members = [key.removeprefix(f"{name}.") for key in keys() if key.startswith(f"{name}.")]
    message = f"{show(value)} is not allowed; allowed: a map of {', '.join(members)}"
    return Problem(key=name, message=message, source=source)
