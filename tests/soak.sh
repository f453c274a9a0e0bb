#!/usr/bin/env bash
# A long call between two headless endpoints through a separate server: memory must stay flat, frames must flow.
# Usage: tests/soak.sh [MINUTES] [extra options of call and answer]. Uses the release programs.
# Prints, for each process, the slope of its resident memory over the last two thirds with its standard error, and the
# figures of both sides.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-30}
shift || true
programs=${VISAVIS_PROGRAMS:-target/release}

scratch=$(mktemp -d)
pids=()
clean_up() {
  kill "${pids[@]}" 2>/dev/null || true
  rm -rf "$scratch"
}
trap clean_up EXIT

"$programs/visavis-server" --listen 127.0.0.1:0 --data "$scratch/server" >"$scratch/address" &
server=$!
pids+=("$server")
for _ in $(seq 50); do [ -s "$scratch/address" ] && break; sleep 0.1; done
address=$(cat "$scratch/address")

"$programs/visavis" answer --auto-accept --once --name bob --server "$address" --profile "$scratch/bob" \
  --stats "$scratch/bob.json" "$@" >"$scratch/handle" 2>"$scratch/bob.log" &
callee=$!
pids+=("$callee")
for _ in $(seq 100); do [ -s "$scratch/handle" ] && break; sleep 0.1; done

"$programs/visavis" call "$(cat "$scratch/handle")" --name alice --server "$address" --profile "$scratch/alice" \
  --seconds $((minutes * 60)) --stats "$scratch/alice.json" "$@" 2>"$scratch/alice.log" &
caller=$!
pids+=("$caller")

resident_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status" 2>/dev/null || true; }
start=$SECONDS
while kill -0 "$caller" 2>/dev/null; do
  echo "$((SECONDS - start)) $(resident_kib "$server") $(resident_kib "$callee") $(resident_kib "$caller")" >>"$scratch/memory"
  sleep 5
done
wait "$caller" && echo "caller: exit 0" || echo "caller: exit $?"
wait "$callee" && echo "callee: exit 0" || echo "callee: exit $?"

# Least squares over the samples of the last two thirds.
awk -v from=$((minutes * 20)) 'BEGIN { split("server callee caller", name, " ") }
  NF == 4 && $1 >= from {
    for (i = 1; i <= 3; i++) { x = $1 / 60; y = $(i + 1); n[i]++; sx[i] += x; sy[i] += y; sxx[i] += x * x; sxy[i] += x * y; syy[i] += y * y }
  }
  END {
    for (i = 1; i <= 3; i++) {
      if (n[i] < 3) { print name[i] ": too few samples"; continue }
      dx = sxx[i] - sx[i] * sx[i] / n[i]; dxy = sxy[i] - sx[i] * sy[i] / n[i]; dy = syy[i] - sy[i] * sy[i] / n[i]
      slope = dxy / dx; rest = dy - slope * dxy; if (rest < 0) rest = 0
      printf "%s: %.1f MiB on average, slope %+.2f KiB a minute, standard error %.2f\n", name[i], sy[i] / n[i] / 1024, slope, sqrt(rest / (n[i] - 2) / dx)
    }
  }' "$scratch/memory"
echo "caller's figures:"; cat "$scratch/alice.json"
echo "callee's figures:"; cat "$scratch/bob.json"
