"""The OpenRPC document: valid in structure, complete, and nothing in it that the contract does not say."""

import json
from typing import Any

from voicebotd.control.contract import METHODS, TOPICS
from voicebotd.control.openrpc import openrpc_document


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*(_references(part) for part in value.values()))
    return set().union(*(_references(part) for part in value)) if isinstance(value, list) else set()


def _params(name: str) -> dict[str, Any]:
    method = next(method for method in openrpc_document()["methods"] if method["name"] == name)
    return {param["name"]: param for param in method["params"]}


def test_it_has_what_openrpc_requires_of_a_document() -> None:
    document = json.loads(json.dumps(openrpc_document()))

    assert document["openrpc"].startswith("1.")
    assert set(document["info"]) >= {"title", "version"}
    assert [method["name"] for method in document["methods"]] == list(METHODS)
    for method in document["methods"]:
        assert set(method) >= {"name", "params", "result", "errors"}
        assert all(set(param) >= {"name", "schema", "required"} for param in method["params"])
        assert set(method["result"]) >= {"name", "schema"}
        assert all(isinstance(error["code"], int) and error["message"] for error in method["errors"])
    assert document["x-topics"] == list(TOPICS)


def test_every_reference_leads_somewhere_and_every_schema_is_referred_to() -> None:
    document = openrpc_document()
    inner = {reference for reference in _references(document) if reference.startswith("#")}

    assert inner == {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert {} not in document["components"]["schemas"].values()


def test_a_parameter_has_type_range_unit_default_and_documentation() -> None:
    assert _params("vad.set")["silence_duration_ms"] == {
        "name": "silence_duration_ms",
        "description": "silence that ends a turn (server_vad, local)",
        "required": False,
        "schema": {
            "anyOf": [{"type": "integer"}, {"type": "null"}],
            "description": "silence that ends a turn (server_vad, local) (ms)",
            "minimum": 100,
            "maximum": 10_000,
            "default": None,
        },
    }


def test_choices_lists_and_free_objects_are_schemas_too() -> None:
    assert _params("message.send")["role"]["schema"]["enum"] == ["user", "system"]
    assert _params("events.subscribe")["topics"]["schema"]["anyOf"][0]["items"]["enum"] == list(TOPICS)
    assert _params("config.set")["values"]["schema"]["additionalProperties"] == {}
    assert _params("message.send")["text"] == {
        "name": "text",
        "description": "what to put into the conversation",
        "required": True,
        "schema": {"type": "string", "description": "what to put into the conversation"},
    }


def test_a_result_names_its_required_fields_and_refers_to_its_parts() -> None:
    status = openrpc_document()["components"]["schemas"]["Status"]

    assert {"state", "reason", "uptime_s", "conversation", "link", "audio"} <= set(status["required"])
    assert status["properties"]["link"]["$ref"] == "#/components/schemas/LinkStatus"
    assert status["properties"]["health"]["additionalProperties"] == {"$ref": "#/components/schemas/HealthStatus"}
