"""A decoder's weights as a GGUF file too, as llama.cpp's converter (convert_hf_to_gguf.py) writes them."""

import re
from pathlib import Path

import gguf
import numpy
import torch


def write_gguf(file: Path, name: str, config: dict, stored: dict[str, torch.Tensor]) -> None:
    architecture = next(arch for arch, known in gguf.MODEL_ARCH_NAMES.items() if known == name)
    names = gguf.get_tensor_name_map(architecture, config.get("num_hidden_layers") or config["n_layer"])
    writer = gguf.GGUFWriter(file, name)
    writer.add_type(gguf.GGUFType.MODEL)
    METADATA[name](writer, config)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    add_tokenizer(writer, config)
    for stored_name, tensor in stacked(stored).items():
        rows = tensor.float()
        if "query_key_value" in stored_name:
            rows = ordered(rows, config)
        if name == "bloom":
            stored_name = stored_name.removeprefix("transformer.")
        given = names.get_name(stored_name, try_suffixes=(".weight", ".bias"))
        exact = rows.dim() == 1 or config["torch_dtype"] != "float16"
        target = numpy.float32 if exact else numpy.float16
        assert given is not None, stored_name
        writer.add_tensor(given, rows.numpy().astype(target))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def stacked(stored: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Matrices of experts one behind the other."""
    tensors, groups = {}, {}
    for name, tensor in stored.items():
        match = re.fullmatch(r"(.+\.experts)\.(\d+)\.(.+)", name)
        if match:
            scope, expert, module = match.groups()
            groups.setdefault(f"{scope}.{module}", {})[int(expert)] = tensor
        else:
            tensors[name] = tensor
    return tensors | {name: torch.stack([group[i] for i in range(len(group))]) for name, group in groups.items()}


def ordered(rows: torch.Tensor, config: dict) -> torch.Tensor:
    """All queries, then all keys, then all values, where the checkpoint has those of each group of heads together."""
    heads = config.get("num_attention_heads") or config["n_head"]
    groups = heads
    if config["model_type"] == "falcon":
        groups = config["num_kv_heads"] if config["new_decoder_architecture"] else 1
    size = config["hidden_size"] // heads
    grouped = rows.reshape(groups, heads // groups + 2, size, *rows.shape[1:])
    parts = [grouped[:, :-2], grouped[:, -2:-1], grouped[:, -1:]]
    return torch.cat([part.reshape(-1, *rows.shape[1:]) for part in parts]).contiguous()


def sizes(writer: gguf.GGUFWriter, config: dict, *, inner: int, context: int, epsilon: float) -> None:
    writer.add_context_length(context)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(inner)
    writer.add_block_count(config.get("num_hidden_layers") or config["n_layer"])
    writer.add_head_count(config.get("num_attention_heads") or config["n_head"])
    writer.add_layer_norm_eps(epsilon)


def gptneox(writer: gguf.GGUFWriter, config: dict) -> None:
    inner, context = config["intermediate_size"], config["max_position_embeddings"]
    sizes(writer, config, inner=inner, context=context, epsilon=config["layer_norm_eps"])
    writer.add_rope_dimension_count(int(config["rotary_pct"] * head_size(config)))
    writer.add_parallel_residual(config["use_parallel_residual"])


def phi2(writer: gguf.GGUFWriter, config: dict) -> None:
    inner, context = config["intermediate_size"], config["max_position_embeddings"]
    sizes(writer, config, inner=inner, context=context, epsilon=1e-5)
    writer.add_head_count_kv(config["num_attention_heads"])
    writer.add_rope_dimension_count(int(config["partial_rotary_factor"] * head_size(config)))
    writer.add_add_bos_token(False)


def falcon(writer: gguf.GGUFWriter, config: dict) -> None:
    # The converter writes 2048 positions and four times the width, whatever config.json says.
    sizes(writer, config, inner=config["ffn_hidden_size"], context=2048, epsilon=config["layer_norm_epsilon"])
    writer.add_tensor_data_layout("jploski")
    writer.add_head_count_kv(config["num_kv_heads"] if config["new_decoder_architecture"] else 1)


def bloom(writer: gguf.GGUFWriter, config: dict) -> None:
    inner, context = 4 * config["hidden_size"], config["seq_length"]
    sizes(writer, config, inner=inner, context=context, epsilon=config["layer_norm_epsilon"])
    writer.add_head_count_kv(config["n_head"])


def qwen3moe(writer: gguf.GGUFWriter, config: dict) -> None:
    inner, context = config["intermediate_size"], config["max_position_embeddings"]
    sizes(writer, config, inner=inner, context=context, epsilon=1e-5)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_expert_count(config["num_experts"])
    writer.add_expert_used_count(config["num_experts_per_tok"])
    writer.add_expert_feed_forward_length(config["moe_intermediate_size"])


METADATA = {"qwen3moe": qwen3moe, "gptneox": gptneox, "phi2": phi2, "falcon": falcon, "bloom": bloom}


def head_size(config: dict) -> int:
    return config["hidden_size"] // config["num_attention_heads"]


def add_tokenizer(writer: gguf.GGUFWriter, config: dict) -> None:
    """Characters, and no merges: the goldens' inputs are token ids."""
    tokens = [f"<{token}>" if token < 3 else chr(0x21 + token - 3) for token in range(config["vocab_size"])]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token if token < "\x7f" else chr(0x100 + i) for i, token in enumerate(tokens)])
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(tokens) - 3))
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(config["eos_token_id"])
