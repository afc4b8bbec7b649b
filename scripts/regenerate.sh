#!/usr/bin/env bash
# Makes generated/norce_order_api again from openapi/. Runs on a bare clone and from any folder; needs Python 3.11 or newer.
#   scripts/regenerate.sh                    from the description in the repository
#   scripts/regenerate.sh --from [URL|FILE]  from another one, which replaces the one in the repository, with a report of
#                                            the changes (docs/regenerate.md); without a value: from NORCE_OPENAPI_URL
#   scripts/regenerate.sh --check            changes nothing; names the files that would change and exits 1
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

pythons=(python3 python3.14 python3.13 python3.12 python3.11)
if [ -n "${PYTHON:-}" ]; then pythons=("$PYTHON"); fi
for python in "${pythons[@]}"; do
  if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi
  python=
done
if [ -z "$python" ]; then
  echo "regenerate: Python 3.11 or newer is needed; say which with PYTHON=..." >&2
  exit 1
fi

# Only our own modules: modules on the caller's path must not affect the output.
export PYTHONPATH="$here" PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
environment=$("$python" -m regenerate.environment)
exec "$environment" -m regenerate "$@"
