from __future__ import annotations

import pytest

from voicebotd.rehearsal.fault_table import KINDS
from voicebotd.rehearsal.fault_words import FaultWordsError, list_of_faults, parse_fault
from voicebotd.rehearsal.faults import CloseLink, Fault, When
from voicebotd.rehearsal.moments import MOMENTS


@pytest.mark.parametrize("name", KINDS)
def test_a_name_alone_is_a_fault_as_usual(name: str) -> None:
    kind = KINDS[name]
    fault = parse_fault(name)
    assert (fault.name, fault.effect) == (name, kind.make(kind.usual))
    assert fault.when == (When(after_s=20.0, times=None) if kind.timed else kind.when)


def test_a_fault_is_told_as_it_was_written() -> None:
    text = "close=1011:restarting@speaking+800/3"
    assert parse_fault(text) == Fault(
        name=text,
        effect=CloseLink(code=1011, reason="restarting"),
        when=When(moment="speaking", plus_ms=800, times=3),
    )


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("rst@idle", When(moment="idle")),
        ("rst@response.done#2", When(moment="response.done", kth=2)),
        ("rst@error", When(moment="error")),
        ("rst@any#7", When(moment="any", kth=7)),
        ("rst@random/always", When(moment="random", times=None)),
        ("rst@idle/once", When(moment="idle")),
        ("rst@idle/after20s", When(moment="idle", after_s=20.0)),
        ("rst/after0.5s", When(after_s=0.5)),
        ("rst/every20s", When(every_s=20.0, times=None)),
        ("expire=7", When(after_s=7.0, times=None)),
        ("expire@speaking+400", When(moment="speaking", plus_ms=400)),
        ("status=503/2", When(moment="handshake", times=2)),
        ("status=503/after10s", When(moment="handshake", times=None, after_s=10.0)),
        ("down=2/after10s", When(after_s=10.0)),
        ("mute@handshake/2", When(moment="handshake", times=2)),
    ],
)
def test_when_and_how_often(text: str, when: When) -> None:
    assert parse_fault(text).when == when


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("rts", "there is no fault 'rts'", "did you mean rst?"),
        ("zzzz", "there is no fault 'zzzz'", "known are refuse"),
        ("close=99", "close=99 cannot be read", "CODE 1000 to 1014"),
        ("rst=1", "rst=1 cannot be read", "no argument"),
        ("expire=soon", "expire=soon cannot be read", "SECONDS"),
        ("rst@speeking", "there is no moment 'speeking'", "did you mean speaking?"),
        ("mute@idle", "mute@idle cannot be", "only at handshake"),
        ("refuse@idle", "refuse@idle cannot be", "only at its times"),
        ("rst/0", "'0' is not how often", "a number from 1"),
        ("rst/every0s", "'every0s' is not how often", "every20s"),
        ("two words", "'two words' is not a fault", "NAME[=ARG]"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_can(text: str, message: str, hint: str) -> None:
    with pytest.raises(FaultWordsError) as refused:
        parse_fault(text)
    assert message in refused.value.message
    assert hint in refused.value.hint


def test_the_list_tells_every_fault_and_every_moment() -> None:
    lines = list_of_faults()
    for name in (*KINDS, *MOMENTS, "random", "any", "every20s"):
        assert name in lines
    assert max(map(len, lines.splitlines())) <= 200
