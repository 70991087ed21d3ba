#!/usr/bin/env bash
# Puts uv into .tools/ with pip, so that nothing need be installed by hand.  Use: scripts/get-uv.sh PYTHON
set -euo pipefail
python=${1:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "shopfloor needs Python 3.11 or newer; $python is $("$python" -V). Set PYTHON=/path/to/python3.11." >&2
  exit 2
fi
mkdir -p .tools
if ! "$python" -m pip --version >/dev/null 2>&1; then
  "$python" -m venv .tools/pip
  python=.tools/pip/bin/python
fi
"$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .tools "uv>=0.9" 2> >(grep -v '^WARNING' >&2 || true)
