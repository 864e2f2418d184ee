"""Where everything lies: configuration, state, socket, profiles and the files that come with the program.

Owns the table of directories. For each directory the first of: systemd's own variable, the XDG variable
where it is set, the system's place for root, the user's place for others. Only looks; creates nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voicebotd.config.model import Settings

SHIPPED = Path(__file__).parent / "shipped"
"""The files of the repository's `config/`: a link to it in a checkout, a copy of it in an installed wheel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    config_file: Path
    config_dir: Path
    """Holds `conf.d/` and `profiles/`: the directory of `config_file`."""
    config_given: bool
    """Somebody named the configuration file, so it must exist."""
    state_dir: Path
    runtime_dir: Path
    user_service: bool
    """The socket lies in one user's private runtime directory."""

    @property
    def overrides_file(self) -> Path:
        """What `--persist` writes."""
        return self.state_dir / "overrides.yaml"

    def conf_d(self) -> list[Path]:
        """The fragments beside the configuration file, in lexical order."""
        return sorted((self.config_dir / "conf.d").glob("*.yaml"))

    def profiles(self) -> list[str]:
        """The names of all profiles, sorted."""
        return sorted({path.stem for directory in self._profile_dirs() for path in directory.glob("*.yaml")})

    def find_profile(self, name: str) -> Path | None:
        """The file of a profile: the box's own before the shipped one; None where there is none."""
        if name not in self.profiles():
            # Looked up among what is there, so that no name can climb out of the directories.
            return None
        return next(path for directory in self._profile_dirs() if (path := directory / f"{name}.yaml").is_file())

    def _profile_dirs(self) -> tuple[Path, Path]:
        return self.config_dir / "profiles", SHIPPED / "profiles"


def find_paths(environ: Mapping[str, str], uid: int, config_file: Path | None = None) -> Paths:
    """Decide the directories. `config_file`: named by hand (`--config`), it brings its neighbours with it."""
    home = Path(environ.get("HOME") or "/")
    root = uid == 0
    xdg_runtime = environ.get("XDG_RUNTIME_DIR")
    runtime = _directory(
        environ,
        "RUNTIME_DIRECTORY",
        "XDG_RUNTIME_DIR",
        Path("/run/voicebotd") if root else Path(f"/run/user/{uid}/voicebotd"),
    )
    state = _directory(
        environ,
        "STATE_DIRECTORY",
        "XDG_STATE_HOME",
        Path("/var/lib/voicebotd") if root else home / ".local/state/voicebotd",
    )
    config = _directory(
        environ,
        "CONFIGURATION_DIRECTORY",
        "XDG_CONFIG_HOME",
        Path("/etc/voicebotd") if root else home / ".config/voicebotd",
    )
    file = config_file or config / "voicebotd.yaml"
    private = Path(xdg_runtime) if xdg_runtime else Path("/run/user")
    return Paths(
        config_file=file,
        config_dir=file.parent,
        config_given=config_file is not None,
        state_dir=state,
        runtime_dir=runtime,
        user_service=runtime.is_relative_to(private),
    )


def socket_path(settings: Settings, paths: Paths) -> Path:
    """The control socket: `control.socket`, or the usual name in the runtime directory."""
    return _or_auto(settings.control.socket, paths.runtime_dir / "control.sock")


def database_path(settings: Settings, paths: Paths) -> Path:
    """The database: `history.path`, or the usual name in the state directory."""
    return _or_auto(settings.history.path, paths.state_dir / "voicebotd.db")


def built_in_instructions() -> list[str]:
    """The names that `session.instructions` may give instead of a text."""
    return sorted(path.stem for path in (SHIPPED / "instructions").glob("*.md"))


def instructions_file(name: str) -> Path:
    """The file of built-in instructions."""
    return SHIPPED / "instructions" / f"{name}.md"


def _directory(environ: Mapping[str, str], systemd: str, xdg: str, usual: Path) -> Path:
    # systemd.exec(5): several directories of one kind come as a list with colons; ours is the first.
    first = environ.get(systemd, "").partition(":")[0]
    if first:
        return Path(first)
    # The XDG base directory specification has relative paths ignored.
    base = Path(environ.get(xdg, ""))
    return base / "voicebotd" if base.is_absolute() else usual


def _or_auto(value: str, usual: Path) -> Path:
    return usual if value == "auto" else Path(value)
