"""The README's tables of methods and errors, written from the contract: `python -m voicebotd.control.contract_docs`.

Owns the Markdown. Pure but for the last line.
"""

import sys

from voicebotd.control.contract import ERRORS, METHODS, Method
from voicebotd.control.contract_types import FieldSpec, fields_of


def method_table() -> str:
    """Return one row for each method."""
    rows = ["| method | what it does | parameters | result | scope |", "|---|---|---|---|---|"]
    rows += [_row(method) for method in METHODS.values()]
    return "\n".join(rows) + "\n"


def error_table() -> str:
    """Return one row for each kind of error."""
    rows = ["| code | kind | meaning | worth a retry |", "|---|---|---|---|"]
    rows += [
        f"| {error.code} | `{error.kind}` | {error.summary} | {'yes' if error.retryable else 'no'} |"
        for error in ERRORS.values()
    ]
    return "\n".join(rows) + "\n"


def _row(method: Method) -> str:
    params = "<br>".join(_param(field) for field in fields_of(method.params_type))
    result = "OpenRPC" if method.result == "OpenRpcDocument" else _names(method)
    return f"| `{method.name}` | {method.summary} | {params} | {result} | {method.scope} |"


def _names(method: Method) -> str:
    return ", ".join(f"`{field.name}`" for field in fields_of(method.result_type))


def _param(field: FieldSpec) -> str:
    name = field.name if field.required else f"{field.name}?"
    limits = f" {field.range_text}".replace("|", "\\|") if field.range_text else ""
    unit = f" {field.unit}" if field.unit else ""
    default = "" if field.default is None else f" [{str(field.default).lower()}]"
    admin = " (admin)" if field.admin else ""
    return f"`{name}`{limits}{unit}{default}{admin}"


if __name__ == "__main__":
    sys.stdout.write(method_table() + "\n" + error_table())
