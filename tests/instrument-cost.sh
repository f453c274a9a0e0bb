#!/usr/bin/env bash
# What looking costs: ten alternating pairs of calls, with and without the figures over the call in full, and with and without
# the trace. Usage: tests/with-desktop.sh tests/instrument-cost.sh [SECONDS] [PAIRS] [extra options of bench call]
# Uses the release program, or that in the folder VISAVIS_PROGRAMS. Prints for each the median change of the p50 from capture to
# gpu_done in per cent, and between which of the pairs' changes the true median lies with 98 % (of ten: the second and the ninth;
# fewer pairs: the least and the greatest, whatever that is worth).
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-20}
pairs=${2:-10}
shift $(($# < 2 ? $# : 2))
program=${VISAVIS_PROGRAMS:-target/release}/visavis

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The p50 from capture to gpu_done of one call in a window, milliseconds.
run() {
  "$program" bench call --one-way --path direct --present window --seconds "$seconds" --json "$scratch/call.json" "$@" >"$scratch/log" 2>&1 ||
    { cat "$scratch/log" >&2; return 1; }
  tr -d ' \n' <"$scratch/call.json" | sed -n 's/.*"capture_to_gpu_done":{"p50":\([0-9.]*\).*/\1/p'
}

compare() {
  local name=$1 without with pair
  shift
  : >"$scratch/changes"
  for ((pair = 0; pair < pairs; pair++)); do
    # Each goes first in half of the pairs.
    if ((pair % 2)); then with=$(run "${extra[@]}" "$@"); without=$(run "${extra[@]}"); else without=$(run "${extra[@]}"); with=$(run "${extra[@]}" "$@"); fi
    echo "$name: without $without ms, with $with ms" >&2
    awk -v a="$without" -v b="$with" 'BEGIN { print (b - a) / a * 100 }' >>"$scratch/changes"
  done
  sort -g "$scratch/changes" | awk -v name="$name" '
    { change[NR] = $1 }
    END {
      median = NR % 2 ? change[(NR + 1) / 2] : (change[NR / 2] + change[NR / 2 + 1]) / 2
      low = NR >= 10 ? 2 : 1; high = NR + 1 - low
      printf "%s: %+.1f %% (%+.1f to %+.1f), %d pairs\n", name, median, change[low], change[high], NR
    }'
}

extra=("$@")
compare "figures in full" --hud full
compare "trace" --trace "$scratch/trace.json"
