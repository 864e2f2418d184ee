"""JSON-RPC 2.0, byte for byte: the specification's own examples, its corners, and the traps of the JSON parser."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebotd.control.caller import Caller, Peer
from voicebotd.control.contract import BATCH_LIMIT, ERRORS, Method
from voicebotd.control.contract_types import doc
from voicebotd.control.dispatcher import Dispatcher
from voicebotd.control.jsonrpc import (
    Call,
    Fault,
    encode_error,
    encode_notification,
    encode_result,
    join,
    parse,
    refusal,
    refuse_all,
)
from voicebotd.errors import RpcError


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtract:
    minuend: int = field(metadata=doc("from this", minimum=-1000))
    subtrahend: int = field(metadata=doc("take this"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    a: int = field(default=0, metadata=doc("a number"))
    b: int = field(default=0, metadata=doc("a number"))
    c: int = field(default=0, metadata=doc("a number"))
    d: int = field(default=0, metadata=doc("a number"))
    e: int = field(default=0, metadata=doc("a number"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    number: float = field(metadata=doc("a number"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    text: str = field(metadata=doc("a text"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    pass


async def _subtract(params: Subtract, _caller: Caller) -> int:
    return params.minuend - params.subtrahend


async def _sum(params: Numbers, _caller: Caller) -> int:
    return params.a + params.b + params.c


async def _update(_params: Numbers, _caller: Caller) -> None:
    return None


async def _data(_params: Nothing, _caller: Caller) -> list[Any]:
    return ["hello", 5]


async def _echo(params: Text, _caller: Caller) -> str:
    return params.text


async def _halve(params: Half, _caller: Caller) -> float:
    return params.number / 2


async def _refuse(_params: Nothing, _caller: Caller) -> None:
    raise refusal("conversation.already_running", "a conversation runs", hint="stop it")


async def _break(_params: Nothing, _caller: Caller) -> None:
    raise TypeError("a secret of ours")


async def _nan(_params: Nothing, _caller: Caller) -> float:
    return float("nan")


@pytest.fixture(scope="module")
def answer(make_methods: Callable[..., dict[str, Method]]) -> Iterator[Callable[[bytes], bytes | None]]:
    handlers = {
        "subtract": (Subtract, int, _subtract),
        "sum": (Numbers, int, _sum),
        "update": (Numbers, type(None), _update),
        "notify_sum": (Numbers, int, _sum),
        "notify_hello": (Numbers, type(None), _update),
        "get_data": (Nothing, list, _data),
        "echo": (Text, str, _echo),
        "halve": (Half, float, _halve),
        "refuse": (Nothing, type(None), _refuse),
        "break": (Nothing, type(None), _break),
        "nan": (Nothing, float, _nan),
    }
    dispatcher = Dispatcher(
        {name: handler for name, (_, _, handler) in handlers.items()},
        methods=make_methods({name: (takes, gives) for name, (takes, gives, _) in handlers.items()}),
    )
    caller = Caller(peer=Peer(pid=1, uid=1000, gid=1000, admin=False))
    with asyncio.Runner() as runner:
        yield lambda line: runner.run(dispatcher.answer(line, caller))


def _error(code: int, kind: str, message: str, hint: str, call_id: str = "null", *, retryable: str = "false") -> bytes:
    return (
        f'{{"jsonrpc":"2.0","error":{{"code":{code},"message":{json.dumps(message, ensure_ascii=False)},"data":'
        f'{{"kind":"{kind}","retryable":{retryable},"hint":{json.dumps(hint, ensure_ascii=False)}}}}},"id":{call_id}}}'
    ).encode()


def _parse_error(hint: str) -> bytes:
    return _error(-32700, "rpc.parse_error", "Parse error", hint)


def _invalid(hint: str, call_id: str = "null") -> bytes:
    return _error(-32600, "rpc.invalid_request", "Invalid Request", hint, call_id)


def _not_found(call_id: str, hint: str = "rpc.discover lists all") -> bytes:
    return _error(-32601, "rpc.method_not_found", "Method not found", hint, call_id)


def _bad_params(message: str, call_id: str = "1") -> bytes:
    return _error(-32602, "rpc.invalid_params", f"Invalid params: {message}", "", call_id)


def _internal(call_id: str = "1") -> bytes:
    return _error(-32603, "rpc.internal_error", "Internal error", "the daemon's log has it", call_id)


def _result(result: str, call_id: str = "1") -> bytes:
    return f'{{"jsonrpc":"2.0","result":{result},"id":{call_id}}}'.encode()


NOT_A_REQUEST = _invalid("a request is an object")
DEEP = b"[" * 200_000 + b"]" * 200_000

SPECIFICATION = [  # section 7, in its order
    ('{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}', _result("19")),
    ('{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}', _result("-19", "2")),
    (
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
        _result("19", "3"),
    ),
    (
        '{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
        _result("19", "4"),
    ),
    ('{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', None),
    ('{"jsonrpc": "2.0", "method": "foobar"}', None),
    ('{"jsonrpc": "2.0", "method": "foobar", "id": "1"}', _not_found('"1"')),
    (
        '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        _parse_error("not JSON from character 40"),
    ),
    ('{"jsonrpc": "2.0", "method": 1, "params": "bar"}', _invalid("method is a string")),
    (
        '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method"]',
        _parse_error("not JSON from character 96"),
    ),
    ("[]", _invalid("an empty batch")),
    ("[1]", b"[" + NOT_A_REQUEST + b"]"),
    ("[1,2,3]", b"[" + b",".join([NOT_A_REQUEST] * 3) + b"]"),
    (
        (
            '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},'
            '{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},'
            '{"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},'
            '{"foo": "boo"},'
            '{"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},'
            '{"jsonrpc": "2.0", "method": "get_data", "id": "9"}]'
        ),
        b"["
        + b",".join(
            [
                _result("7", '"1"'),
                _result("19", '"2"'),
                _invalid('jsonrpc is "2.0"'),
                _not_found('"5"'),
                _result('["hello",5]', '"9"'),
            ]
        )
        + b"]",
    ),
    (
        (
            '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},'
            '{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]'
        ),
        None,
    ),
]

CORNERS = [
    # id: an absent one is a notification, a null one is not (§4); type and value come back as they were (§5).
    ('{"jsonrpc":"2.0","method":"echo","params":["x"],"id":null}', _result('"x"', "null")),
    ('{"jsonrpc":"2.0","method":"echo","params":["x"],"id":"1"}', _result('"x"', '"1"')),
    ('{"jsonrpc":"2.0","method":"echo","params":["x"],"id":""}', _result('"x"', '""')),
    ('{"jsonrpc":"2.0","method":"echo","params":["x"],"id":0}', _result('"x"', "0")),
    ('{"jsonrpc":"2.0","method":"echo","params":["x"],"id":1.5}', _result('"x"', "1.5")),
    ('{"jsonrpc":"2.0","method":"echo","params":["x"],"id":-9007199254740993}', _result('"x"', "-9007199254740993")),
    ('{"jsonrpc":"2.0","method":"echo","params":["x"],"id":"é"}', _result('"x"', '"é"')),
    ('{"jsonrpc":"2.0","method":"echo","params":["x"],"id":true}', _invalid("id is a string, a number or null")),
    ('{"jsonrpc":"2.0","method":"echo","params":["x"],"id":[1]}', _invalid("id is a string, a number or null")),
    ('{"jsonrpc":"2.0","method":"echo","params":["x"],"id":{}}', _invalid("id is a string, a number or null")),
    # the envelope
    ('{"jsonrpc":"1.0","method":"echo","params":["x"],"id":1}', _invalid('jsonrpc is "2.0"', "1")),
    ('{"jsonrpc":2.0,"method":"echo","params":["x"],"id":1}', _invalid('jsonrpc is "2.0"', "1")),
    ('{"method":"echo","params":["x"],"id":1}', _invalid('jsonrpc is "2.0"', "1")),
    ('{"jsonrpc":"2.0","id":1}', _invalid("method is a string", "1")),
    ('{"jsonrpc":"2.0","method":null,"id":1}', _invalid("method is a string", "1")),
    ('{"jsonrpc":"2.0","method":"echo","params":"x","id":1}', _invalid("params is an array or an object", "1")),
    ('{"jsonrpc":"2.0","method":"echo","params":null,"id":1}', _invalid("params is an array or an object", "1")),
    ('{"jsonrpc":"2.0","method":"echo","params":7}', _invalid("params is an array or an object")),
    ('{"jsonrpc":"2.0","method":"echo","params":["x"],"id":1,"extra":true}', _result('"x"')),
    ("{}", _invalid('jsonrpc is "2.0"')),
    ("1", NOT_A_REQUEST),
    ('"echo"', NOT_A_REQUEST),
    ("null", NOT_A_REQUEST),
    ("true", NOT_A_REQUEST),
    ("[[]]", b"[" + NOT_A_REQUEST + b"]"),
    ("[1,2]", b"[" + NOT_A_REQUEST + b"," + NOT_A_REQUEST + b"]"),
    # notifications are not answered, whatever becomes of them (§4.1), not even in a batch (§6)
    ('{"jsonrpc":"2.0","method":"subtract","params":["x"]}', None),
    ('{"jsonrpc":"2.0","method":"break"}', None),
    ('{"jsonrpc":"2.0","method":"refuse"}', None),
    ('{"jsonrpc":"2.0","method":"nan"}', None),
    ('[{"jsonrpc":"2.0","method":"break"}]', None),
    ('[{"jsonrpc":"2.0","method":"break"},1]', b"[" + NOT_A_REQUEST + b"]"),
    ('[{"jsonrpc":"2.0","method":"echo","params":["x"],"id":1}]', b"[" + _result('"x"') + b"]"),
    # methods
    ('{"jsonrpc":"2.0","method":"rpc.foo","id":1}', _not_found("1")),
    ('{"jsonrpc":"2.0","method":"subtrac","id":1}', _not_found("1", "nearest: subtract")),
    ('{"jsonrpc":"2.0","method":"__init__","id":1}', _not_found("1")),
    ('{"jsonrpc":"2.0","method":"","id":1}', _not_found("1")),
    ('{"jsonrpc":"2.0","method":"update","id":1}', _result("null")),
    ('{"jsonrpc":"2.0","method":"update","params":[],"id":1}', _result("null")),
    ('{"jsonrpc":"2.0","method":"update","params":{},"id":1}', _result("null")),
    # failures of a handler: its own error, and never the inside of a bug
    (
        '{"jsonrpc":"2.0","method":"refuse","id":1}',
        _error(1001, "conversation.already_running", "a conversation runs", "stop it", "1"),
    ),
    ('{"jsonrpc":"2.0","method":"break","id":1}', _internal()),
    ('{"jsonrpc":"2.0","method":"nan","id":1}', _internal()),
    # params are bound before the handler is called
    ('{"jsonrpc":"2.0","method":"subtract","params":[1],"id":1}', _bad_params("subtrahend: missing, a whole number")),
    (
        '{"jsonrpc":"2.0","method":"subtract","params":[1,2,3],"id":1}',
        _bad_params("3 given, at most 2 known (minuend, subtrahend)"),
    ),
    (
        '{"jsonrpc":"2.0","method":"subtract","params":{"minuend":"7","subtrahen":true},"id":1}',
        _bad_params(
            'minuend: "7" is not a whole number, -1000..; subtrahend: missing, a whole number; '
            "subtrahen: no such parameter (nearest: subtrahend)"
        ),
    ),
    (
        '{"jsonrpc":"2.0","method":"subtract","params":[-1001,0],"id":1}',
        _bad_params("minuend: -1001 is out of range -1000.."),
    ),
    (
        '{"jsonrpc":"2.0","method":"get_data","params":{"x":1},"id":1}',
        _bad_params("x: no such parameter (it takes none)"),
    ),
    ('{"jsonrpc":"2.0","method":"sum","params":[true],"id":1}', _bad_params("a: true is not a whole number")),
    ('{"jsonrpc":"2.0","method":"sum","params":[1.5],"id":1}', _bad_params("a: 1.5 is not a whole number")),
    ('{"jsonrpc":"2.0","method":"halve","params":[1],"id":1}', _result("0.5")),
    ('{"jsonrpc":"2.0","method":"halve","params":["1"],"id":1}', _bad_params('number: "1" is not a number')),
    # white space and escapes
    (' \t{"jsonrpc":"2.0","method":"echo","params":["x"],"id":1}\r', _result('"x"')),
    ('{"jsonrpc":"2.0","method":"echo","params":["\\ud83d\\ude00\\u000a"],"id":1}', _result('"😀\\n"')),
    ('{"jsonrpc":"2.0","meth\\u006fd":"echo","params":["x"],"id":1}', _result('"x"')),
]

TRAPS = [
    (b"", _parse_error("not JSON from character 1")),
    (b"   ", _parse_error("not JSON from character 4")),
    (b"{", _parse_error("not JSON from character 2")),
    (b'{"jsonrpc":"2.0","method":"sum","params":[NaN],"id":1}', _parse_error("NaN is not JSON")),
    (b'{"jsonrpc":"2.0","method":"sum","params":[Infinity],"id":1}', _parse_error("Infinity is not JSON")),
    (b'{"jsonrpc":"2.0","method":"sum","params":[-Infinity],"id":1}', _parse_error("-Infinity is not JSON")),
    (b'{"jsonrpc":"2.0","method":"sum","params":[1e400],"id":1}', _parse_error("1e400 is too large")),
    (b'{"jsonrpc":"2.0","method":"sum","id":1,"id":2}', _parse_error("the same key twice in one object")),
    (
        b'{"jsonrpc":"2.0","method":"sum","params":{"a":1,"a":2},"id":1}',
        _parse_error("the same key twice in one object"),
    ),
    (b'{"jsonrpc":"2.0","method":"echo","params":["\\ud800"],"id":1}', _parse_error("half a surrogate pair")),
    (b'{"jsonrpc":"2.0","method":"echo","id":"\\udc00"}', _parse_error("half a surrogate pair")),
    (
        b'{"jsonrpc":"2.0","method":"\xff","id":1}',
        _parse_error("not UTF-8 from byte 28"),
    ),
    (
        b'\xed\xa0\x80{"jsonrpc":"2.0"}',
        _parse_error("not UTF-8 from byte 1"),
    ),
    (
        '{"jsonrpc":"2.0"}'.encode("utf-16-le"),
        _parse_error("not JSON from character 2"),
    ),
    (DEEP, _parse_error("nested too deep")),
    (b'{"a":' * 100_000, _parse_error("nested too deep")),
    (b'{"jsonrpc":"2.0"} {"jsonrpc":"2.0"}', _parse_error("not JSON from character 19")),
    (
        b'{"jsonrpc":"2.0","method":"a\tb","id":1}',
        _parse_error("not JSON from character 29"),
    ),
    (b"['single']", _parse_error("not JSON from character 2")),
    (b"[" + b",".join([b"1"] * (BATCH_LIMIT + 1)) + b"]", _invalid("a batch of more than 64")),
]


@pytest.mark.parametrize(("request_line", "reply"), SPECIFICATION)
def test_the_examples_of_the_specification_are_answered_to_the_byte(answer: Any, request_line: str, reply: Any) -> None:
    assert answer(request_line.encode()) == reply


@pytest.mark.parametrize(("request_line", "reply"), CORNERS)
def test_every_corner_of_the_specification_is_answered_to_the_byte(answer: Any, request_line: str, reply: Any) -> None:
    assert answer(request_line.encode()) == reply


@pytest.mark.parametrize(("request_line", "reply"), TRAPS)
def test_what_the_json_parser_would_let_through_is_a_parse_error(answer: Any, request_line: bytes, reply: Any) -> None:
    assert answer(request_line) == reply


def test_an_integer_of_five_thousand_digits_is_a_parse_error(answer: Any) -> None:
    reply = json.loads(answer(b'{"jsonrpc":"2.0","method":"sum","params":[' + b"9" * 5000 + b'],"id":1}'))

    assert (reply["error"]["code"], reply["id"]) == (-32700, None)


def test_an_integer_too_large_for_a_float_is_refused_like_any_other_wrong_value(answer: Any) -> None:
    reply = json.loads(answer(b'{"jsonrpc":"2.0","method":"halve","params":[1' + b"0" * 400 + b'],"id":1}'))

    assert (reply["error"]["code"], reply["id"]) == (-32602, 1)


def test_a_batch_at_the_limit_is_done(answer: Any) -> None:
    line = b"[" + b",".join([b'{"jsonrpc":"2.0","method":"update","id":1}'] * BATCH_LIMIT) + b"]"

    assert len(json.loads(answer(line))) == BATCH_LIMIT


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_parsing_never_raises(line: bytes) -> None:
    message = parse(line)

    assert all(isinstance(part, Call | Fault) for part in message.parts)


MEMBERS = st.sampled_from(["jsonrpc", "method", "params", "id", "x"])
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("2.0")
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(MEMBERS, inner), max_leaves=10)


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS)
def test_any_json_is_a_call_or_a_fault_and_a_call_is_well_formed(document: Any) -> None:
    for part in parse(json.dumps(document).encode()).parts:
        if isinstance(part, Call):
            assert isinstance(part.method, str)
        else:
            assert part.error.code in (-32700, -32600)


def test_refusing_a_line_answers_every_request_and_no_notification() -> None:
    busy = refusal("rpc.overloaded", "busy")
    line = b'[{"jsonrpc":"2.0","method":"a","id":7},{"jsonrpc":"2.0","method":"b"},3]'

    assert refuse_all(line, busy) == b"[" + encode_error(7, busy) + b"," + NOT_A_REQUEST + b"]"
    assert refuse_all(b'{"jsonrpc":"2.0","method":"b"}', busy) is None
    assert refuse_all(b"{", busy) == _parse_error("not JSON from character 2")


def test_a_refusal_takes_its_number_and_its_retryability_from_the_contract() -> None:
    assert refusal("link.unavailable", "no link").retryable
    assert not refusal("link.unavailable", "no link", retryable=False).retryable
    assert {kind: refusal(kind, "").code for kind in ERRORS} == {kind: error.code for kind, error in ERRORS.items()}
    with pytest.raises(KeyError):
        refusal("no.such.kind", "")


def test_a_result_that_is_not_json_is_our_bug() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        encode_result(1, float("inf"))
    with pytest.raises(TypeError):
        encode_result(1, object())


def test_one_undecodable_name_does_not_cost_the_reply() -> None:
    assert encode_result(1, "card \udcff") == _result('"card ?"')


def test_every_document_is_one_line() -> None:
    documents = [
        encode_result("a\nb", "c\nd"),
        encode_error(None, RpcError(1, "k", "a\nb", hint="c\r\n")),
        encode_notification("m", {"x": "\n"}),
    ]

    assert all(b"\n" not in document and b"\r" not in document for document in documents)
    assert join(documents, batch=True) == b"[" + b",".join(documents) + b"]"
    assert join([], batch=True) is None
    assert join(documents[:1], batch=False) == documents[0]
