"""One real voicebotd as a process: its configuration, its directories, its control socket, its end.

Owns starting it, asking it (by voicebotctl and by the rig's own client) and judging that it ended well.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from rig.rpc import RpcClient
from rig.waiting import SCALE, wait_for

KEY = "sk-rehearsal-0123456789abcdef"
STOP_LIMIT_S = 5.0
"""What the daemon promises the service manager: SIGTERM ends it cleanly within this time."""

# A test daemon sees nothing of the developer's own settings, nor of a service manager that runs the tests.
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "TZ")

Settings = dict[str, Any]
MakeSettings = Callable[[str], Settings]


def merged(base: Settings, over: Settings) -> Settings:
    """Merge nested maps; `over` wins."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


class Home:
    """The directories of one daemon, kept over its restarts. Short paths: a Unix socket's path holds 107 bytes."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="vb-", dir="/tmp"))
        for name in ("config", "state", "run", "cwd"):
            (self.path / name).mkdir(mode=0o700)
        self.socket = self.path / "run" / "control.sock"

    def environment(self, extra: dict[str, str]) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if name in _KEPT}
        env.update(
            HOME=str(self.path),
            XDG_CONFIG_HOME=str(self.path / "config"),
            XDG_STATE_HOME=str(self.path / "state"),
            XDG_RUNTIME_DIR=str(self.path / "run"),
            OPENAI_API_KEY=KEY,
            NO_COLOR="1",
            PYTHONUNBUFFERED="1",
        )
        env.update(extra)
        return env

    def remove(self) -> None:
        shutil.rmtree(self.path)


def program(name: str) -> str:
    """The installed console script beside this Python."""
    return str(Path(sys.executable).with_name(name))


class Daemon:
    """A running daemon. Use it as a context manager: leaving it stops it and demands a clean end."""

    def __init__(
        self, settings: Settings, *, env: dict[str, str], home: Home | None = None, sets: tuple[str, ...] = ()
    ):
        self._own_home = home is None
        self.home = home or Home()
        self.env = self.home.environment(env)
        self._config = self.home.path / "voicebotd.yaml"
        self._config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        self._log = self.home.path / "stderr.log"
        self._rpc: RpcClient | None = None
        self.started_at_s = 0.0
        self.process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    # Life.

    def start(self, *, wait: bool = True) -> Daemon:
        command = [sys.executable, "-m", "voicebotd", "--config", str(self._config), "--socket", str(self.home.socket)]
        self.started_at_s = time.monotonic()
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=self.env,
                cwd=self.home.path / "cwd",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if wait:
            self._rpc = wait_for(self._connect, 15, lambda: f"answer on the control socket:\n{self.log()}")
        return self

    def _connect(self) -> RpcClient | None:
        assert self.process
        assert self.process.poll() is None, f"the daemon ended with {self.process.returncode}:\n{self.log()}"
        try:
            return RpcClient(self.home.socket)
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Signal it; exit code 0 within the promised time; no traceback was ever logged. A second call does nothing."""
        assert self.process
        if self._stopped:
            return
        self._stopped = True
        if self._rpc:
            self._rpc.close()
            self._rpc = None
        began_s = time.monotonic()
        self.process.send_signal(number)
        try:
            code = self.process.wait(STOP_LIMIT_S * SCALE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGUSR1)
            time.sleep(0.2)  # faulthandler writes the stacks
            self.kill()
            raise AssertionError(
                f"still alive {STOP_LIMIT_S * SCALE:.0f} s after {number.name}:\n{self.log()[-6000:]}"
            ) from None
        assert code == 0, f"exit code {code} after {time.monotonic() - began_s:.1f} s:\n{self.log()[-6000:]}"
        assert "Traceback" not in self.log(), self.log()[-6000:]

    def kill(self) -> None:
        """End it without ceremony (for a test that already failed)."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)

    def __enter__(self) -> Daemon:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.stop()
            else:
                print(f"--- the daemon's log ({self.home.path}):\n{self.log()[-8000:]}")
        finally:
            self.close()

    def close(self) -> None:
        self.kill()
        if self._rpc:
            self._rpc.close()
        if self._own_home:
            self.home.remove()

    # Questions.

    @property
    def rpc(self) -> RpcClient:
        assert self._rpc, "the daemon was not started"
        return self._rpc

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def status(self) -> Any:
        return self.rpc.call("status.get")

    def wait_for_status(self, fits: Any, deadline_s: float, what: str) -> Any:
        """Return the first status that `fits`."""

        def probe() -> Any:
            status = self.status()
            return status if fits(status) else None

        return wait_for(probe, deadline_s, lambda: f"{what}; status: {self.status()}", every_s=0.05)

    def wait_until_linked(self) -> None:
        """Return when a conversation can be held."""
        self.wait_for_status(lambda status: status["link"]["state"] == "ready", 10, "ready link")

    def wait_until_ready(self) -> None:
        """Return when a conversation can be held aloud."""
        self.wait_until_linked()
        self.wait_for_status(lambda status: status["audio"]["state"] == "running", 5, "running audio")

    def ctl(self, *arguments: str, deadline_s: float = 15.0) -> subprocess.CompletedProcess[str]:
        """Run voicebotctl against this daemon; the caller judges the exit code."""
        return subprocess.run(
            [program("voicebotctl"), "--socket", str(self.home.socket), *arguments],
            env=self.env,
            cwd=self.home.path / "cwd",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=deadline_s * SCALE,
            check=False,
        )

    def ctl_ok(self, *arguments: str) -> str:
        """Run voicebotctl, demand success, return what it printed."""
        done = self.ctl(*arguments)
        assert done.returncode == 0, f"voicebotctl {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def ctl_json(self, *arguments: str) -> Any:
        return json.loads(self.ctl_ok("--json", *arguments))

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def audio_process(self) -> int:
        """The pid of the audio process: the daemon's child that runs the engine."""
        for pid in children(self.pid):
            if b"voicebotd.audio.engine" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        raise AssertionError(f"daemon {self.pid} has no audio process")


RunDaemon = Callable[..., Daemon]


def children(pid: int) -> list[int]:
    """The direct children of a process, by /proc."""
    return [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]
