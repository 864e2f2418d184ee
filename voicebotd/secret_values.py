"""What a reference of the configuration leads to, at the moment at which it is needed, and in no log from then on."""

from __future__ import annotations

from voicebotd.config.references import MissingSecretError, is_secret, read
from voicebotd.errors import ToolError
from voicebotd.system.logging import add_secret


def reveal(reference: str) -> str:
    """Raises ToolError saying why it leads nowhere."""
    try:
        found = read(reference)
    except MissingSecretError as error:
        raise ToolError(str(error)) from error
    if is_secret(reference):
        add_secret(found)
    return found.reveal()
