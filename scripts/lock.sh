#!/usr/bin/env bash
# Resolves pyproject.toml into requirements/NAME.txt for every platform.  Use: make lock
set -euo pipefail
compile=(.tools/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate
  --no-emit-index-url --no-emit-find-links pyproject.toml)
"${compile[@]}" --group dev --output-file requirements/dev.txt
# Constrained by the larger lock: a checkout that serves and one that tests run the same versions.
"${compile[@]}" --constraint requirements/dev.txt --output-file requirements/base.txt
# The heavy libraries' environments, over the same versions: .venvs/NAME by scripts/env.sh. What torch needs for CUDA is
# left out: the build that gets installed brings it along, and the one for CPUs needs none of it.
"${compile[@]}" --extra hf --extra trl --group test --constraint requirements/dev.txt |
  grep -vE '^(nvidia-|cuda-|triton)' >requirements/hf.txt
"${compile[@]}" --extra llama-cpp --group server --group test --constraint requirements/dev.txt \
  --output-file requirements/llama-cpp.txt
"${compile[@]}" --extra mlx --group test --constraint requirements/dev.txt --output-file requirements/mlx.txt
# unsloth wants older versions of what hf has, so it is no extra: nobody can have both.
"${compile[@]}" requirements/unsloth.in --group test --constraint requirements/dev.txt |
  grep -vE '^(nvidia-|cuda-|triton)' >requirements/unsloth.txt
