"""What a new session is told: who said what, as it was heard, and what is still unanswered."""

from __future__ import annotations

from typing import Any

import pytest

from voicebotd.conversation.context import (
    FIRST,
    HEARD_AGAIN_S,
    RESUMED,
    UNINTELLIGIBLE,
    Context,
    Spoken,
    Unanswered,
    words_of,
)
from voicebotd.conversation.effects import (
    CreateFunctionCall,
    CreateFunctionOutput,
    CreateMessage,
    DeleteItem,
    Effect,
)
from voicebotd.conversation.ids import Ids
from voicebotd.conversation.ledger import Piece
from voicebotd.conversation.records import TurnRecord


def turn(number: int, role: Any, text: str = "", **known: Any) -> TurnRecord:
    item_id = known.pop("item_id", f"{role[0]}{number}")
    return TurnRecord(
        conversation_id="c", item_id=item_id, number=number, role=role, generated_text=text, heard_text=text, **known
    )


TALK = [
    turn(1, "user", "Good morning"),
    turn(2, "assistant", "Good morning! How can I help?"),
    turn(3, "user", "I want an appointment"),
]


def ran(context: Context, call_id: str, after: int, output: str | None = "{}") -> None:
    context.called(call_id, "book", '{"at": 9}', after)
    if output is not None:
        context.output(call_id, output)


def seeded(
    context: Context, records: list[TurnRecord] = TALK, *, limit: int = 20, replayed: str = "", apart: str = ""
) -> list[Effect]:
    return context.seed(records, replayed=frozenset([replayed]), apart=frozenset([apart]), limit=limit)


def said(effects: list[Effect]) -> list[tuple[str, str]]:
    """What a session is told, in order."""
    told = []
    for effect in effects:
        match effect:
            case CreateMessage():
                told.append((effect.role, effect.text))
            case CreateFunctionCall():
                told.append(("call", effect.call_id))
            case CreateFunctionOutput():
                told.append(("output", effect.output))
    return told


def piece(item_id: str, *, heard: float) -> Piece:
    """`heard`: which share of it."""
    received = 24_000
    return Piece(
        item_id=item_id,
        content_index=0,
        response_id="r",
        output_index=0,
        received_samples=received,
        heard_samples=round(received * heard),
    )


# Which words are unanswered.


def test_a_turn_is_unanswered_until_something_of_its_answer_exists() -> None:
    context = Context(Ids())
    assert context.unanswered is None
    context.spoke(Spoken(began_s=10.0, start_ms=500, end_ms=1500))
    context.response_created(1)
    assert context.unanswered == Unanswered(began_s=10.0, start_ms=500, speech_ms=0), "it may die before its first word"
    context.answered()
    assert context.unanswered is None
    assert (context.served_ms, context.settled_number) == (1500, 1)


def test_a_turn_that_came_after_the_response_was_created_is_not_answered_by_it() -> None:
    context = Context(Ids())
    context.spoke(Spoken(began_s=10.0, start_ms=500, end_ms=1500))
    context.response_created(1)
    context.spoke(Spoken(began_s=12.0, start_ms=2500, end_ms=3500))
    context.answered()
    assert context.unanswered == Unanswered(began_s=12.0, start_ms=2500, speech_ms=0)
    assert context.served_ms == 1500
    context.answered()
    assert context.unanswered is not None, "more of the same answer answers no more"


def test_several_turns_are_unanswered_from_the_beginning_of_the_first() -> None:
    context = Context(Ids())
    context.spoke(Spoken(began_s=12.0, start_ms=2500))
    context.spoke(Spoken(began_s=10.0, start_ms=500))
    assert context.unanswered == Unanswered(began_s=10.0, start_ms=500, speech_ms=0)


def test_turns_that_the_box_detected_have_no_place_and_their_lengths_count_together() -> None:
    context = Context(Ids())
    context.spoke(Spoken(began_s=10.0, speech_ms=700))
    context.spoke(Spoken(began_s=12.0, speech_ms=300))
    assert context.unanswered == Unanswered(began_s=10.0, start_ms=None, speech_ms=1000)
    context.response_created(2)
    context.answered()
    assert context.served_ms == 0


def test_what_is_remembered_is_bounded_and_the_newest_stays_unanswered() -> None:
    context = Context(Ids())
    for number in range(Context.MAX_SPOKEN):
        context.spoke(Spoken(began_s=float(number)))
    context.response_created(Context.MAX_SPOKEN)
    context.spoke(Spoken(began_s=1000.0))
    assert context.unanswered is not None
    assert context.unanswered.began_s == 1.0, "the oldest is forgotten"
    context.answered()
    assert context.unanswered == Unanswered(began_s=1000.0, start_ms=None, speech_ms=0)
    for number in range(Context.MAX_SPOKEN):
        context.spoke(Spoken(began_s=float(number)))
    context.answered()
    assert context.unanswered is not None, "nobody made anything of these"


@pytest.mark.parametrize(
    ("replayed", "unanswered"),
    [(None, None), (Spoken(began_s=50.0, start_ms=0), Unanswered(began_s=50.0, start_ms=0, speech_ms=0))],
)
def test_the_clock_of_a_new_session_begins_at_zero(replayed: Spoken | None, unanswered: Unanswered | None) -> None:
    context = Context(Ids())
    context.spoke(Spoken(began_s=10.0, start_ms=500, end_ms=1500))
    context.response_created(1)
    context.answered()
    context.spoke(Spoken(began_s=12.0, start_ms=2500, end_ms=3500))
    context.response_created(2)
    context.new_session(replayed)
    assert (context.served_ms, context.unanswered) == (0, unanswered)
    context.answered()
    assert context.unanswered == unanswered, "a response of the session before answers nothing"


# What it is told.


def test_a_new_session_is_told_the_turns_in_their_order_and_to_go_on() -> None:
    effects = seeded(Context(Ids()))
    assert said(effects) == [*[(one.role, one.generated_text) for one in TALK], ("system", RESUMED)]
    ids = [effect.item_id for effect in effects if isinstance(effect, CreateMessage)]
    assert len(set(ids)) == 4
    assert not set(ids) & {one.item_id for one in TALK}, "the items of the lost session are not those of this one"


def test_it_is_told_no_more_than_the_last_turns_and_nothing_of_a_conversation_that_only_begins() -> None:
    assert said(seeded(Context(Ids()), limit=1)) == [("user", "I want an appointment"), ("system", RESUMED)]
    assert seeded(Context(Ids()), limit=0) == []
    assert seeded(Context(Ids()), []) == []


def test_what_it_will_hear_itself_it_is_not_told() -> None:
    assert ("user", "I want an appointment") not in said(seeded(Context(Ids()), replayed="u3"))


def test_what_nobody_heard_is_not_told() -> None:
    records = [turn(1, "user", "Hi"), turn(2, "assistant")]
    assert said(seeded(Context(Ids()), records)) == [("user", "Hi"), ("system", RESUMED)]


def test_functions_are_told_where_they_were_called_with_what_came_of_them() -> None:
    context = Context(Ids())
    ran(context, "k1", 1)
    context.output("k1", "booked")
    context.output("nobody's", "lost")
    ran(context, "k2", 3)
    effects = seeded(context)
    assert said(effects) == [
        ("user", "Good morning"),
        ("call", "k1"),
        ("output", "booked"),
        ("assistant", "Good morning! How can I help?"),
        ("user", "I want an appointment"),
        ("call", "k2"),
        ("output", "{}"),
        ("system", RESUMED),
    ]
    (first, _) = [effect for effect in effects if isinstance(effect, CreateFunctionCall)]
    assert (first.name, first.arguments) == ("book", '{"at": 9}')


def test_functions_that_are_older_than_what_is_told_are_not_told() -> None:
    context = Context(Ids())
    ran(context, "k1", 1)
    context.output("k1", "booked")
    assert ("call", "k1") not in said(seeded(context, limit=2))
    assert ("call", "k1") in said(seeded(context, limit=3))


def test_a_function_that_still_runs_and_one_that_is_told_by_others_are_left_out() -> None:
    context = Context(Ids())
    ran(context, "k1", 1, output=None)
    ran(context, "k2", 1)
    assert [what for who, what in said(seeded(context, apart="k2")) if who == "call"] == []
    context.output("k9", "{}")
    context.output("k1", "{}")
    assert [what for who, what in said(seeded(context)) if who == "call"] == ["k1", "k2"]


def test_functions_are_remembered_oldest_forgotten_first() -> None:
    context = Context(Ids())
    for number in range(Context.MAX_CALLS + 1):
        ran(context, f"k{number}", 1)
    calls = [what for who, what in said(seeded(context)) if who == "call"]
    assert len(calls) == Context.MAX_CALLS
    assert (calls[0], calls[-1]) == ("k1", f"k{Context.MAX_CALLS}")


# What was told and then not heard.


def test_words_that_were_told_and_not_heard_to_their_end_are_replaced_in_their_place() -> None:
    context = Context(Ids())
    first, told, *_ = [effect for effect in seeded(context) if isinstance(effect, CreateMessage)]
    assert context.holds("a2")
    delete, create = context.shorten(piece("a2", heard=0.5), TALK[1].generated_text)
    assert isinstance(delete, DeleteItem)
    assert isinstance(create, CreateMessage)
    assert delete.item_id == told.item_id
    assert (create.role, create.text) == ("assistant", "Good morning!")
    assert create.previous_item_id == first.item_id
    assert create.item_id != told.item_id
    assert not context.holds("a2"), "it is done"


def test_words_of_which_nothing_was_heard_are_taken_back() -> None:
    context = Context(Ids())
    seeded(context)
    (delete,) = context.shorten(piece("a2", heard=0.0), TALK[1].generated_text)
    assert isinstance(delete, DeleteItem)


def test_the_place_of_the_first_words_is_the_beginning() -> None:
    context = Context(Ids())
    seeded(context, [turn(1, "assistant", "Hello there, who are you?")])
    (_, create) = context.shorten(piece("a1", heard=0.5), "Hello there, who are you?")
    assert isinstance(create, CreateMessage)
    assert create.previous_item_id == FIRST


def test_the_place_after_a_function_is_behind_its_output() -> None:
    context = Context(Ids())
    ran(context, "k1", 1)
    context.output("k1", "booked")
    output = next(effect for effect in seeded(context) if isinstance(effect, CreateFunctionOutput))
    (_, create) = context.shorten(piece("a2", heard=0.5), TALK[1].generated_text)
    assert isinstance(create, CreateMessage)
    assert create.previous_item_id == output.item_id


def test_what_an_earlier_session_was_told_the_present_one_does_not_hold() -> None:
    context = Context(Ids())
    seeded(context)
    seeded(context, [TALK[0]])
    assert context.holds("u1")
    assert not context.holds("a2")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (turn(1, "user", "Hi"), "Hi"),
        (turn(1, "user"), UNINTELLIGIBLE),
        (turn(1, "system"), ""),
        (turn(1, "system", "Be brief."), "Be brief."),
        (turn(1, "assistant", "Hello there"), "Hello there"),
        (turn(1, "assistant"), ""),
        (TurnRecord(conversation_id="c", item_id="a", number=1, role="assistant", generated_text="Hello"), "Hello"),
    ],
)
def test_the_words_of_a_turn_are_those_that_were_written_down(record: TurnRecord, words: str) -> None:
    assert words_of(record) == words


def test_of_an_interrupted_answer_only_what_was_heard_counts() -> None:
    cut = TurnRecord(
        conversation_id="c",
        item_id="a",
        number=1,
        role="assistant",
        generated_text="Hello there",
        heard_text="Hello",
        interrupted=True,
    )
    assert words_of(cut) == "Hello"


def test_what_a_session_heard_again_may_be_unanswered_for_a_while_though_nobody_promised_an_answer() -> None:
    context = Context(Ids())
    assert not context.hears_again(50.0)
    context.new_session(Spoken(began_s=50.0, start_ms=0, again=True))
    assert context.hears_again(50.0 + HEARD_AGAIN_S - 0.1)
    assert not context.hears_again(50.0 + HEARD_AGAIN_S)
    context.spoke(Spoken(began_s=52.0, start_ms=2000, end_ms=3000))
    context.response_created(1)
    context.answered()
    assert not context.hears_again(53.0)
    context.spoke(Spoken(began_s=54.0, start_ms=4000))
    assert not context.hears_again(55.0), "that was heard once, and an answer is promised"
