#!/usr/bin/env bash
# Makes .venv hold exactly what uv.lock names. Needs Python 3.11 or newer; gets uv where there is none.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "setup: $*" >&2; }
die() {
  say "$@"
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

may_be_root() { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }

find_python() {
  local name
  for name in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      # The interpreter itself: a version manager's shim may choose another one elsewhere.
      "$name" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  die "Tidings needs Python 3.11 or newer, and finds $(python3 --version 2>/dev/null || echo none)." \
    "Install one, for example: apt-get install python3"
}

# Debian keeps the standard library's venv in a package of its own.
ensure_venv() {
  local python=$1 package
  "$python" -c 'import ensurepip, venv' 2>/dev/null && return
  package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  if ! command -v apt-get >/dev/null || ! may_be_root; then
    die "$python lacks the module venv. Install it and try again: sudo apt-get install $package"
  fi
  say "installing $package"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >&2
}

find_uv() {
  local python=$1 tools=.venv-tools
  if command -v uv; then
    return
  fi
  if [ ! -x "$tools/bin/uv" ]; then
    ensure_venv "$python"
    say "getting uv"
    "$python" -m venv --clear "$tools"
    echo '*' >"$tools/.gitignore"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check uv >&2
  fi
  echo "$tools/bin/uv"
}

python=$(find_python)
uv=$(find_uv "$python")
say "installing what uv.lock names into .venv"
"$uv" sync --frozen --python "$python"
