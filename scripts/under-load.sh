#!/usr/bin/env bash
# Runs the tests with little processor time: their results must not depend on the speed of the machine.
#
#   scripts/under-load.sh                   the three below, one after the other
#   scripts/under-load.sh busy              all tests beside two processes that are always busy
#   scripts/under-load.sh pinned            all tests on a single core
#   scripts/under-load.sh repeated [TIMES]  tests/chaos and tests/bulk ten times, beside two busy processes
#
# TEST_WORKERS is the number of pytest's processes, as in scripts/test.sh. Fails if one of the runs does.
set -euo pipefail

root=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/lib/venv.sh"

which=${1:-all}
times=${2:-10}
case $which in
all | busy | pinned | repeated) ;;
*)
  printf 'not one of all, busy, pinned, repeated: %s\n' "$which" >&2
  exit 2
  ;;
esac

ensure_venv "sandbox,cli,otel,fast,httpx2,spread" dev
cd "$root"
PATH="$root/.venv/bin:$PATH"

busy=()
failed=0

load() {
  local number
  for number in 1 2; do
    (while :; do :; done) &
    busy+=("$!")
  done
}

unload() {
  local process
  for process in "${busy[@]}"; do
    kill "$process" 2>/dev/null || true
    wait "$process" 2>/dev/null || true
  done
  busy=()
}
trap unload EXIT

run() {
  local name=$1 started=$SECONDS
  shift
  printf '== %s\n' "$name"
  if "$@" -q -n "${TEST_WORKERS:-3}" -m "not soak"; then
    printf '== %s: %s s\n' "$name" "$((SECONDS - started))"
  else
    failed=1
    printf '== %s: failed after %s s\n' "$name" "$((SECONDS - started))"
  fi
}

if [ "$which" = all ] || [ "$which" = busy ]; then
  load
  run "all tests beside two busy processes" pytest
  unload
fi
if [ "$which" = all ] || [ "$which" = pinned ]; then
  run "all tests on one core" taskset -c 0 pytest
fi
if [ "$which" = all ] || [ "$which" = repeated ]; then
  load
  for number in $(seq "$times"); do
    run "tests/chaos and tests/bulk, $number of $times" pytest tests/chaos tests/bulk
  done
  unload
fi
exit "$failed"
