#!/usr/bin/env bash
# setup.sh demo|dev|test|bench: bring this checkout's .venv and the machine's packages to what `make` needs. Idempotent.
#
#   demo  what runs, and the echo canceller and PortAudio if they can be had (without PortAudio it plays files)
#   dev   and what checks    nothing of the machine
#   test  and what tests     PortAudio, a PulseAudio that plays sound card, OpenSSL: all required;
#                            somebody else's Realtime server, if it can be had
#   bench and what measures  more voices and a plotter if they can be had
#
# Needs bash and a Python >= 3.11. Installs Debian packages as root or by a sudo that asks nothing, and otherwise names the
# command. Works offline once everything is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export DEBIAN_FRONTEND=noninteractive PATH="$PATH:/usr/sbin:/sbin" # ldconfig lives there, and not in everybody's PATH
VENV=.venv

main() {
  case "${1-}" in
    demo)
      python_packages ''
      optional_extra aec
      machine_packages optional libportaudio2
      ;;
    dev) python_packages dev ;;
    test)
      python_packages dev
      optional_peer speech-to-speech==1.1.0 scipy -- 'fastapi>=0.115' 'uvicorn>=0.30' httpx jsonschema
      machine_packages required libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins openssl
      ;;
    bench)
      python_packages dev
      optional_extra bench
      machine_packages optional espeak-ng
      ;;
    *) die "usage: $0 demo|dev|test|bench" ;;
  esac
}

say() { printf '%s\n' "$@" >&2; }
die() { say "$@"; exit 1; }

# --- the machine's packages ------------------------------------------------------------------------------------------

# Is it there? Asks for the thing that is used, not for the package that usually brings it.
present() {
  case "$1" in
    libportaudio2) "$VENV/bin/python" -c 'import ctypes.util as u; raise SystemExit(not u.find_library("portaudio"))' ;;
    pulseaudio) command -v pulseaudio ;;
    pulseaudio-utils) command -v pactl && command -v paplay && command -v parec ;;
    libasound2-plugins) compgen -G '/usr/lib*/*/alsa-lib/libasound_module_pcm_pulse.so' || compgen -G '/usr/lib*/alsa-lib/libasound_module_pcm_pulse.so' ;;
    openssl) command -v openssl ;;
    espeak-ng) command -v espeak-ng ;;
    python3*-venv) "$PYTHON" -c 'import ensurepip, venv' ;;
    *) die "setup.sh does not know how to look for $1" ;;
  esac >/dev/null 2>&1
}

missing_of() {
  local package missing=()
  for package in "$@"; do present "$package" || missing+=("$package"); done
  printf '%s' "${missing[*]}"
}

# machine_packages required|optional PACKAGE...
machine_packages() {
  local need=$1 missing
  shift
  missing=$(missing_of "$@")
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086 # a list of words
  apt_install $missing || true
  missing=$(missing_of "$@")
  [ -n "$missing" ] || return 0
  if [ "$need" = optional ]; then
    say "going on without: $missing (to have it: sudo apt-get install $missing)"
  else
    die "cannot go on without: $missing" "" "    sudo apt-get install $missing" "" "and then again what you have just run."
  fi
}

apt_install() {
  local as_root=()
  command -v apt-get >/dev/null || return 1
  if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || return 1
    as_root=(sudo -n env DEBIAN_FRONTEND=noninteractive)
  fi
  # --no-remove: a test's sound server must not push somebody's own one off the machine.
  local apt=("${as_root[@]}" apt-get -q -o DPkg::Lock::Timeout=120)
  local install=("${apt[@]}" install -y --no-install-recommends --no-remove "$@")
  say "installing with apt-get: $*"
  quietly "${install[@]}" 2>/dev/null && return
  quietly "${apt[@]}" update || true # lists that are missing or stale are the usual reason
  quietly "${install[@]}"
}

# What a command says is of interest only if it fails.
quietly() {
  local output
  output=$("$@" 2>&1 </dev/null) || { say "$output"; return 1; }
}

# --- Python and its packages -----------------------------------------------------------------------------------------

find_python() {
  local candidate
  for candidate in python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys._base_executable)' # not that of a venv that may go away
      return
    fi
  done
  die "No Python 3.11 or newer was found (python3, python3.13, python3.12, python3.11)." \
    "    sudo apt-get install python3.11 python3.11-venv"
}

# Its programs hold absolute paths, so a checkout that was moved or copied needs a new one.
venv_works() { grep -qF "$PWD/$VENV/" "$VENV/bin/pip" && "$VENV/bin/python" -m pip --version; } >/dev/null 2>&1

make_venv() {
  local version
  PYTHON=$(find_python)
  version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  machine_packages required "python$version-venv"
  say "creating $VENV with $PYTHON ($version)"
  rm -rf "$VENV" 2>/dev/null || die "$PWD/$VENV does not work for $(id -un) and cannot be replaced: remove it by hand."
  "$PYTHON" -m venv "$VENV"
}

# python_packages EXTRA: what is installed with the extra is also enough without it.
python_packages() {
  local extra=$1
  if installed "${extra:-run}" || installed dev; then
    "$VENV/bin/python" -c '' 2>/dev/null && return # but not when the Python under it was upgraded away
  fi
  venv_works || make_venv
  say "installing Python packages into $VENV (once)"
  pip_install "$extra" >&2 ||
    die "pip could not install the Python packages; it says why above. This needs the network once."
  note_installed "${extra:-run}"
}

# optional_extra EXTRA: tried once; what cannot be had now is not asked for again at every run.
optional_extra() {
  local extra=$1
  if installed "$extra" || { [ "$extra" = aec ] && installed dev; }; then return; fi # dev brings the canceller
  say "installing the extra [$extra] (once)"
  pip_install "$extra" >/dev/null 2>&1 ||
    say "going on without: [$extra] (to have it: $VENV/bin/python -m pip install -e '.[$extra]')"
  note_installed "$extra"
}

# optional_peer NAME==VERSION BARE... -- PACKAGE...: a program of others that tests talk to, in a place of its own so that
# what it needs is not what we need. It and BAREs come without their requirements, which would be gigabytes of models'
# tools; PACKAGEs come with theirs.
optional_peer() {
  local name=${1%%==*} wanted="$*" bare=()
  local place=$VENV/peers/$name
  [ "$(cat "$place/.installed" 2>/dev/null)" != "$wanted" ] || return 0
  while [ "$1" != -- ]; do bare+=("$1"); shift; done
  shift
  say "installing $name for the tests that talk to it (once)"
  rm -rf "$place"
  { pip_quietly --no-deps --target "$place" "${bare[@]}" && pip_quietly --target "$place" "$@"; } >/dev/null 2>&1 || {
    rm -rf "$place"
    say "going on without: $name (its tests are skipped)"
  }
  mkdir -p "$place"
  printf '%s\n' "$wanted" >"$place/.installed"
}

pip_install() { pip_quietly -e ".${1:+[$1]}"; }
pip_quietly() { "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@" </dev/null; }

# Whether this was brought to what pyproject.toml wants now, in this place.
installed() { [ "$(cat "$VENV/.installed-$1" 2>/dev/null)" = "$(wanted)" ]; }
note_installed() { wanted >"$VENV/.installed-$1"; }
wanted() { printf '%s %s\n' "$PWD" "$(sha256sum pyproject.toml)"; }

main "$@"
