#!/usr/bin/env bash
# Runs a command with a display of its own (Xvfb) and a sound server of its own, both gone afterwards.
set -euo pipefail

scratch=$(mktemp -d)
pids=()
clean_up() {
  [ "${#pids[@]}" -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
  rm -rf "$scratch"
}
trap clean_up EXIT

exec 3>"$scratch/display"
Xvfb -displayfd 3 -screen 0 1600x1000x24 -nolisten tcp >"$scratch/xvfb.log" 2>&1 &
pids+=($!)
for _ in $(seq 100); do
  [ -s "$scratch/display" ] && break
  sleep 0.1
done
if [ ! -s "$scratch/display" ]; then
  echo "with-desktop.sh: no display: Xvfb did not start" >&2
  cat "$scratch/xvfb.log" >&2
  exit 1
fi
export DISPLAY=":$(cat "$scratch/display")"
unset WAYLAND_DISPLAY

export XDG_RUNTIME_DIR="$scratch/run" PULSE_RUNTIME_PATH="$scratch/run/pulse"
mkdir -p -m 700 "$XDG_RUNTIME_DIR" "$PULSE_RUNTIME_PATH"
HOME="$scratch" pulseaudio -n --daemonize=no --exit-idle-time=-1 --disallow-exit --log-target=stderr \
  --load="module-native-protocol-unix socket=$scratch/run/pulse/native auth-anonymous=1" \
  --load="module-null-sink sink_name=speaker" --load="module-null-sink sink_name=microphone" \
  >"$scratch/pulse.log" 2>&1 &
pids+=($!)
export PULSE_SERVER="unix:$scratch/run/pulse/native"
for _ in $(seq 100); do
  pactl info >/dev/null 2>&1 && break
  sleep 0.1
done
if ! pactl info >/dev/null 2>&1; then
  echo "with-desktop.sh: no sound server: PulseAudio did not start" >&2
  cat "$scratch/pulse.log" >&2
  exit 1
fi

# What is played to the sink `microphone` is heard by the default microphone.
pactl set-default-sink speaker
pactl set-default-source microphone.monitor

"$@"
