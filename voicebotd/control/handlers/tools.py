"""tools.*: which functions there are, and a call by hand."""

from __future__ import annotations

import json
from dataclasses import asdict
from uuid import uuid4

from voicebotd.control.caller import Caller
from voicebotd.control.contract_params import NoParams
from voicebotd.control.contract_tools import (
    ToolApproveParams,
    ToolCalled,
    ToolCallParams,
    ToolDecided,
    ToolEntry,
    ToolFault,
    ToolList,
    ToolServer,
)
from voicebotd.control.dispatcher import Handler
from voicebotd.control.handlers.box import Box
from voicebotd.control.jsonrpc import refusal
from voicebotd.conversation import commands as cmd
from voicebotd.tools.registry import Call


def tool_handlers(box: Box) -> dict[str, Handler]:
    """Return the handlers of these methods, for the `Dispatcher`."""

    async def list_(_params: NoParams, _caller: Caller) -> ToolList:
        catalogue, timeout_s = box.toolbox.catalogue, box.toolbox.stock.wish.timeout_s
        return ToolList(
            tools=[
                ToolEntry(
                    name=tool.name,
                    description=tool.description,
                    source=tool.source,
                    group=tool.group,
                    enabled=tool in catalogue.offered,
                    timeout_s=tool.timeout_s or timeout_s,
                    parameters=tool.parameters,
                )
                for tool in catalogue.tools.values()
            ],
            faults=[ToolFault(source=fault.source, message=fault.message) for fault in catalogue.faults],
            servers=[ToolServer(**asdict(report)) for report in box.mcp.reports],
        )

    async def call(params: ToolCallParams, _caller: Caller) -> ToolCalled:
        # Another name each time: two calls by hand are two wishes.
        by_hand = Call(call_id=f"by_hand_{uuid4().hex}", conversation_id="")
        outcome = await box.tools.call(params.name, json.dumps(params.arguments), by_hand)
        if outcome.status != "completed":
            # Sentences for the model; for a person the remedy follows.
            message = str(json.loads(outcome.output)["error"]).removesuffix(".")
            raise refusal("tool.failed", message, hint="voicebotctl tools shows its arguments")
        return ToolCalled(name=params.name, output=outcome.output, duration_ms=outcome.duration_ms)

    async def approve(params: ToolApproveParams, _caller: Caller) -> ToolDecided:
        result = await box.command(
            lambda number: cmd.DecideApproval(
                request_id=number,
                approval_id=params.approval_request_id,
                approve=params.approve,
                reason=params.reason,
            )
        )
        return ToolDecided(**result)

    return {"tools.list": list_, "tools.call": call, "tools.approve": approve}
