"""conversation.*, message.send, response.*, talk.*: what is asked of the conversation itself."""

from __future__ import annotations

import uuid
from contextlib import suppress

from voicebotd.control.caller import Caller
from voicebotd.control.contract_params import (
    ConversationStartParams,
    MessageSendParams,
    NoParams,
    ResponseRequestParams,
)
from voicebotd.control.contract_results import (
    ConversationRolled,
    ConversationStarted,
    ConversationStopped,
    ConversationSummary,
    MessageSent,
    ResponseInterrupted,
    ResponseRequested,
    Talk,
)
from voicebotd.control.dispatcher import Handler
from voicebotd.control.handlers.box import Box
from voicebotd.control.jsonrpc import refusal
from voicebotd.conversation import commands as cmd
from voicebotd.conversation.states import State
from voicebotd.errors import CommandRefusedError, RpcError


def conversation_handlers(box: Box) -> dict[str, Handler]:
    """Return the handlers of these methods, for the `Dispatcher`."""
    return {**_life(box), **_words(box)}


def _life(box: Box) -> dict[str, Handler]:
    async def start(params: ConversationStartParams, _caller: Caller) -> ConversationStarted:
        await give_back()
        # A start that is refused must not change the profile; the race with another start is the core's to judge.
        if params.profile is None or box.manager.snapshot().state is not State.OFF:
            return await begin(params)
        await box.refusing(box.tuning.lend(params.profile))
        try:
            return await begin(params)
        except RpcError:
            box.tuning.conversation_ended()
            await give_back()
            raise

    async def give_back() -> None:
        """The profile that was lent to the conversation before; what cannot be undone now waits for the next end."""
        with suppress(CommandRefusedError):
            await box.tuning.take_back()

    async def begin(params: ConversationStartParams) -> ConversationStarted:
        result = await box.command(
            lambda number: cmd.StartConversation(
                request_id=number,
                conversation_id=uuid.uuid4().hex,
                greeting=params.greeting,
                instructions=params.instructions,
            )
        )
        return ConversationStarted(**result)

    async def stop(_params: NoParams, _caller: Caller) -> ConversationStopped:
        summary = await box.command(lambda number: cmd.StopConversation(request_id=number))
        await give_back()  # here and not only when the end is noticed: whoever asks next finds it done
        return ConversationStopped(summary=ConversationSummary(**summary))

    async def roll(_params: NoParams, _caller: Caller) -> ConversationRolled:
        return ConversationRolled(**await box.command(lambda number: cmd.RollSession(request_id=number)))

    return {"conversation.start": start, "conversation.stop": stop, "conversation.roll": roll}


def _words(box: Box) -> dict[str, Handler]:
    async def send(params: MessageSendParams, _caller: Caller) -> MessageSent:
        result = await box.command(
            lambda number: cmd.SendMessage(
                request_id=number, text=params.text, role=params.role, respond=params.respond
            )
        )
        return MessageSent(**result)

    async def respond(params: ResponseRequestParams, _caller: Caller) -> ResponseRequested:
        result = await box.command(
            lambda number: cmd.RequestResponse(
                request_id=number, instructions=params.instructions, output=params.output, wait=params.wait
            )
        )
        return ResponseRequested(**result)

    async def interrupt(_params: NoParams, _caller: Caller) -> ResponseInterrupted:
        return ResponseInterrupted(**await box.command(lambda number: cmd.InterruptResponse(request_id=number)))

    async def talk_begin(_params: NoParams, _caller: Caller) -> Talk:
        if "commit" in box.link.status.lacks:
            raise refusal(
                "link.unsupported",
                "the server in use ends every turn by itself, so there is no push to talk with it",
                hint="voicebotctl status lists what this server lacks",
            )
        await box.command(lambda number: cmd.TalkBegin(request_id=number))
        return Talk(talking=True)

    async def talk_end(_params: NoParams, _caller: Caller) -> Talk:
        result = await box.command(lambda number: cmd.TalkEnd(request_id=number))
        return Talk(talking=False, committed=result["committed"])

    return {
        "message.send": send,
        "response.request": respond,
        "response.interrupt": interrupt,
        "talk.begin": talk_begin,
        "talk.end": talk_end,
    }
