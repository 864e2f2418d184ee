from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace

import pytest

from voicebotctl.errors import UsageError
from voicebotctl.parameters import Parameters, given, json_or_text, nearest, seconds, split
from voicebotd.control.contract_params import VadSetParams
from voicebotd.control.contract_types import fields_of


@pytest.fixture(scope="module")
def vad():
    return Parameters("vad.set")


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("threshold=0.7", 0.7),
        ("threshold=1", 1.0),
        ("threshold=7", 7.0),  # the range is the daemon's to judge
        ("silence_duration_ms=600", 600),
        ("create_response=false", False),
        ("interrupt_response=true", True),
        ("type=none", "none"),
        ("eagerness=sleepy", "sleepy"),  # as are the choices
    ],
)
def test_a_value_has_the_type_of_its_key(assignment, value, vad):
    (read,) = vad.assigned([assignment], without=()).values()
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("threshold=loud", "threshold=loud: not a number, {range}"),
        ("threshold=nan", "threshold=nan: not a number, {range}"),
        ("threshold=inf", "threshold=inf: not a number, {range}"),
        ("silence_duration_ms=0.5", "silence_duration_ms=0.5: not a whole number, {range} ms"),
        ("create_response=maybe", "create_response=maybe: not true or false"),
        ("silence_duration_ms=null", "silence_duration_ms=null: null changes nothing"),
        ("silence=1", "silence=1: unknown key"),
        ("profile=noisy", "profile=noisy: unknown key"),
    ],
)
def test_a_wrong_assignment_names_key_value_and_range(assignment, message, vad):
    with pytest.raises(UsageError) as refused:
        vad.assigned([assignment], without=("profile", "persist"))
    field = next((field for field in fields_of(VadSetParams) if field.name == assignment.partition("=")[0]), None)
    assert refused.value.message == message.format(range=field.range_text if field else "")


def test_null_says_what_the_contract_says_that_it_means(vad):
    assert vad.assigned(["idle_timeout_ms=null"], without=()) == {"idle_timeout_ms": 0}


def test_an_unknown_key_is_told_the_nearest_known_one(vad):
    with pytest.raises(UsageError) as refused:
        vad.assigned(["silence_duration=600"], without=())
    assert refused.value.hint == "did you mean silence_duration_ms?"


def parsed(method, add, *arguments):
    parser = ArgumentParser(argument_default=SUPPRESS, exit_on_error=False)
    add(Parameters(method), parser)
    return vars(parser.parse_args(arguments))


def test_a_switch_that_is_on_by_default_becomes_its_opposite():
    def add(parameters, parser):
        parameters.option(parser, "respond")

    assert parsed("message.send", add) == {}
    assert parsed("message.send", add, "--no-respond") == {"respond": False}


def test_an_index_or_a_name_is_whichever_it_looks_like():
    def add(parameters, parser):
        parameters.option(parser, "input")

    assert parsed("audio.select", add, "--input", "2") == {"input": 2}
    assert parsed("audio.select", add, "--input", "null") == {"input": "null"}


def test_a_list_of_choices_may_be_empty_and_refuses_what_is_not_among_them():
    def add(parameters, parser):
        parameters.positional(parser, "topics", nargs="*", default=None)

    assert parsed("events.subscribe", add) == {"topics": []}
    assert parsed("events.subscribe", add, "turn", "state") == {"topics": ["turn", "state"]}
    with pytest.raises(Exception, match=r"audio\.levl: unknown, did you mean audio\.level\?"):
        parsed("events.subscribe", add, "audio.levl")


def test_only_what_was_given_is_given():
    assert given(Namespace(limit=5, other=1), "limit", "before") == {"limit": 5}


@pytest.mark.parametrize("assignment", ["threshold", "=0.7", ""])
def test_an_assignment_needs_a_key_and_an_equals_sign(assignment):
    with pytest.raises(UsageError, match="not KEY=VALUE"):
        list(split([assignment]))


def test_a_value_may_hold_equals_signs_and_be_empty():
    assert list(split(["text=a=b", "text="])) == [("text", "a=b"), ("text", "")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("0.7", 0.7),
        ("true", True),
        ("null", None),
        ('"7"', "7"),
        ('{"a": [1]}', {"a": [1]}),
        ("marin", "marin"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("", ""),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_a_free_value_is_json_where_it_is_json_and_text_where_it_is_not(text, value):
    assert json_or_text(text) == value


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "soon", "1000001"])
def test_a_duration_is_a_finite_number_above_zero(text):
    with pytest.raises(ArgumentTypeError):
        seconds(text)


def test_a_duration_may_be_a_fraction():
    assert seconds("0.25") == 0.25


def test_with_nothing_near_all_known_words_are_named():
    assert nearest("xyzzy", ["show", "set"]) == "known are show, set"
