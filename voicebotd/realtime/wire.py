"""What one session says and hears in its server's dialect: effects become client events, server events become ours.

Owns the state that a dialect needs while a session lasts: the shape that the server showed, the rates, the streams
between them, what it was found to lack. Everything is first written in the GA shape. Knows no socket and no
conversation. Pure.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, replace

from voicebotd.conversation.effects import (
    AppendAudio,
    CreateFunctionCall,
    CreateFunctionOutput,
    ToService,
    UpdateSession,
)
from voicebotd.conversation.events import (
    BYTES_PER_MS,
    SAMPLE_RATE_HZ,
    AudioDelta,
    AudioDone,
    ServerError,
    SessionView,
    TurnDetection,
)
from voicebotd.realtime.dialects import Dialect, Shape
from voicebotd.realtime.encode import append_audio, encode
from voicebotd.realtime.features import FEATURES, feature_of, in_words
from voicebotd.realtime.fields import JsonObject
from voicebotd.realtime.granted import confirm
from voicebotd.realtime.protocol import Decoded, SessionTold, decode
from voicebotd.realtime.resampling import RateConverter
from voicebotd.realtime.session import RemoteServer, SessionConfig, live_update, wire
from voicebotd.realtime.shapes import (
    flat,
    flat_message,
    lifted,
    looks_flat,
    lookup,
    nested_tools,
    put,
    rate_hz,
    told_in_ga,
    without,
)

NOT_SUPPORTED = "not_supported"
"""The code of the errors that we give in the name of a server that could only have answered with one."""

_OPENAI_MODEL = re.compile(r"(gpt-|whisper-1$)")
_OPENAI_VOICES = frozenset(["alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse"])
_UNKNOWN_TO_IT = re.compile(
    r"(unknown|unsupported|unrecogni[sz]ed|invalid)[ _](client[ _]|or[ _]invalid[ _])?event"
    r"|not (yet )?(supported|implemented)"
)
_MOST_ASKED = 64
"""Messages that are remembered until an error about them could still come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """A message that this server could do nothing with. `answer`: for whoever waits for what became of it."""

    feature: str
    answer: ServerError | None = None


class Wire:
    """One for each session."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._shape: Shape | None = dialect.shape
        self._lacks = set(dialect.lacks)
        self._asked: OrderedDict[str, str] = OrderedDict()
        self._untold_calls: set[str] = set()
        self._remote_servers: tuple[RemoteServer, ...] = ()
        self._sent_bytes = 0
        self._sounding: AudioDelta | None = None
        self._rates_hz = (dialect.input_rate_hz, dialect.output_rate_hz)
        self._up, self._down = _converters(*self._rates_hz)

    # --- What it is like --------------------------------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """How messages are written; until the server has shown otherwise, GA."""
        return self._shape or "ga"

    @property
    def lacks(self) -> frozenset[str]:
        """Names of the features that this server does not have."""
        return frozenset(self._lacks) | (_NOT_IN_BETA if self.shape == "beta" else frozenset())

    def missing(self, config: SessionConfig) -> tuple[str, ...]:
        """Return in words what is missing; a setting only where it is wanted."""
        session = wire(config)
        return tuple(in_words(name) for name in FEATURES if name in self.lacks and _is_wanted(name, session))

    def unconfirmed(self) -> None:
        """No `session.updated` comes."""
        self._lacks.add("confirmation")

    # --- What is said -----------------------------------------------------------------------------------------------

    def opening(self, config: SessionConfig) -> JsonObject:
        """Return the `session.update` that opens the session."""
        self._remote_servers = config.remote_servers
        return {"type": "session.update", "session": self._shaped(self._asked_for(config))}

    def encode(self, effect: ToService | UpdateSession) -> JsonObject | Unsent:
        """Return the client event for `effect`, or why there is none."""
        if isinstance(effect, AppendAudio):
            return self.append_audio(effect.pcm)
        if isinstance(effect, UpdateSession):
            return self._update(effect)
        feature = feature_of(effect)
        if feature is not None and feature in self.lacks:
            return self._unsent(effect, feature)
        if isinstance(effect, CreateFunctionOutput) and effect.call_id in self._untold_calls:
            return Unsent(feature="messages")
        if feature is not None:
            self._remember(effect.event_id, feature)
        message = encode(effect)
        if "response" in message:
            message = self._possible_create(message)
        return flat_message(message) if self.shape == "beta" else message

    def append_audio(self, pcm: bytes) -> JsonObject:
        """Return the client event that carries microphone audio (24 kHz, 16 bit, mono)."""
        self._sent_bytes += len(pcm)
        return append_audio(self._up.push(pcm))

    def _unsent(self, effect: ToService, feature: str) -> Unsent:
        if isinstance(effect, CreateFunctionCall):
            self._untold_calls.add(effect.call_id)
        answer = _refusal(feature, effect.event_id) if FEATURES[feature].answered else None
        return Unsent(feature=feature, answer=answer)

    def _possible_create(self, message: JsonObject) -> JsonObject:
        """A `response.create` without the overrides of what this server lacks; an empty rest is left out."""
        overrides = [(name,) for feature, name in _OVERRIDES.items() if feature in self.lacks]
        response = without(message["response"], overrides)
        return {**message, "response": response} if response else without(message, [("response",)])

    def _update(self, effect: UpdateSession) -> JsonObject | Unsent:
        if effect.turn_detection is not None and self._cannot_end(effect.turn_detection):
            return Unsent(feature="commit", answer=_refusal("commit", effect.event_id))
        if effect.turn_detection is not None:
            effect = replace(effect, turn_detection=self._detection(effect.turn_detection))
        update = live_update(effect, self._remote_servers)
        return {**update, "session": self._shaped(self._possible(update["session"]))}

    def _asked_for(self, config: SessionConfig) -> JsonObject:
        """The session that this server is asked for, in the GA shape.

        One that ends every turn by itself is asked to do so: left without detection nobody would end any.
        """
        session = self._possible(wire(replace(config, turn_detection=self._detection(config.turn_detection))))
        for direction, hz in (("input", self._dialect.input_rate_hz), ("output", self._dialect.output_rate_hz)):
            put(session, ("audio", direction, "format"), {"type": "audio/pcm", "rate": hz})
        return _without_openai_names(session) if self._dialect.own_names else session

    def _cannot_end(self, detection: TurnDetection) -> bool:
        """Whether turns would have to be ended by hand, and this server does not let anybody."""
        return detection.type in ("none", "local") and "commit" in self.lacks

    def _detection(self, wanted: TurnDetection) -> TurnDetection:
        """The nearest to `wanted` that this server has."""
        other = self._cannot_end(wanted) or (wanted.type == "semantic_vad" and "semantic_vad" in self.lacks)
        return replace(wanted, type="server_vad") if other else wanted

    def _possible(self, session: JsonObject) -> JsonObject:
        lacking = (FEATURES[name].setting for name in self.lacks)
        kept = without(session, [path for path in lacking if path])
        absent = {FEATURES[name].tool_type for name in self.lacks} - {""}
        if absent and "tools" in kept:
            kept["tools"] = [tool for tool in kept["tools"] if tool["type"] not in absent]
        return kept

    def _shaped(self, session: JsonObject) -> JsonObject:
        shaped = (
            flat(session, pcm=self._dialect.beta_pcm)
            if self.shape == "beta"
            else lifted(session, self._dialect.at_the_top)
        )
        return nested_tools(shaped) if self._dialect.nested_tools else shaped

    def _remember(self, event_id: str, feature: str) -> None:
        self._asked[event_id] = feature
        if len(self._asked) > _MOST_ASKED:
            self._asked.popitem(last=False)

    # --- What is heard ----------------------------------------------------------------------------------------------

    def decode(self, message: JsonObject) -> tuple[Decoded, ...]:
        """Return what one server event means to us, in order."""
        name = message.get("type")
        if name in self._dialect.opens_with and name != "session.created":
            return (SessionTold(name="created", session={}),)
        if (position := _POSITIONS.get(str(name))) is not None and message.get(position) is None:
            message = {**message, position: self._sent_bytes // BYTES_PER_MS}
        match decode(message):
            case SessionTold() as told:
                return (replace(told, session=self._in_ga(told)),)
            case AudioDelta() as delta:
                return self._converted(delta)
            case AudioDone() as done:
                return (*self._rest(), done)
            case ServerError() as error:
                self._learn(error)
                return (error,)
            case decoded:
                return (decoded,)

    def confirm(self, wanted: SessionConfig, told: JsonObject) -> tuple[SessionView, tuple[str, ...]]:
        """Return the session as the server has it, and a sentence for each thing that is not as it was asked to be."""
        view, differences = confirm(wanted, told, without(self._asked_for(wanted), [("type",)]))
        detection = view.turn_detection
        if detection is not None:
            detection = replace(
                detection,
                create_response=detection.create_response or "create_response" in self.lacks,
                interrupt_response=detection.interrupt_response or "interrupt_response" in self.lacks,
            )
            view = replace(view, turn_detection=detection)
        return view, () if "confirmation" in self.lacks else differences

    def _in_ga(self, told: SessionTold) -> JsonObject:
        dialect = self._dialect
        if self._shape is None and (looks := looks_flat(told.session)) is not None:
            self._shape = "beta" if looks else "ga"
        session = told_in_ga(told.session, input_hz=dialect.input_rate_hz, output_hz=dialect.output_rate_hz)
        if told.name == "updated":
            told_hz = (
                rate_hz(session, "input") or dialect.input_rate_hz,
                rate_hz(session, "output") or dialect.output_rate_hz,
            )
            if told_hz != self._rates_hz:  # by its own word it hears and speaks at others
                self._rates_hz = told_hz
                self._up, self._down = _converters(*told_hz)
        return session

    def _converted(self, delta: AudioDelta) -> tuple[AudioDelta, ...]:
        """What is ready of it. Another item or part begins anew: what was cut off before has no end."""
        before = self._sounding
        if before is not None and (before.item_id, before.content_index) != (delta.item_id, delta.content_index):
            self._down.finish()
        self._sounding = delta
        pcm = self._down.push(delta.pcm)
        return (replace(delta, pcm=pcm),) if pcm else ()

    def _rest(self) -> tuple[AudioDelta, ...]:
        """The last milliseconds of a piece, which the conversion still holds."""
        pcm, sounding = self._down.finish(), self._sounding
        self._sounding = None
        return (replace(sounding, pcm=pcm),) if sounding is not None and pcm else ()

    def _learn(self, error: ServerError) -> None:
        """A server that does not know a message of ours is not told it again."""
        feature = self._asked.pop(error.event_id, None)
        if (
            self._dialect.provider == "compatible"
            and feature is not None
            and _UNKNOWN_TO_IT.search(f"{error.code} {error.type} {error.message}".lower())
        ):
            self._lacks.add(feature)


_OVERRIDES = {
    "text_output": "output_modalities",
    "max_output_tokens": "max_output_tokens",
    "tool_choice": "tool_choice",
}
"""What a single response can have otherwise than the session, by the feature that it needs."""

_NOT_IN_BETA = frozenset({"idle_timeout", "truncation", "remote_mcp"})

_POSITIONS = {
    "input_audio_buffer.speech_started": "audio_start_ms",
    "input_audio_buffer.speech_stopped": "audio_end_ms",
}
"""Where an event says which moment of the audio it is about. One that does not say so means now."""


def _converters(input_hz: int, output_hz: int) -> tuple[RateConverter, RateConverter]:
    return RateConverter(SAMPLE_RATE_HZ, input_hz), RateConverter(output_hz, SAMPLE_RATE_HZ)


def _refusal(feature: str, event_id: str) -> ServerError:
    message = f"this server cannot do that: {FEATURES[feature].without}"
    return ServerError(code=NOT_SUPPORTED, message=message, type="invalid_request_error", event_id=event_id)


def _is_wanted(name: str, session: JsonObject) -> bool:
    feature = FEATURES[name]
    if feature.tool_type:
        return any(tool["type"] == feature.tool_type for tool in session["tools"])
    if not feature.setting:
        return True
    there, value = lookup(session, feature.setting)
    return there and value != feature.unset


def _without_openai_names(session: JsonObject) -> JsonObject:
    """Leave out what only OpenAI has: the server's own choice is better than its refusal."""
    transcription, voice = ("audio", "input", "transcription"), ("audio", "output", "voice")
    there, model = lookup(session, (*transcription, "model"))
    if there and _OPENAI_MODEL.match(model):
        alone = lookup(session, transcription)[1] == {"model": model}
        session = without(session, [transcription if alone else (*transcription, "model")])
    return without(session, [voice]) if lookup(session, voice)[1] in _OPENAI_VOICES else session
