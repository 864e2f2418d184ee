"""Parameters: by name and by position, strictly typed, refused with everything that is wrong at once."""

from typing import Any

import pytest

from voicebotd.control.binding import Binder
from voicebotd.control.contract import METHODS
from voicebotd.control.contract_params import (
    AudioSelectParams,
    AudioVolumeParams,
    ConfigSetParams,
    EventsParams,
    MessageSendParams,
    VadSetParams,
)
from voicebotd.errors import RpcError


def _refused(params_type: type[Any], params: Any) -> str:
    with pytest.raises(RpcError) as caught:
        Binder(params_type).bind(params)
    assert (caught.value.code, caught.value.kind) == (-32602, "rpc.invalid_params")
    return caught.value.message.removeprefix("Invalid params: ")


def test_by_name_and_by_position_are_the_same() -> None:
    binder = Binder(MessageSendParams)
    expected = MessageSendParams(text="hi", role="system", respond=False)

    assert binder.bind({"text": "hi", "role": "system", "respond": False}) == expected
    assert binder.bind(["hi", "system", False]) == expected
    assert binder.bind(["hi"]) == binder.bind({"text": "hi"}) == MessageSendParams(text="hi")


def test_a_null_that_says_something_is_not_the_same_as_leaving_it_out() -> None:
    binder = Binder(VadSetParams)

    assert binder.bind({"idle_timeout_ms": None}).idle_timeout_ms == 0
    assert binder.bind({"threshold": 0.7}).idle_timeout_ms is None
    assert binder.bind({"threshold": None}).threshold is None


@pytest.mark.parametrize("nothing", [None, [], {}])
def test_nothing_binds_to_the_defaults(nothing: Any) -> None:
    assert Binder(VadSetParams).bind(nothing) == VadSetParams()


def test_null_is_the_same_as_an_absent_wish() -> None:
    assert Binder(VadSetParams).bind({"threshold": None}) == VadSetParams()


def test_a_whole_number_is_a_number_and_arrives_as_a_float() -> None:
    assert isinstance(Binder(VadSetParams).bind({"threshold": 1}).threshold, float)


@pytest.mark.parametrize("choice", [3, "USB"])
def test_a_device_is_an_index_or_a_name(choice: Any) -> None:
    assert Binder(AudioSelectParams).bind({"input": choice}).input == choice


def test_an_object_of_anything_passes_as_it_is() -> None:
    values = {"a.b": [1, {"c": None}]}

    assert Binder(ConfigSetParams).bind({"values": values}).values == values


@pytest.mark.parametrize(
    ("params_type", "params", "problem"),
    [
        (VadSetParams, {"threshold": "0.7"}, 'threshold: "0.7" is not a number, 0..1'),
        (VadSetParams, {"threshold": True}, "threshold: true is not a number, 0..1"),
        (VadSetParams, {"threshold": 1.01}, "threshold: 1.01 is out of range 0..1"),
        (VadSetParams, {"silence_duration_ms": -1}, "silence_duration_ms: -1 is out of range 100..10000 ms"),
        (VadSetParams, {"silence_duration_ms": 1.5}, "silence_duration_ms: 1.5 is not a whole number, 100..10000 ms"),
        (VadSetParams, {"silence_duration_ms": True}, "silence_duration_ms: true is not a whole number, 100..10000 ms"),
        (VadSetParams, {"create_response": 1}, "create_response: 1 is not true or false"),
        (VadSetParams, {"type": "vad"}, 'type: "vad" is not one of server_vad|semantic_vad|none'),
        (VadSetParams, {"treshold": 0.7}, "treshold: no such parameter (nearest: threshold)"),
        (MessageSendParams, {"zzz": 1, "text": "a"}, "zzz: no such parameter (known: text, role, respond)"),
        (MessageSendParams, {}, "text: missing, text"),
        (MessageSendParams, {"text": None}, "text: null is not text"),
        (AudioVolumeParams, [101], "percent: 101 is out of range 0..100 %"),
        (AudioVolumeParams, [1, 2], "2 given, at most 1 known (percent)"),
        (AudioSelectParams, {"input": 1.5}, "input: 1.5 is not a whole number or text"),
        (ConfigSetParams, {"values": []}, "values: [] is not an object"),
        (EventsParams, {"topics": "state"}, 'topics: "state" is not a list of state|turn|transcript|response|tool|'),
        (EventsParams, {"topics": ["state", "x"]}, 'topics[1]: "x" is not one of state|turn|transcript|response|tool|'),
    ],
)
def test_a_wrong_parameter_is_refused_with_key_value_range_and_nearest_key(
    params_type: type[Any], params: Any, problem: str
) -> None:
    assert _refused(params_type, params).startswith(problem)


def test_everything_wrong_is_said_at_once() -> None:
    message = _refused(VadSetParams, {"threshold": 7, "eagerness": "x", "foo": 1, "prefix_padding_ms": 10**9})

    assert [problem.split(":")[0] for problem in message.split("; ")] == [
        "eagerness",
        "foo",
        "threshold",
        "prefix_padding_ms",
    ]


def test_a_long_value_is_quoted_only_in_part() -> None:
    message = _refused(VadSetParams, {"threshold": "x" * 1000})

    assert message == f'threshold: "{"x" * 58}… is not a number, 0..1'


def test_a_method_without_parameters_takes_none() -> None:
    params_type = METHODS["status.get"].params_type

    assert _refused(params_type, {"x": 1}) == "x: no such parameter (it takes none)"
    assert _refused(params_type, [1]) == "1 given, at most 0 known (none)"
