#!/usr/bin/env bash
# Makes .venvs/NAME from requirements/NAME.txt: an environment of its own for heavy libraries.  Use: scripts/env.sh hf
# Add what the machine has for llama-cpp, e.g. CMAKE_ARGS=-DGGML_CUDA=on; Metal is found by itself.
set -euo pipefail
python=${2:-python3}
"$python" -m shopfloor.finetune.trainers.install "$1" --python "$python"
