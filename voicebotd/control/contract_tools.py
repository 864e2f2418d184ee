"""What the methods of the functions take and return.

Owns names, defaults and units, as contract_params.py and contract_results.py do for the other methods; apart from them,
because a client that asks for something else need not make these. Standard library only. No
`from __future__ import annotations`: readers want real types.
"""

from dataclasses import dataclass, field
from typing import Any

from voicebotd.control.contract_types import doc


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallParams:
    name: str = field(metadata=doc("name of the function, as tools.list tells it; the model need not see it"))
    arguments: dict[str, Any] = field(default_factory=dict, metadata=doc("by the function's schema"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolEntry:
    name: str = field(metadata=doc("as the model calls it"))
    description: str = field(metadata=doc("what the model reads of it"))
    source: str = field(metadata=doc("where it was found: a module, a file, a server"))
    group: str = field(metadata=doc("under which session.tools may name it together with what came with it"))
    enabled: bool = field(metadata=doc("the model may call it"))
    timeout_s: float = field(metadata=doc("how long it may take", unit="s"))
    parameters: dict[str, Any] = field(metadata=doc("JSON Schema of its arguments"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFault:
    source: str = field(metadata=doc("what is broken: a file, a module, a key"))
    message: str = field(metadata=doc("why"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolServer:
    name: str = field(metadata=doc("as tools.mcp names it; its functions are NAME__FUNCTION"))
    transport: str = field(metadata=doc("stdio (the box started it) or http"))
    state: str = field(metadata=doc("connecting, ready, waiting (it died and is tried again), or unavailable"))
    reason: str = field(metadata=doc("why it is not ready, or what it died of last"))
    functions: int = field(metadata=doc("how many are offered"))
    restarts: int = field(metadata=doc("how often it was connected again"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolList:
    tools: list[ToolEntry] = field(metadata=doc("all that can be called, in the order in which they were found"))
    faults: list[ToolFault] = field(metadata=doc("what is broken and left out"))
    servers: list[ToolServer] = field(default_factory=list, metadata=doc("the servers of tools.mcp that are enabled"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalled:
    name: str = field(metadata=doc("the function"))
    output: str = field(metadata=doc("what the model would be told"))
    duration_ms: int = field(metadata=doc("how long it took", unit="ms"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolApproveParams:
    approval_request_id: str = field(metadata=doc("the id of the event approval_requested on topic tool"))
    approve: bool = field(default=True, metadata=doc("false refuses it"))
    reason: str = field(default="", metadata=doc("what the model is told about why"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDecided:
    id: str = field(metadata=doc("the request"))
    approved: bool = field(metadata=doc("whether the call may be made"))
    server: str = field(metadata=doc("where"))
    name: str = field(metadata=doc("which function"))
