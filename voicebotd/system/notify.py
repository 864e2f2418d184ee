"""What the service manager is told: sd_notify(3), by hand.

Owns the datagrams. Knows nothing of the daemon's health: whoever calls decides what is true. Without a service manager
every call does nothing, and a service manager that does not listen is no reason to fail.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping


class Notifier:
    """Tells the service manager READY, STATUS and STOPPING. Never raises, never waits."""

    def __init__(self, address: str = "") -> None:
        """`address`: the value of $NOTIFY_SOCKET; empty where there is no service manager."""
        # sd_notify(3): a leading @ stands for the NUL of the abstract namespace; other forms are not ours.
        self._address = "\0" + address[1:] if address.startswith("@") else address

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Notifier:
        return cls(environ.get("NOTIFY_SOCKET", ""))

    def ready(self, status: str = "") -> None:
        """Start-up is complete."""
        self._send("READY=1", status)

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("", text)

    def stopping(self, status: str = "") -> None:
        """The end has begun; nothing may follow it."""
        self._send("STOPPING=1", status)

    def _send(self, state: str, status: str) -> None:
        if not self._address:
            return
        # A line break in the text would begin another assignment.
        line = f"STATUS={' '.join(status.split())}" if status else ""
        message = "\n".join(part for part in (state, line) if part)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto(message.encode(), self._address)
        except (OSError, ValueError):
            # sd_notify(3) advises to ignore failures; ValueError is Python's word for an address with a NUL in it.
            pass
