"""Money: a real daemon counts what a real service told it, and at the cap it stops at the right response.

The sums are worked out here once more, from what went over the wire and from the published prices, by nothing of the
daemon's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rig import speech
from rig.card import VirtualCard
from rig.daemon import Daemon, Home, MakeSettings, RunDaemon, merged
from rig.rehearsal import Event, Rehearsal, StartRehearsal, reply, script
from rig.rpc import RpcAnswerError
from rig.sound import RATE_HZ, write_wav
from rig.waiting import SCALE, wait_for

CAP_USD = 0.05
MILLION = Decimal(1_000_000)
MOST_TURNS = 12
"""Of 13 seconds each. Eleven seconds of speech cost more than a cent, whatever else they cost."""


def cost_usd(usage: dict[str, Any]) -> Decimal:
    """What one response of gpt-realtime-2.1 costs: text 4, 0.40 cached, 24 out; audio 32, 0.40 cached, 64 out."""
    given, cached = usage["input_token_details"], usage["input_token_details"]["cached_tokens_details"]
    made = usage["output_token_details"]
    return (
        Decimal(4) * (given["text_tokens"] - cached["text_tokens"])
        + Decimal("0.40") * (cached["text_tokens"] + cached["audio_tokens"])
        + Decimal(32) * (given["audio_tokens"] - cached["audio_tokens"])
        + Decimal(24) * made["text_tokens"]
        + Decimal(64) * made["audio_tokens"]
    ) / MILLION


def payments(server: Rehearsal) -> list[tuple[Event, Decimal]]:
    """Everything that costs something, in the order in which the service told it. gpt-transcribe: 0.0045 a minute."""
    found = []
    for entry in server.sent():
        if entry.event["type"] == "response.done":
            found.append((entry.event, cost_usd(entry.event["response"]["usage"])))
        elif entry.event["type"] == "conversation.item.input_audio_transcription.completed":
            seconds = Decimal(str(entry.event["usage"]["seconds"]))
            found.append((entry.event, seconds / 60 * Decimal("0.0045")))
    return found


def only_a_goodbye_is_begun_beyond_the_cap(server: Rehearsal, paid: list[tuple[Event, Decimal]]) -> bool:
    """Whether all that was begun after the payment with which the cap was reached is one response."""
    sums = list(accumulate(cost for _, cost in paid))
    for (event, cost), total in zip(paid, sums, strict=True):
        print(f"{event['type']:60} {cost:.6f} {total:.6f}")
    reached = next(index for index, total in enumerate(sums) if total >= Decimal(str(CAP_USD)))
    print(f"the cap is reached with payment {reached + 1} of {len(paid)}")
    sent = [entry.event for entry in server.sent()]
    later = [event for event in sent[sent.index(paid[reached][0]) :] if event["type"] == "response.created"]
    return len(later) == 1


def talk_until_over(daemon: Daemon, card: VirtualCard) -> int:
    """Say the same again and again, each time when the box listens, until it does not any more."""
    for turn in range(MOST_TURNS):
        status = daemon.wait_for_status(lambda now: now["state"] in ("listening", "off"), 30, "its turn to listen")
        if status["state"] == "off":
            return turn
        card.say_it_all(speech.clip("visitor_booking"))
        daemon.wait_for_status(lambda now: now["state"] != "listening", 10, "an answer, or the end")
    raise AssertionError(f"{MOST_TURNS} turns, and the cap is not reached: {daemon.status()['usage']}")


def refused(daemon: Daemon, method: str, **params: Any) -> RpcAnswerError:
    with pytest.raises(RpcAnswerError) as answer:
        daemon.rpc.call(method, **params)
    return answer.value


def test_a_cap_of_five_cents_stops_a_parrot_at_the_right_response_and_until_more_is_allowed(
    start_rehearsal: StartRehearsal, run_daemon: RunDaemon, card: VirtualCard, home: Home
) -> None:
    server = start_rehearsal(script(reply("assistant_idle")), "--brain", "parrot")
    changes = {"budget": {"daily_usd": CAP_USD}, "history": {"enabled": False}}
    with run_daemon(server.url, changes, home=home) as daemon:
        daemon.rpc.call("events.subscribe", topics=["usage", "state"])
        daemon.wait_until_ready()
        turns = talk_until_over(daemon, card)
        paid = payments(server)
        print(f"{turns} turns")
        assert only_a_goodbye_is_begun_beyond_the_cap(server, paid)
        goodbye = server.received("response.create")[-1].event["response"]
        assert (goodbye["tool_choice"], "instructions" in goodbye) == ("none", False)
        words = [entry.event["item"]["content"][0]["text"] for entry in server.received("conversation.item.create")]
        assert ["goodbye" in text for text in words] == [True]
        assert paid[-1][0]["response"]["usage"]["input_token_details"]["cached_tokens_details"]["audio_tokens"] > 0

        status = daemon.status()
        assert status["usage"]["exhausted"]
        assert status["usage"]["today_usd"] == pytest.approx(float(sum(cost for _, cost in paid)), abs=1e-6)
        events = [event["data"]["event"] for event in daemon.rpc.events("usage")]
        assert (events.count("warning"), events.count("exhausted")) == (1, 1)
        refusal = refused(daemon, "conversation.start")
        assert (refusal.code, refusal.data["kind"]) == (1005, "budget.exhausted")
        assert "midnight" in refusal.data["hint"]
        spent_usd = status["usage"]["today_usd"]
        print(daemon.ctl_ok("usage", "--days", "2"))

    with run_daemon(server.url, changes, home=home) as daemon:
        status = wait_for(
            lambda: now if (now := daemon.status())["usage"]["today_usd"] else None, 5, "yesterday's self to be known"
        )
        assert (status["state"], status["usage"]["today_usd"]) == ("off", spent_usd)
        assert refused(daemon, "conversation.start").code == 1005
        daemon.rpc.call("config.set", values={"budget.daily_usd": 1.0})
        assert daemon.rpc.call("conversation.start")["conversation_id"]
        daemon.wait_until_linked()
        summary = daemon.rpc.call("conversation.stop")["summary"]
        assert summary["usd"] == 0.0


def test_a_file_is_answered_as_far_as_the_money_reaches(
    start_rehearsal: StartRehearsal, conversation_settings: MakeSettings, tmp_path: Path
) -> None:
    """As fast as the service takes it, so this costs no time either."""
    server = start_rehearsal(script(reply("assistant_idle")), "--brain", "parrot", "--speed", "50")
    pause = np.zeros(2 * RATE_HZ, dtype=np.int16)
    said = np.concatenate([speech.clip("visitor_booking"), pause] * MOST_TURNS)
    home = Home()
    settings = merged(conversation_settings(server.url), {"budget": {"session_usd": CAP_USD}})
    (home.path / "voicebotd.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    files = {"--config": home.path / "voicebotd.yaml", "--audio-file": write_wav(tmp_path / "visitor.wav", said)}
    options = [str(word) for option in files.items() for word in option]
    done = subprocess.run(
        [sys.executable, "-m", "voicebotd", "--set", "audio_file.pace=fast", "--json", *options],
        env=home.environment({}),
        cwd=home.path / "cwd",
        capture_output=True,
        text=True,
        timeout=120 * SCALE,
        check=False,
    )
    home.remove()
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    paid = payments(server)
    assert document["end_reason"].startswith("budget: the cap of one conversation of $0.05 is reached")
    assert document["usage"]["usd"] == pytest.approx(float(sum(cost for _, cost in paid)), abs=1e-6)
    assert only_a_goodbye_is_begun_beyond_the_cap(server, paid)
    roles = [turn["role"] for turn in document["turns"]]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["assistant"], "the last one is the goodbye"
    spoken = [turn for turn in document["turns"] if turn["role"] == "assistant"]
    assert all(turn["heard_ms"] == turn["audio_ms"] for turn in spoken[-2:]), (
        "it was said to its end, and so was goodbye"
    )
