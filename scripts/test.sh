#!/usr/bin/env bash
# Runs all checks, from a bare checkout: makes .venv, installs, then lint, types, layers, generated code, tests.
# Prints the processor time that all of it took.
#
#   scripts/test.sh                  what every change must pass
#   scripts/test.sh --soak           large counts, every combination, long runs too
#   scripts/test.sh tests/orders     the checks, with these arguments for pytest
#   scripts/test.sh --quick [PATHS]  while you work: lint, types of what you changed, and its tests or those in PATHS;
#                                    no slow group (pytest --markers), no soak
set -euo pipefail

root=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/lib/venv.sh"

which_tests="not soak"
quick=""
case ${1-} in
--soak)
  which_tests=""
  shift
  ;;
--quick)
  quick=1
  which_tests="not soak and not slow"
  shift
  ;;
esac

# Thousands of tests and hundreds of programs would compile the same modules again and again.
unset PYTHONDONTWRITEBYTECODE

# Most of what is installed is never imported; the first import of the rest compiles it. pip reads 0 as "do not compile".
PIP_NO_COMPILE=0 ensure_venv "sandbox,cli,otel,fast,httpx2,spread" dev
cd "$root"
PATH="$root/.venv/bin:$PATH"

# User and system time of all processes that were started here and have ended. `times` is a shell builtin and counts for
# the shell that runs it, so it must not stand in a pipe.
processor_time() {
  local record
  record=$(mktemp)
  times >"$record"
  awk 'NR == 2 { split($1, user, /[ms]/); split($2, kernel, /[ms]/)
                 printf "== processor time: %.0f s\n", 60 * (user[1] + kernel[1]) + user[2] + kernel[2] }' "$record"
  rm -f "$record"
}
trap processor_time EXIT

step() {
  local name=$1 started=$SECONDS
  shift
  printf '== %s\n' "$name"
  "$@"
  printf '== %s: %s s\n' "$name" "$((SECONDS - started))"
}

# changed: the files that differ from the branch main, or on main from the last commit; none outside a git checkout.
changed() {
  local base
  base=$(git merge-base HEAD main 2>/dev/null || git rev-parse HEAD 2>/dev/null) || return 0
  git diff --name-only --diff-filter=d "$base"
  git ls-files --others --exclude-standard
}

# tests_of: reads names of files, writes the tests of each. Those of a folder in src are in the one of the same name, or
# else in the one above it; those of a module at the top of the package are in a folder of its name or in tests/client.
tests_of() {
  local file part
  while read -r file; do
    case $file in
    tests/*/test_*.py) printf '%s\n' "$file" ;;
    tests/*/*) printf '%s\n' "${file%/*}" ;;
    src/norce_order_async/*)
      part=${file#src/norce_order_async/}
      if [[ $part == */* ]]; then
        part=${part%/*}
        until [ "$part" = "${part%/*}" ] || compgen -G "tests/$part/test_*.py" >/dev/null; do part=${part%/*}; done
      elif [ -d "tests/${part%.py}" ]; then
        part=${part%.py}
      else
        part=client
      fi
      printf 'tests/%s\n' "$part"
      ;;
    scripts/regenerate*) printf '%s\n' tests/regenerate ;;
    docs/*.md | README.md) printf '%s\n' tests/docs ;;
    esac
  done | sort -u | while read -r file; do
    if compgen -G "$file/test_*.py" >/dev/null || [ -f "$file" ]; then printf '%s\n' "$file"; fi
  done
}

quick_tests() {
  # Four, since more of these tests wait than of all. 5: every test of these paths is in a slow group.
  pytest -q -n "${TEST_WORKERS:-4}" --dist worksteal -m "$which_tests" "$@" || [ $? -eq 5 ]
}

if [ -n "$quick" ]; then
  mapfile -t typed < <(changed | grep -E '^(src|tests|examples|benchmarks)/.*\.py$' || true)
  if [ $# -eq 0 ]; then
    mapfile -t tests < <(changed | tests_of)
  else
    # A folder or file of src stands for its tests; every other argument is for pytest.
    mapfile -t given < <(for path in "$@"; do
      case $path in
      src/*) if [ -d "$path" ]; then printf '%s/\n' "${path%/}"; else printf '%s\n' "$path"; fi | tests_of ;;
      *) printf '%s\n' "$path" ;;
      esac
    done)
    [ ${#given[@]} -gt 0 ] || { echo "no tests belong to $*" >&2; exit 2; }
    set -- "${given[@]}"
  fi
  step "lint" ruff check --quiet .
  step "format" ruff format --quiet --check .
  if [ ${#typed[@]} -gt 0 ]; then
    step "types (mypy)" mypy "${typed[@]}"
    step "types (pyright)" pyright "${typed[@]}"
  fi
  if [ $# -eq 0 ]; then
    if [ ${#tests[@]} -eq 0 ]; then
      echo "== tests: the changed files have none; name folders to run"
      exit 0
    fi
    set -- "${tests[@]}"
  fi
  step "tests" quick_tests "$@"
  exit 0
fi

step "lint" ruff check .
step "format" ruff format --check .
# In a checkout that has no cache, writing one costs more than a second, and most such checkouts are checked once. --quick
# makes it.
no_cache=()
[ -d .mypy_cache ] || no_cache=(--cache-dir=/dev/null)
step "types (mypy)" mypy "${no_cache[@]}"
step "types (pyright)" pyright
step "layers" lint-imports --no-logo
step "generated code" scripts/regenerate.sh --check
without_browser=$(python -c 'from tests.support.browser import missing; print(missing() or "")')
[ -z "$without_browser" ] || printf '== no tests in a browser: %s\n' "$without_browser"
# Three workers keep two cores busy, since many tests wait. Each collects all tests, which takes about four seconds of
# processor time. Each runs tests that follow each other, so that few of them make what a module makes once.
step "tests" pytest -n "${TEST_WORKERS:-3}" --dist worksteal -m "$which_tests" "$@"
