"""Directories of a box of its own, a log to read, and a box to ask: shared by the tests of the daemon's composition.

The fixtures import what they need, because most tests need none of it.
"""

import importlib.util
import io
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


class Directories:
    """A box's directories in a temporary place, and the environment that names them."""

    def __init__(self, root: Path) -> None:
        self.config, self.state, self.runtime, self.cwd = (
            root / name for name in ("config", "state", "runtime", "cwd")
        )
        for path in (self.config, self.state, self.runtime, self.cwd):
            path.mkdir()
        self.config_file = self.config / "voicebotd.yaml"
        self.overrides = self.state / "overrides.yaml"
        self.database = self.state / "voicebotd.db"
        self.socket = self.runtime / "control.sock"
        self.environ = {
            "CONFIGURATION_DIRECTORY": str(self.config),
            "STATE_DIRECTORY": str(self.state),
            "RUNTIME_DIRECTORY": str(self.runtime),
        }

    def load(self, *set_words: str, **environ: str) -> Any:
        from voicebotd.config.load import load  # noqa: PLC0415

        return load(environ={**self.environ, **environ}, cwd=self.cwd, set_words=set_words)


@pytest.fixture
def directories(tmp_path: Path) -> Directories:
    return Directories(tmp_path)


@pytest.fixture
def at_home(directories: Directories, monkeypatch: pytest.MonkeyPatch) -> Directories:
    """The same for code that asks its process for environment and directory; without any key."""
    for name in ("OPENAI_API_KEY", "OPENAI_API_KEY_FILE", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "LISTEN_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in directories.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(directories.cwd)
    return directories


@pytest.fixture
def own_logging() -> Iterator[None]:
    """The code under test sets up logging; give the test runner its own back."""
    import structlog  # noqa: PLC0415

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def log(own_logging: None) -> io.StringIO:
    """What is logged, warnings and worse."""
    from voicebotd.system.logging import setup  # noqa: PLC0415

    stream = io.StringIO()
    setup(level="warning", format="console", stream=stream, environ={})
    return stream


VISITOR = Path(__file__).parent.parent / "voicebotd/rehearsal/speech/visitor_goodbye.ogg"
"""A visitor who says two seconds of thanks."""


@pytest.fixture
def visitor() -> Path:
    return VISITOR


@pytest.fixture
def short_brain(tmp_path: Path) -> Any:
    """A brain for the rehearsal server that hears the visitor and has little to say."""
    from voicebotd.rehearsal.server import script_brain  # noqa: PLC0415

    script = tmp_path / "script.yaml"
    script.write_text(
        "turns: [{hears: Thank you., says: {audio: assistant_idle}}]\nafter_last: last\n", encoding="utf-8"
    )
    return script_brain(script)


@pytest.fixture(scope="session")
def fakes() -> ModuleType:
    """The module `fakes.py` beside this file."""
    spec = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("fakes.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["fakes"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def open_box(fakes: ModuleType, directories: Directories, log: io.StringIO) -> Callable[..., Any]:
    """`async with open_box("key=value", …) as box:` a running `fakes.FakeBox`."""
    return lambda *set_words, **options: fakes.running(directories, *set_words, **options)
