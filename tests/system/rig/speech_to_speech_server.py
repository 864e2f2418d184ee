"""speech-to-speech's own Realtime server, a program of its own: everything that speaks the protocol is theirs.

`python speech_to_speech_server.py PORT ANSWER_MS`. Owns what stands in for their models: a detector by loudness, a
transcriber that names the turn by its number, a model that answers with what it was told, and a voice that is a tone.
Runs where their package and what it needs can be imported; knows nothing of voicebotd.
"""

from __future__ import annotations

import sys
import threading
from queue import Queue

import numpy as np
from speech_to_speech.api.openai_realtime.pipeline_unit import PipelineUnit
from speech_to_speech.api.openai_realtime.server import RealtimeServer
from speech_to_speech.api.openai_realtime.service import RealtimeService
from speech_to_speech.LLM.chat import make_assistant_message
from speech_to_speech.pipeline.cancel_scope import CancelScope
from speech_to_speech.pipeline.control import SESSION_END, is_control_message
from speech_to_speech.pipeline.events import (
    AssistantOutputEvent,
    AssistantResponseDoneEvent,
    SpeechStartedEvent,
    SpeechStoppedEvent,
    TokenUsageEvent,
    TranscriptionCompletedEvent,
)
from speech_to_speech.pipeline.messages import AUDIO_RESPONSE_DONE, AudioOutput, GenerateResponseRequest

RATE_HZ = 16_000
CHUNK_MS = 32
LOUD_RMS = 300.0
SILENCE_MS = 500
"""Where the session says nothing else."""


class Ears(threading.Thread):
    """Their detector and their transcriber: a turn is from the first loud chunk to so much silence."""

    def __init__(self, unit: PipelineUnit) -> None:
        super().__init__(daemon=True, name="ears")
        self._unit = unit
        self._reset()

    def _reset(self) -> None:
        self._turns = self._at_ms = self._began_ms = self._quiet_ms = 0
        self._speaking = False

    def run(self) -> None:
        while True:
            item = self._unit.input_queue.get()
            if is_control_message(item, SESSION_END.kind):
                self._reset()
                self._unit.output_queue.put(item)
            elif isinstance(item, tuple):
                self._hear(*item)

    def _hear(self, chunk: bytes, config: object) -> None:
        self._at_ms += CHUNK_MS
        loud = np.sqrt(np.mean(np.frombuffer(chunk, dtype="<i2").astype(float) ** 2)) > LOUD_RMS
        self._quiet_ms = 0 if loud else self._quiet_ms + CHUNK_MS
        tell = self._unit.text_output_queue.put
        if loud and not self._speaking:
            self._speaking, self._began_ms = True, self._at_ms - CHUNK_MS
            tell(SpeechStartedEvent(audio_start_ms=self._began_ms))
        elif self._speaking and self._quiet_ms >= _silence_ms(config):
            self._speaking = False
            self._turns += 1
            ended_ms = self._at_ms - self._quiet_ms
            tell(SpeechStoppedEvent(audio_end_ms=ended_ms, duration_s=(ended_ms - self._began_ms) / 1000))
            tell(TranscriptionCompletedEvent(transcript=f"This is turn {self._turns}."))


class Mouth(threading.Thread):
    """Their model and their voice: answers with the last thing it was told and how much it remembers."""

    def __init__(self, unit: PipelineUnit, answer_ms: int) -> None:
        super().__init__(daemon=True, name="mouth")
        self._unit = unit
        tone = 6000 * np.sin(2 * np.pi * 440 * np.arange(answer_ms * RATE_HZ // 1000) / RATE_HZ)
        self._voice = np.array_split(tone.astype("<i2"), 6)

    def run(self) -> None:
        while True:
            request = self._unit.text_prompt_queue.get()
            if isinstance(request, GenerateResponseRequest):
                self._answer(request)

    def _answer(self, request: GenerateResponseRequest) -> None:
        said = [part["content"] for part in _messages(request) if part["role"] == "user"]
        text = f"You said: {said[-1]} That makes {len(said)}."
        request.runtime_config.chat.add_item(make_assistant_message(text))
        generation, key = self._unit.cancel_scope.generation, request.response_key
        tags = {"cancel_generation": generation, "response_key": key}
        put = self._unit.output_queue.put
        put(TokenUsageEvent(input_tokens=11, output_tokens=7, **tags))
        put(AssistantOutputEvent(text=text, **tags))
        for piece in self._voice:
            put(AudioOutput(audio=piece.tobytes(), **tags))
        put(AssistantResponseDoneEvent(**tags))
        put(AudioOutput(audio=AUDIO_RESPONSE_DONE, **tags))


def _messages(request: GenerateResponseRequest) -> list[dict[str, str]]:
    return request.runtime_config.chat.to_transformers_chat()


def _silence_ms(config: object) -> int:
    detection = config.session.audio.input.turn_detection
    return getattr(detection, "silence_duration_ms", None) or SILENCE_MS


def main() -> None:
    prompts: Queue[object] = Queue()
    listen = threading.Event()
    unit = PipelineUnit(
        index=0,
        service=RealtimeService(text_prompt_queue=prompts, should_listen=listen),
        cancel_scope=CancelScope(),
        should_listen=listen,
        response_playing=threading.Event(),
        input_queue=Queue(),
        output_queue=Queue(),
        text_output_queue=Queue(),
        text_prompt_queue=prompts,
        handlers=[],
    )
    Ears(unit).start()
    Mouth(unit, int(sys.argv[2])).start()
    RealtimeServer(threading.Event(), [unit], host="127.0.0.1", port=int(sys.argv[1])).run()


if __name__ == "__main__":
    main()
