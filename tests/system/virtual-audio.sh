#!/usr/bin/env bash
# virtual-audio.sh: a private PulseAudio that plays sound card on machines that have none (no systemd, no D-Bus, root is fine).
#
#   microphone   null sink "mic_in", whose monitor is remapped to the source "vmic"; what is played into mic_in is heard
#   loudspeaker  null sink "vspk"; what is recorded from vspk.monitor is what a visitor would have heard
#   room         with `loop MS DB` the microphone also hears the loudspeaker, that much later and louder (-6: quieter)
#
# verbs   start | stop | status | env | play FILE | record FILE.wav SECONDS | loop MS DB | unloop
# faults  kill9 | freeze | thaw | killstreams | unplug | replug | unplugall | suspend | resume
#
# By hand:  ./virtual-audio.sh start; eval "$(./virtual-audio.sh env)"; voicebotd --rehearse &  ./virtual-audio.sh play question.wav
# Several cards live side by side with different VA_DIR. Needs: pulseaudio pulseaudio-utils libasound2-plugins libportaudio2.
#
# norewinds=1 is what makes it usable: a null sink without it works in blocks of 2 s, so that capture starts two seconds
# late and PortAudio spins or dies.
set -euo pipefail
VA_DIR=${VA_DIR:-/tmp/va-$UID} # short: a Unix socket's path holds 107 bytes
VA_RATE=${VA_RATE:-48000}
SOCKET=$VA_DIR/native.sock
PID_FILE=$VA_DIR/pulse/pid # pulseaudio writes it under PULSE_RUNTIME_PATH

set_env() {
  export XDG_RUNTIME_DIR=$VA_DIR HOME=$VA_DIR/home XDG_CONFIG_HOME=$VA_DIR/home/.config
  export PULSE_RUNTIME_PATH=$VA_DIR/pulse PULSE_STATE_PATH=$VA_DIR/state
  export PULSE_SERVER=unix:$SOCKET ALSA_CONFIG_PATH=$VA_DIR/asound.conf
  unset DBUS_SESSION_BUS_ADDRESS DISPLAY WAYLAND_DISPLAY || true
}

# A killed process stays a zombie where nobody reaps (containers), and kill -0 calls a zombie alive.
alive() {
  local pid
  pid=$(cat "$PID_FILE" 2>/dev/null) && [ -n "$pid" ] || return 1
  case "$(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null)" in '' | Z | X) return 1 ;; esac
}

await_death() { for _ in $(seq "$1"); do alive || return 0; sleep 0.02; done; return 1; }

null_sink() {
  echo "module-null-sink sink_name=$1 rate=$VA_RATE channels=1 channel_map=mono format=s16le norewinds=1 sink_properties=device.description=$1"
}
VMIC="module-remap-source source_name=vmic master=mic_in.monitor source_properties=device.description=vmic"

start() {
  alive && { echo "already running, pid $(cat "$PID_FILE")"; return 0; }
  command -v pulseaudio >/dev/null || { echo "pulseaudio is not installed (the package pipewire-alsa removes it)" >&2; exit 1; }
  mkdir -p "$VA_DIR"/{pulse,state,home/.config/pulse}
  chmod 700 "$VA_DIR" "$VA_DIR/pulse"
  rm -f "$SOCKET" "$PID_FILE"
  cat >"$VA_DIR/default.pa" <<PA
.fail
load-module module-native-protocol-unix socket=$SOCKET auth-anonymous=1
load-module module-cli-protocol-unix
load-module $(null_sink mic_in)
load-module $(null_sink vspk)
load-module $VMIC
set-default-sink vspk
set-default-source vmic
PA
  # Nothing is included: PortAudio then lists these two and probes no hardware.
  cat >"$VA_DIR/asound.conf" <<'AL'
pcm.pulse    { type pulse hint { show on description "pulse" } }
ctl.pulse    { type pulse }
pcm.!default { type pulse hint { show on description "default -> pulse" } }
ctl.!default { type pulse }
AL
  set_env
  pulseaudio -n -F "$VA_DIR/default.pa" --daemonize=yes --fail=true --disallow-exit=no --exit-idle-time=-1 \
    --use-pid-file=yes --disable-shm=yes --realtime=no --high-priority=no --system=no \
    --log-level=notice --log-target=file:"$VA_DIR/pulse.log" 2>"$VA_DIR/start.err" ||
    { tail -n 20 "$VA_DIR/start.err" "$VA_DIR/pulse.log" >&2; exit 1; }
  for _ in $(seq 60); do
    pactl info >/dev/null 2>&1 && { echo "up, pid $(cat "$PID_FILE")"; return 0; }
    sleep 0.05
  done
  echo "pulseaudio did not come up" >&2
  exit 1
}

stop() {
  if alive; then
    kill "$(cat "$PID_FILE")"
    await_death 100 || kill -9 "$(cat "$PID_FILE")"
  fi
  rm -f "$SOCKET" "$PID_FILE"
  echo stopped
}

modules() { pactl list short modules | awk -v wanted="$1" '$0 ~ wanted {print $1}' | sort -rn; }

suspend() { pactl suspend-sink vspk "$1"; pactl suspend-source vmic "$1"; pactl suspend-sink mic_in "$1"; }

case "${1:-}" in
  start) start ;;
  stop) stop ;;
  status)
    set_env
    alive || { echo down; exit 3; }
    echo "alive, pid $(cat "$PID_FILE")"
    for kind in sinks sources sink-inputs source-outputs; do pactl list short $kind; done
    ;;
  env) echo "export PULSE_SERVER=unix:$SOCKET ALSA_CONFIG_PATH=$VA_DIR/asound.conf PULSE_RUNTIME_PATH=$VA_DIR/pulse" ;;
  play) set_env; paplay --device=mic_in --latency-msec=20 "$2" ;; # returns when it was heard
  record)
    set_env
    timeout "$3" parec --device=vspk.monitor --format=s16le --rate=24000 --channels=1 --latency-msec=10 --file-format=wav "$2" || [ $? -eq 124 ]
    ;;
  loop)
    set_env
    # The two sinks share one clock, so there is nothing to adjust; adjusting resamples, and stutters until it has settled.
    module=$(pactl load-module module-loopback source=vspk.monitor sink=mic_in latency_msec="$2" adjust_time=0 \
      source_dont_move=true sink_dont_move=true remix=false)
    input=$(pactl list sink-inputs | awk -v module="$module" '/^Sink Input #/ {n = substr($3, 2)} /Owner Module:/ && $3 == module {print n}')
    pactl set-sink-input-volume "$input" "${3}dB"
    ;;
  unloop) set_env; for m in $(modules 'module-loopback'); do pactl unload-module "$m"; done ;;
  kill9) kill -9 "$(cat "$PID_FILE")"; await_death 100 ;;
  freeze) kill -STOP "$(cat "$PID_FILE")" ;;
  thaw) kill -CONT "$(cat "$PID_FILE")" ;;
  killstreams) # every client stream is removed on the server, as when a stream cannot move off an unplugged device
    set_env
    pactl list short sink-inputs | awk '$3 != "-" {print $1}' | while read -r i; do pacmd kill-sink-input "$i"; done
    pactl list short source-outputs | awk '$3 != "-" {print $1}' | while read -r i; do pacmd kill-source-output "$i"; done
    ;;
  unplug) set_env; for m in $(modules 'sink_name=vspk|source_name=vmic'); do pactl unload-module "$m"; done ;;
  replug)
    set_env
    # shellcheck disable=SC2046,SC2086 # words are meant to be split
    { pactl load-module $(null_sink vspk); pactl load-module $VMIC; } >/dev/null
    pactl set-default-sink vspk
    pactl set-default-source vmic
    ;;
  unplugall) set_env; for m in $(modules 'module-null-sink|module-remap-source'); do pactl unload-module "$m" || true; done ;;
  suspend) set_env; suspend 1 ;;
  resume) set_env; suspend 0 ;;
  *) sed -n 2,14p "$0"; exit 2 ;;
esac
