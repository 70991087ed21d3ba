#!/usr/bin/env bash
# Resolves pyproject.toml into requirements/NAME.txt for every platform.  Use: make lock
set -euo pipefail
compile=(.tools/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate
  --no-emit-index-url --no-emit-find-links pyproject.toml)
"${compile[@]}" --output-file requirements/base.txt
"${compile[@]}" --group dev --output-file requirements/dev.txt
