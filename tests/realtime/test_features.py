"""What a server may lack, and what is then left unsaid."""

from __future__ import annotations

from voicebotd.conversation import effects as fx
from voicebotd.conversation.events import TurnDetection
from voicebotd.realtime.dialects import DIALECTS
from voicebotd.realtime.features import FEATURES, feature_of, in_words
from voicebotd.realtime.session import SessionConfig, wire
from voicebotd.realtime.shapes import lookup


def test_a_missing_feature_is_told_with_what_follows_from_it() -> None:
    assert in_words("truncate") == "truncate: the service remembers what was not heard"


def test_an_effect_names_the_feature_that_it_needs() -> None:
    assert feature_of(fx.TruncateItem(event_id="", item_id="i", content_index=0, audio_end_ms=1)) == "truncate"
    assert feature_of(fx.CreateResponse(event_id="")) is None


def test_every_setting_of_a_feature_is_a_place_in_the_session_that_we_write() -> None:
    both = (TurnDetection(type="server_vad"), TurnDetection(type="semantic_vad"))
    sessions = [wire(SessionConfig(model="m", instructions="x", turn_detection=detection)) for detection in both]
    for name, feature in FEATURES.items():
        assert not feature.setting or any(lookup(session, feature.setting)[0] for session in sessions), name


def test_the_table_of_servers_names_no_feature_that_there_is_not() -> None:
    for dialect in DIALECTS.values():
        assert dialect.lacks <= FEATURES.keys(), dialect.name
