"""The contract as an OpenRPC document (https://spec.open-rpc.org), for clients that write themselves.

Owns the translation of contract dataclasses to JSON Schema. Pure.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from voicebotd.control.contract import ERRORS, METHODS, PROTOCOL_VERSION, TOPICS, Method
from voicebotd.control.contract_types import FieldSpec, fields_of, without_none

_META_SCHEMA = "https://meta.open-rpc.org/"
_PRIMITIVES = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}


def openrpc_document() -> dict[str, Any]:
    """Return the whole contract, ready to be encoded."""
    schemas: dict[str, Any] = {}
    return {
        "openrpc": "1.3.2",
        "info": {"title": "voicebotd control socket", "version": PROTOCOL_VERSION},
        "methods": [_method(method, schemas) for method in METHODS.values()],
        "components": {"schemas": schemas},
        "x-topics": list(TOPICS),
    }


def _method(method: Method, schemas: dict[str, Any]) -> dict[str, Any]:
    if method.name == "rpc.discover":
        result: dict[str, Any] = {"$ref": _META_SCHEMA}
    else:
        result = _schema(method.result_type, schemas)
    return {
        "name": method.name,
        "summary": method.summary,
        "paramStructure": "either",
        "params": [
            {
                "name": field.name,
                "description": field.doc,
                "required": field.required,
                "schema": _field_schema(field, schemas),
            }
            for field in fields_of(method.params_type)
        ],
        "result": {"name": method.result.rpartition(".")[2], "schema": result},
        "errors": [
            {"code": ERRORS[kind].code, "message": ERRORS[kind].summary, "data": {"kind": kind}}
            for kind in method.errors
        ],
        "x-scope": method.scope,
    }


def _field_schema(field: FieldSpec, schemas: dict[str, Any]) -> dict[str, Any]:
    """A field's type with its range, default, unit and documentation."""
    schema = dict(_schema(field.type, schemas))
    schema["description"] = f"{field.doc} ({field.unit})" if field.unit else field.doc
    if field.minimum is not None:
        schema["minimum"] = field.minimum
    if field.maximum is not None:
        schema["maximum"] = field.maximum
    if not field.required:
        schema["default"] = field.default
    return schema


def _schema(annotation: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an annotation; a dataclass is added to `schemas` once and referred to."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if without_none(annotation) != (annotation,):
        return {"anyOf": [_schema(part, schemas) for part in arguments]}
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0], schemas)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1], schemas)}
    if is_dataclass(annotation):
        return _reference(annotation, schemas)
    return {} if annotation is Any else {"type": _PRIMITIVES[annotation]}


def _reference(contract_type: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    name = contract_type.__name__
    if name not in schemas:
        schemas[name] = {}  # holds its place in the order while its fields are visited
        fields = fields_of(contract_type)
        schemas[name] = {
            "type": "object",
            "properties": {field.name: _field_schema(field, schemas) for field in fields},
            "required": [field.name for field in fields if field.required],
        }
    return {"$ref": f"#/components/schemas/{name}"}
