#!/usr/bin/env bash
# Fuzzes the parsers. Usage: tests/fuzz/run.sh SECONDS [TARGET…]; without names, every target in turn.
# Needs cargo-fuzz (`cargo install cargo-fuzz`) and no nightly compiler. What is found worth keeping goes to corpus/, as small
# as it can be; what breaks a target goes to artifacts/, and the run fails.
set -euo pipefail
cd "$(dirname "$0")"
seconds=$1
shift
options=(--fuzz-dir . --release --sanitizer none)
if [ $# = 0 ]; then
  mapfile -t all < <(cargo fuzz list --fuzz-dir .)
  set -- "${all[@]}"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd ../.. && VISAVIS_SEEDS="$work/seeds" cargo test --quiet --test corpus -- what_the_program_makes >/dev/null)
failed=0
for target in "$@"; do
  mkdir -p "$work/found/$target" "corpus/$target"
  # No single input takes longer than ten seconds or a gigabyte; inputs up to 20 KiB, an envelope and more.
  cargo fuzz run "${options[@]}" "$target" "$work/found/$target" "corpus/$target" "$work/seeds/$target" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=20480 -verbosity=0 -print_final_stats=1 || failed=1
  mkdir -p "$work/small/$target"
  cargo fuzz run "${options[@]}" "$target" -- -merge=1 -verbosity=0 \
    "$work/small/$target" "corpus/$target" "$work/seeds/$target" "$work/found/$target" || failed=1
  # The seeds are made anew each time; enough of the rest to reach what can be reached.
  for found in "$work/small/$target"/*; do
    [ "$(stat -c %s "$found")" -le 4096 ] && cp "$found" "corpus/$target/"
  done
done
exit "$failed"
