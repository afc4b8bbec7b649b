#!/usr/bin/env bash
# Shows norce-order-async at work, from a bare checkout: makes .venv, installs, runs `norce-order demo` with the options given.
set -euo pipefail

root=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/scripts/lib/venv.sh"

ensure_venv "sandbox,cli,fast"
exec "$root/.venv/bin/norce-order" demo "$@"
