"""Tiny llama checkpoints in the layouts of GPTQ, AWQ, fp8 and compressed-tensors, packed here as their tools publish them.

The reference is PyTorch's fp32 forward pass with the dequantized weights. A recipe is a dict:

    config   what config.json has beside the base, `quantization_config` among it
    seed     the first one that is tried; the first with safe margins is taken
    pack     (name, weight [out, in], generator) -> the tensors that stand for the matrix, by ending, and its values
"""

import shutil
from pathlib import Path

import torch

from .decoders import all_logits, write_reference, write_safetensors
from .model_type_decoders import SEEDS, SPREAD, references
from .numbers import fill, packed
from .vocabularies import write_json

BASE = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "vocab_size": 80,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "eos_token_id": 2,
}


def make_quantized_checkpoint(directory: Path, recipe: dict) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config = {**BASE, **recipe["config"]}
    write_json(directory / "config.json", config)
    plain = {name: value for name, value in config.items() if name != "quantization_config"}
    dtype = getattr(torch, config["torch_dtype"])
    for seed in range(recipe["seed"], recipe["seed"] + SEEDS):
        model = empty_model_of(plain).float().eval()
        fill(model, seed, dtype, SPREAD)
        generator = torch.Generator().manual_seed(seed)
        tensors = quantize(model, recipe["pack"], dtype, generator)
        prompts = references(model, recipe, config["vocab_size"], seed)
        if prompts is not None:
            break
    else:
        raise SystemExit(f"{directory.name}: no seed gives safe margins")
    write_safetensors(directory / "model.safetensors", tensors)
    every = all_logits(model, prompts[1]["tokens"])
    reference = {"prompts": prompts, "allLogits": {"prompt": 1, "logits": packed(every)}}
    write_reference(directory, {"kind": "decoder", "seed": seed, **reference})


def empty_model_of(config: dict) -> torch.nn.Module:
    from transformers import AutoConfig, AutoModelForCausalLM

    values = {name: value for name, value in config.items() if name != "model_type"}
    return AutoModelForCausalLM.from_config(
        AutoConfig.for_model(config["model_type"], **values), attn_implementation="eager"
    )


def quantize(model, pack, dtype: torch.dtype, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """The file's tensors; the model's own weights become what the file says."""
    tensors = {}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() != 2 or "embed" in name or "lm_head" in name:
                tensors[name] = parameter.to(dtype).clone()
                continue
            module = name.removesuffix(".weight")
            stored, values = pack(name, parameter.clone(), generator)
            parameter.copy_(values)
            tensors.update({f"{module}.{ending}": tensor.contiguous() for ending, tensor in stored.items()})
    return tensors


def to_groups(weight: torch.Tensor, groups: torch.Tensor, bits: int, symmetric: bool):
    """Codes [out, in], scales in float16 and zero points [out, groups]; `groups` [in] is the group of each input."""
    top = 2**bits - 1
    count = int(groups.max()) + 1
    scales = torch.empty(weight.shape[0], count)
    zeros = torch.full((weight.shape[0], count), 2.0 ** (bits - 1))
    for group in range(count):
        part = weight[:, groups == group]
        if symmetric:
            scales[:, group] = part.abs().amax(1) * 2 / top
        else:
            low, high = part.amin(1).clamp(max=0), part.amax(1).clamp(min=0)
            scales[:, group] = (high - low) / top
            zeros[:, group] = (-low / scales[:, group]).round().clamp(0, top)
    scales = scales.half().float()
    codes = (weight / scales[:, groups] + zeros[:, groups]).round().clamp(0, top)
    return codes.int(), scales, zeros.int()


def values_of(codes, scales, zeros, groups) -> torch.Tensor:
    return (codes - zeros[:, groups]).float() * scales[:, groups]


def pack_words(values: torch.Tensor, bits: int) -> torch.Tensor:
    """Neighbours along the last axis share an int32, the first in its lowest bits."""
    per_word = 32 // bits
    parts = values.long().unflatten(-1, (-1, per_word))
    words = (parts << (torch.arange(per_word) * bits)).sum(-1)
    return (words & 0xFFFFFFFF).where(words < 2**31, words - 2**32).int()


def runs(columns: int, size: int) -> torch.Tensor:
    return torch.arange(columns) // (columns if size == -1 else size)


def gptq(bits: int, group_size: int, symmetric: bool, version: int, order: str = "none"):
    """AutoGPTQ's and GPTQModel's layout. `order`: g_idx is shuffled for each matrix, or the same for those of one input."""

    def pack(name: str, weight: torch.Tensor, generator: torch.Generator):
        groups = runs(weight.shape[1], group_size)
        if order == "each":
            groups = groups[torch.randperm(len(groups), generator=generator)]
        if order == "shared":
            layer = int(name.split(".")[2])
            shared = layer * 10 + ["qkv", "o_proj", "gate up", "down"].index(input_of(name))
            groups = groups[torch.randperm(len(groups), generator=torch.Generator().manual_seed(shared))]
        codes, scales, zeros = to_groups(weight, groups, bits, symmetric)
        # Version 1 holds each zero point less one; 0 becomes the largest code.
        stored = zeros if version == 2 else (zeros - 1) & (2**bits - 1)
        tensors = {
            "qweight": pack_words(codes, bits).T,
            "qzeros": pack_words(stored.T.contiguous(), bits),
            "scales": scales.half().T,
            "g_idx": groups.int(),
        }
        return tensors, values_of(codes, scales, zeros, groups)

    return pack


def input_of(name: str) -> str:
    if any(part in name for part in ("q_proj", "k_proj", "v_proj")):
        return "qkv"
    if "gate_proj" in name or "up_proj" in name:
        return "gate up"
    return "o_proj" if "o_proj" in name else "down"


def awq(group_size: int):
    """AutoAWQ's GEMM layout: eight outputs share an int32, in the order 0, 2, 4, 6, 1, 3, 5, 7."""
    order = torch.tensor([0, 2, 4, 6, 1, 3, 5, 7])

    def words(values: torch.Tensor) -> torch.Tensor:
        return pack_words(values.unflatten(-1, (-1, 8))[..., order].flatten(-2), 4)

    def pack(name: str, weight: torch.Tensor, generator: torch.Generator):
        groups = runs(weight.shape[1], group_size)
        codes, scales, zeros = to_groups(weight, groups, 4, False)
        tensors = {"qweight": words(codes.T), "qzeros": words(zeros.T), "scales": scales.half().T}
        return tensors, values_of(codes, scales, zeros, groups)

    return pack


def fp8_blocks(height: int, width: int):
    """DeepSeek's layout: a float32 factor for each block, those at the edges smaller."""

    def pack(name: str, weight: torch.Tensor, generator: torch.Generator):
        rows = torch.arange(weight.shape[0]) // height
        columns = torch.arange(weight.shape[1]) // width
        scales = torch.zeros(int(rows.max()) + 1, int(columns.max()) + 1)
        for row in range(scales.shape[0]):
            for column in range(scales.shape[1]):
                block = weight[rows == row][:, columns == column]
                scales[row, column] = block.abs().max() / 448
        factors = scales[rows][:, columns]
        codes = (weight / factors).to(torch.float8_e4m3fn)
        return {"weight": codes, "weight_scale_inv": scales}, codes.float() * factors

    return pack


def fp8_channels(name: str, weight: torch.Tensor, generator: torch.Generator):
    """compressed-tensors' float-quantized: a bfloat16 factor for each output, products rounded to bfloat16."""
    scales = (weight.abs().amax(1, keepdim=True) / 448).bfloat16()
    codes = (weight / scales.float()).clamp(-448, 448).to(torch.float8_e4m3fn)
    return {"weight": codes, "weight_scale": scales}, (codes.bfloat16() * scales).float()


def packed_integers(group_size: int, symmetric: bool):
    """compressed-tensors' pack-quantized: 4 bits, packed along the inputs; zero points along the outputs."""

    def pack(name: str, weight: torch.Tensor, generator: torch.Generator):
        groups = runs(weight.shape[1], group_size)
        codes, scales, zeros = to_groups(weight, groups, 4, symmetric)
        scales = scales.bfloat16()
        tensors = {
            "weight_packed": pack_words(codes, 4),
            "weight_scale": scales,
            "weight_shape": torch.tensor(weight.shape),
        }
        if not symmetric:
            tensors["weight_zero_point"] = pack_words(zeros.T.contiguous(), 4).T
        return tensors, ((codes - zeros[:, groups]).bfloat16() * scales[:, groups]).float()

    return pack


def integer_channels(name: str, weight: torch.Tensor, generator: torch.Generator):
    """compressed-tensors' int-quantized: int8 with a factor for each output."""
    scales = (weight.abs().amax(1, keepdim=True) / 127).bfloat16()
    codes = (weight / scales.float()).round().clamp(-127, 127)
    tensors = {"weight": codes.to(torch.int8), "weight_scale": scales}
    return tensors, (codes.bfloat16() * scales).float()


def gptq_config(bits: int, group_size: int, symmetric: bool, **more) -> dict:
    config = {"quant_method": "gptq", "bits": bits, "group_size": group_size, "sym": symmetric, **more}
    return {"quantization_config": {"damp_percent": 0.01, "true_sequential": True, **config}}


def compressed_config(form: str, weights: dict) -> dict:
    scheme = {"targets": ["Linear"], "weights": {"dynamic": False, **weights}, "input_activations": None}
    config = {"quant_method": "compressed-tensors", "format": form, "config_groups": {"group_0": scheme}}
    return {"torch_dtype": "bfloat16", "quantization_config": {**config, "ignore": ["lm_head"]}}


QUANTIZED_CHECKPOINTS = {
    "llama-gptq": {
        "seed": 100,
        "config": gptq_config(4, 32, True, desc_act=True),
        "pack": gptq(4, 32, True, 1, "shared"),
    },
    "llama-gptq-apart": {
        "seed": 200,
        "config": gptq_config(4, 16, False, desc_act=True, checkpoint_format="gptq"),
        "pack": gptq(4, 16, False, 1, "each"),
    },
    "llama-gptq-v2": {
        "seed": 300,
        "config": gptq_config(4, -1, False, desc_act=False, checkpoint_format="gptq_v2"),
        "pack": gptq(4, -1, False, 2),
    },
    "llama-gptq-int8": {
        "seed": 400,
        "config": gptq_config(8, 32, False, desc_act=False),
        "pack": gptq(8, 32, False, 1),
    },
    "llama-awq": {
        "seed": 500,
        "config": {
            "attention_bias": True,
            "quantization_config": {
                "quant_method": "awq",
                "bits": 4,
                "group_size": 32,
                "version": "gemm",
                "zero_point": True,
            },
        },
        "pack": awq(32),
    },
    "llama-fp8": {
        "seed": 600,
        "config": {
            "torch_dtype": "bfloat16",
            "num_key_value_heads": 1,
            "quantization_config": {
                "quant_method": "fp8",
                "fmt": "e4m3",
                "activation_scheme": "dynamic",
                "weight_block_size": [32, 32],
            },
        },
        "pack": fp8_blocks(32, 32),
    },
    "llama-fp8-channels": {
        "seed": 700,
        "config": compressed_config(
            "float-quantized", {"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True}
        ),
        "pack": fp8_channels,
    },
    "llama-w4a16": {
        "seed": 800,
        "config": compressed_config(
            "pack-quantized",
            {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32, "symmetric": False},
        ),
        "pack": packed_integers(32, False),
    },
    "llama-w8a8": {
        "seed": 900,
        "config": compressed_config(
            "int-quantized", {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": True}
        ),
        "pack": integer_channels,
    },
}
