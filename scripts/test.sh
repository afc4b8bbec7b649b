#!/usr/bin/env bash
# Every check there is, from a bare checkout: makes .venv, installs, then lint, types, floors, generated code, tests.
#
#   scripts/test.sh                 what every change must pass
#   scripts/test.sh --soak          large counts and long runs too
#   scripts/test.sh tests/orders    the checks, with these arguments for pytest
set -euo pipefail

root=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/lib/venv.sh"

which_tests="not soak"
if [ "${1-}" = "--soak" ]; then
  which_tests=""
  shift
fi

ensure_venv "sandbox,cli,otel,fast" dev
cd "$root"
PATH="$root/.venv/bin:$PATH"

step() {
  local name=$1 started=$SECONDS
  shift
  printf '== %s\n' "$name"
  "$@"
  printf '== %s: %s s\n' "$name" "$((SECONDS - started))"
}

step "lint" ruff check .
step "format" ruff format --check .
step "types (mypy)" mypy
step "types (pyright)" pyright
step "floors" lint-imports --no-logo
step "generated code" scripts/regenerate.sh --check
step "tests" pytest -n "${TEST_WORKERS:-3}" -m "$which_tests" "$@"
