# The project's virtual environment in .venv, for the scripts beside this folder; source it with `root` set.
#
#   ensure_venv EXTRAS [GROUP...]   afterwards .venv has the project, editable, with these extras and dependency groups
#
# A stamp in .venv for each combination records its inputs. It is written last, so that an interrupted install is done
# again and a finished one is not.

# say TEXT: reports progress on standard error.
say() { printf '%s\n' "$*" >&2; }

# find_python: the first Python that is new enough.
find_python() {
  local candidate
  for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  say "Python 3.11 or newer is needed, and none is on the PATH (looked for python3.14 down to python3.11, and python3)."
  return 1
}

# venv_is_sound: whether .venv works and was made here. Its commands hold absolute paths, so a .venv that was copied or
# moved would install into another place.
venv_is_sound() {
  local packages
  "$root/.venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || return 1
  packages=$("$root/.venv/bin/pip" --version 2>/dev/null | sed -n 's|^pip .* from \(.*\)/pip (python .*|\1|p')
  [ -n "$packages" ] && [ "$packages/../../.." -ef "$root/.venv" ]
}

make_venv() {
  local python output
  python=$(find_python) || return 1
  say "Making .venv with $("$python" --version)"
  if ! output=$("$python" -m venv --clear "$root/.venv" 2>&1); then
    say "$output"
    say "No virtual environment could be made. On Debian and Ubuntu it needs the package python3-venv."
    return 1
  fi
}

ensure_venv() {
  local extras=$1 python="$root/.venv/bin/python" made_from stamp output
  shift
  stamp="$root/.venv/.installed-$(printf '%s' "$extras${*:+ $*}" | tr -c 'a-z0-9' '-')"
  made_from="$root $(cksum <"$root/pyproject.toml")"
  if [ -x "$python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$made_from" ]; then
    return
  fi
  venv_is_sound || make_venv || return 1
  say "Installing norce-order-async with [$extras]${*:+ and the group $*} into .venv"
  rm -f "$stamp"
  if ! output=$(cd "$root" && pip_install "$extras" "$@" 2>&1); then
    say "$output"
    say "The installation failed; the lines above say why."
    return 1
  fi
  printf '%s\n' "$made_from" >"$stamp"
}

# pip_install EXTRAS [GROUP...]: run in the project's folder.
pip_install() {
  local pip=("$root/.venv/bin/python" -m pip --quiet --disable-pip-version-check install) wanted=(-e ".[$1]") group
  shift
  if [ $# -gt 0 ]; then
    # Groups came with pip 25.1.
    "${pip[@]}" --upgrade "pip>=25.1" || return
  fi
  for group in "$@"; do
    wanted+=(--group "$group")
  done
  "${pip[@]}" "${wanted[@]}"
}
