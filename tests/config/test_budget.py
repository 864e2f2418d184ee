"""How prices are written, and what is said of a wrong one."""

import pytest

from voicebotd.config.budget import complaint
from voicebotd.config.catalogue import keys


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"m": {"text_in": 4}}, ""),
        (7, ""),  # no place in it can be named: the range says it all
        ({"m": 4}, "m: 4 is not a map of text_in, text_cached, text_out, audio_in, audio_cached, audio_out, minute"),
        ({"m": {"minutes": 1}}, "m.minutes is unknown, did you mean minute?"),
        (
            {"m": {"zzz": 1}},
            "m.zzz is unknown, known are text_in, text_cached, text_out, audio_in, audio_cached, audio_out, minute",
        ),
        (
            {"a": {"text_in": "4"}, "b": {"minute": -1}},
            "a.text_in: '4' is not a number from 0 to 10000 (USD); b.minute: -1 is not a number from 0 to 10000 (USD)",
        ),
        ({"": {}}, ""),
    ],
)
def test_every_wrong_place_is_named_at_once(value, said):
    assert complaint(value) == said


def test_prices_can_be_written_where_only_text_can_be():
    adapter = keys()["budget.prices"].adapter
    assert adapter.validate_python('{"m": {"text_in": 4}}') == {"m": {"text_in": 4.0}}
    with pytest.raises(ValueError, match="dict"):
        adapter.validate_python("m=4")
