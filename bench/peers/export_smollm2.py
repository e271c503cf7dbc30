"""Exports SmolLM2's GGUF to the folder that transformers.js loads: python export_smollm2.py SmolLM2.gguf models/smollm2

The Hub carries such folders ready-made (tokenizer, configuration, onnx/model_q4.onnx). This makes the like where the Hub is
out of reach, with onnxruntime-genai's own builder: 4-bit blocks of 32, attention and cache as one operator. transformers.js
runs it faster than any other graph of this model that it can load.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main(gguf: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory() as work:
        plain, built = Path(work, "plain"), Path(work, "built")
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        tokenizer.save_pretrained(plain)
        read = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        # The weights are plain numbers by now, but what was read still counts as quantized and would be saved as such.
        del read.config.quantization_config
        model = AutoModelForCausalLM.from_config(read.config)
        model.load_state_dict(read.state_dict())
        model.save_pretrained(plain)
        build(plain, built, work)
        (target / "onnx").mkdir(parents=True, exist_ok=True)
        graph = onnx.load(built / "model.onnx")
        fix_head_size(graph, model.config.head_dim)
        # One file instead of two: that is what transformers.js looks for.
        onnx.save(graph, target / "onnx" / "model_q4.onnx")
        for file in plain.glob("*.json"):
            shutil.copy(file, target)


def build(plain: Path, built: Path, cache: str) -> None:
    builder = [sys.executable, "-m", "onnxruntime_genai.models.builder"]
    folders = ["-i", str(plain), "-o", str(built), "-c", cache]
    # Activations are rounded to int8 (level 4), as llama.cpp and hfms do.
    kind = ["-p", "int4", "-e", "cpu", "--extra_options", "int4_accuracy_level=4"]
    subprocess.run([*builder, *folders, *kind], check=True)


def fix_head_size(model: onnx.ModelProto, size: int) -> None:
    """The builder leaves it open, and transformers.js takes what is open in an empty cache for 0."""
    for value in [*model.graph.input, *model.graph.output]:
        if value.name.startswith(("past_key_values.", "present.")):
            value.type.tensor_type.shape.dim[3].dim_value = size


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
