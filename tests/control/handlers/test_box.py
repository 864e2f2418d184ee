"""How refusals of the conversation become answers for a client."""

import pytest

from voicebotd.control.contract import ERRORS
from voicebotd.errors import CommandRefusedError, ConfigError, Problem, RpcError

pytestmark = pytest.mark.asyncio


async def refused_as(error):
    raise error


@pytest.mark.parametrize("kind", ["conversation.not_running", "link.unavailable", "talk.active", "rpc.shutting_down"])
async def test_a_refusal_keeps_kind_words_and_remedy_and_gets_the_contracts_code(open_box, kind):
    async with open_box() as box:
        with pytest.raises(RpcError) as refused:
            await box.box.refusing(refused_as(CommandRefusedError(kind, "no", hint="do this", retryable=True)))
    answer = refused.value
    assert (answer.code, answer.kind, answer.message, answer.hint) == (ERRORS[kind].code, kind, "no", "do this")
    assert answer.retryable


async def test_a_refusal_that_cannot_be_mended_by_trying_again_says_so(open_box):
    async with open_box() as box:
        with pytest.raises(RpcError) as refused:
            await box.box.refusing(refused_as(CommandRefusedError("link.unavailable", "no")))
    assert not refused.value.retryable


async def test_other_errors_pass_as_they_are(open_box):
    problems = ConfigError([Problem(key="k", message="m")])
    async with open_box() as box:
        with pytest.raises(ConfigError) as passed:
            await box.box.refusing(refused_as(problems))
    assert passed.value is problems
