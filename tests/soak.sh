#!/usr/bin/env bash
# A long call between two headless endpoints through a separate server: memory must stay flat, frames must flow.
# Usage: tests/soak.sh [MINUTES] [extra options of call and answer]. Uses the release programs.
# Prints, for each process, the slope of its resident memory over the last two thirds with its standard error, and the
# figures of both sides. Fails if a side failed, if the memory of a process grew by more than 64 KiB a minute beyond twice the
# standard error, if the keys were not refreshed every two minutes, if anything waited in a queue for longer than the bound,
# or if pool or full queues grew after the first minute.
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

"$programs/visavis" contact add "alice@127.0.0.1" --profile "$scratch/bob" >/dev/null
"$programs/visavis" answer --auto-accept --once --name bob --server "$address" --profile "$scratch/bob" \
  --stats "$scratch/bob.json" "$@" >"$scratch/handle" 2>"$scratch/bob.log" &
callee=$!
pids+=("$callee")
for _ in $(seq 100); do [ -s "$scratch/handle" ] && break; sleep 0.1; done

"$programs/visavis" contact add "$(head -n 1 "$scratch/handle")" --profile "$scratch/alice" >/dev/null
"$programs/visavis" call "$(head -n 1 "$scratch/handle")" --name alice --server "$address" --profile "$scratch/alice" \
  --seconds $((minutes * 60)) --stats "$scratch/alice.json" "$@" 2>"$scratch/alice.log" &
caller=$!
pids+=("$caller")

resident_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status" 2>/dev/null || true; }
start=$SECONDS
while kill -0 "$caller" 2>/dev/null; do
  echo "$((SECONDS - start)) $(resident_kib "$server") $(resident_kib "$callee") $(resident_kib "$caller")" >>"$scratch/memory"
  sleep 5
done
failed=0
wait "$caller" && echo "caller: exit 0" || { echo "caller: exit $?"; failed=1; }
wait "$callee" && echo "callee: exit 0" || { echo "callee: exit $?"; failed=1; }

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
      if (slope - 2 * sqrt(rest / (n[i] - 2) / dx) > 64) { print name[i] ": memory grows by more than 64 KiB a minute"; bad = 1 }
      printf "%s: %.1f MiB on average, slope %+.2f KiB a minute, standard error %.2f\n", name[i], sy[i] / n[i] / 1024, slope, sqrt(rest / (n[i] - 2) / dx)
    }
    exit bad
  }' "$scratch/memory" || failed=1
echo "caller's figures:"; cat "$scratch/alice.json"
echo "callee's figures:"; cat "$scratch/bob.json"

# The documents are written one value a line.
for side in alice bob; do
  awk -v side="$side" -v least=$((minutes / 2)) '
    { gsub(/[",]/, "") }
    /queues_after_a_minute/ { early = 1 }
    $1 == "queues:" { early = 0 }
    $1 == "epoch:" { epoch = $2 }
    $1 == "name:" { ring = substr($0, index($0, ":") + 2) }
    $1 == "bound_ms:" { bound = $2 }
    $1 == "oldest_ms:" && !early { oldest[ring] = $2 }
    $1 == "refused:" { refused[early, ring] = $2; rings[ring] }
    $1 == "pool_buffers:" || $1 == "pool_exhausted:" { pool[early, $1] = $2; pools[$1] }
    END {
      for (ring in oldest) if (oldest[ring] > bound) { print side ": in the queue " ring " something waited for " oldest[ring] " ms"; bad = 1 }
      for (ring in rings) if ((1, ring) in refused && refused[0, ring] != refused[1, ring]) { print side ": the queue " ring " was full after the first minute"; bad = 1 }
      for (name in pools) if ((1, name) in pool && pool[0, name] != pool[1, name]) { print side ": " name " went from " pool[1, name] " to " pool[0, name]; bad = 1 }
      if (epoch < least) { print side ": the keys are in epoch " epoch + 0 ", not in " least " or later"; bad = 1 }
      if (!bad) print side ": pool and full queues as after the first minute, nothing waited longer than " bound " ms"
      exit bad
    }' "$scratch/$side.json" || failed=1
done
exit "$failed"
