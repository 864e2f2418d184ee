"""What subscribers are told of the box."""

from __future__ import annotations

from voicebotd.conversation import commands as cmd
from voicebotd.conversation import events as ev
from voicebotd.conversation import news
from voicebotd.conversation.effects import Publish, Refuse
from voicebotd.conversation.states import DOZED


def data(effect: object) -> dict[str, object]:
    assert isinstance(effect, Publish)
    return effect.data


def test_a_command_is_refused_with_the_reason_that_the_table_gives() -> None:
    refusal = news.refused(cmd.TalkBegin(request_id=4), DOZED)
    assert isinstance(refusal, Refuse)
    assert (refusal.request_id, refusal.kind, refusal.retryable) == (4, "link.unavailable", True)


def test_the_link_s_fate_is_told() -> None:
    session = ev.SessionView(instructions="", turn_detection=None)
    assert data(news.link_ready(ev.LinkReady(session_id="s", model="m", session=session)))["session_id"] == "s"
    assert data(news.link_lost(ev.LinkLost(reason="reset", retry_in_s=1.0)))["state"] == "lost"
    assert data(news.link_lost(ev.LinkLost(reason="no", fatal=True)))["state"] == "refused"


def test_devices_and_errors_are_told() -> None:
    assert data(news.device_lost(ev.AudioLost(reason="pulled")))["reason"] == "pulled"
    assert data(news.device_ready(ev.AudioReady(input_name="mic", output_name="box")))["input"] == "mic"
    assert data(news.service_error(ev.ServerError(code="c", message="m")))["code"] == "c"
    assert data(news.no_answer())["code"] == "no_answer"


def test_the_state_is_told_and_beside_it_what_the_visitor_was_told_of_the_link() -> None:
    plain = {"state": "listening", "before": "connecting", "conversation_id": "c"}
    assert data(news.state("listening", "connecting", "c", notice="")) == plain
    assert data(news.state("listening", "connecting", "c", notice="connection_back"))["notice"] == "connection_back"
