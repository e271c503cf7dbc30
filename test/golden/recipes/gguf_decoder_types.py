"""Decoders of model-types as GGUF files, written the way llama.cpp's converter writes them (convert_hf_to_gguf.py).

The weights, and so the reference numbers, are those of the safetensors golden, in its own number format. Where that has
what a GGUF file can't say, a model of its own is made.
"""

import json
import math
import shutil
import tempfile
from pathlib import Path

import gguf
import numpy
import torch
from safetensors.torch import load_file

from .decoders import write_reference
from .gguf_files import interleave
from .model_type_decoders import DECODER_TYPES, make_decoder_type

ARCH = gguf.MODEL_ARCH
F32 = gguf.GGMLQuantizationType.F32
DTYPES = {
    "float32": (F32, "F32"),
    "float16": (gguf.GGMLQuantizationType.F16, "F16"),
    "bfloat16": (gguf.GGMLQuantizationType.BF16, "BF16"),
}


def gemma_norms(name: str, tensor: torch.Tensor) -> torch.Tensor:
    return tensor + 1 if name.endswith("norm.weight") else tensor


def softcaps(writer: gguf.GGUFWriter, config: dict) -> None:
    writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
    writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    writer.add_sliding_window(config["sliding_window"])


def gemma3(writer: gguf.GGUFWriter, config: dict) -> None:
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_freq_base_swa(config["rope_local_base_freq"])
    writer.add_sliding_window(config["sliding_window"])


def phi3(writer: gguf.GGUFWriter, config: dict) -> None:
    head = config["hidden_size"] // config["num_attention_heads"]
    writer.add_rope_scaling_orig_ctx_len(config["original_max_position_embeddings"])
    writer.add_rope_dimension_count(int(config.get("partial_rotary_factor", 1) * head))
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_sliding_window(config.get("sliding_window") or 0)
    if scaling := config.get("rope_scaling"):
        original = config["original_max_position_embeddings"]
        growth = config["max_position_embeddings"] / original
        writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(growth) / math.log(original)))
        for length in ("long", "short"):
            values = numpy.array(scaling[f"{length}_factor"], dtype=numpy.float32)
            writer.add_tensor(f"rope_factors_{length}.weight", values)


def granite(writer: gguf.GGUFWriter, config: dict) -> None:
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_attention_scale(config["attention_multiplier"])
    writer.add_embedding_scale(config["embedding_multiplier"])
    writer.add_residual_scale(config["residual_multiplier"])
    writer.add_logit_scale(config["logits_scaling"])


def cohere(writer: gguf.GGUFWriter, config: dict) -> None:
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_logit_scale(config["logit_scale"])


def rope_base(writer: gguf.GGUFWriter, config: dict) -> None:
    writer.add_rope_freq_base(config["rope_theta"])


# What llama.cpp knows by itself: queries divide by the root of a head's size, every sixth layer sees everything.
GEMMA2 = {"query_pre_attn_scalar": 16}
GEMMA3 = {**GEMMA2, "num_hidden_layers": 6, "intermediate_size": 32, "sliding_window_pattern": 6}

# name: (the safetensors golden, what changes in its configuration, architecture, further metadata, what the converter does to tensors, rows of q and k are
# reordered)
TYPES = {
    "qwen2-gguf": ("qwen2", {}, ARCH.QWEN2, rope_base, None, False),
    "qwen3-gguf": ("qwen3", {}, ARCH.QWEN3, rope_base, None, False),
    "gemma2-gguf": ("gemma2", GEMMA2, ARCH.GEMMA2, softcaps, gemma_norms, False),
    "gemma3-text-gguf": ("gemma3-text", GEMMA3, ARCH.GEMMA3, gemma3, gemma_norms, False),
    "phi3-gguf": ("phi3", {}, ARCH.PHI3, phi3, None, False),
    "phi3-longrope-gguf": ("phi3-longrope", {}, ARCH.PHI3, phi3, None, False),
    "granite-gguf": ("granite", {}, ARCH.GRANITE, granite, None, True),
    "cohere-gguf": ("cohere", {}, ARCH.COMMAND_R, cohere, None, False),
}


def make_gguf_type(directory: Path, name: str, changes: dict, *how) -> None:
    base = directory.parent / name
    if not changes:
        return write_gguf(directory, base, *how)
    recipe = DECODER_TYPES[name]
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / name
        make_decoder_type(base, {**recipe, "config": {**recipe["config"], **changes}})
        write_gguf(directory, base, *how)


def write_gguf(directory: Path, base: Path, arch, add, change, permuted: bool) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config = json.loads((base / "config.json").read_text())
    dtype, suffix = DTYPES[config["torch_dtype"]]
    file = f"{base.name}.{suffix}.gguf"
    writer = gguf.GGUFWriter(directory / file, gguf.MODEL_ARCH_NAMES[arch])
    add_common(writer, config)
    add(writer, config)
    add_tokens(writer, config)
    names = gguf.get_tensor_name_map(arch, config["num_hidden_layers"])
    for name, tensor in load_file(base / "model.safetensors").items():
        values = tensor.float()
        if change:
            values = change(name, values)
        array = values.numpy()
        if permuted and ("q_proj" in name or "k_proj" in name):
            heads = config["num_attention_heads" if "q_proj" in name else "num_key_value_heads"]
            array = interleave(array.reshape(len(array), -1), heads).reshape(array.shape)
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert target is not None, name
        kind = dtype if array.ndim > 1 else F32
        writer.add_tensor(target, gguf.quants.quantize(numpy.ascontiguousarray(array), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (directory / file).chmod(0o644)
    write_reference(directory, {"file": file, **json.loads((base / "reference.json").read_text())})


def add_common(writer: gguf.GGUFWriter, config: dict) -> None:
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    if "rms_norm_eps" in config:
        writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    if "head_dim" in config:
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def add_tokens(writer: gguf.GGUFWriter, config: dict) -> None:
    """Words that nothing asks for: the goldens of model types have token ids."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    first, second, *others = [chr(0x100 + token) for token in range(config["vocab_size"] - 1)]
    writer.add_token_list([first, second, *others, first + second])
    writer.add_token_types([gguf.TokenType.NORMAL] * config["vocab_size"])
    writer.add_token_merges([f"{first} {second}"])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
