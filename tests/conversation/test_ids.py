from __future__ import annotations

from voicebotd.conversation.ids import Ids


def test_no_name_is_given_twice() -> None:
    ids = Ids()
    names = {ids.event(), ids.event(), ids.item(), ids.item(), str(ids.token())}
    assert len(names) == 5
