"""llama-gqa as GGUF files, written the way llama.cpp's converter writes them; references from the dequantized weights."""

import json
import shutil
from pathlib import Path

import gguf
import numpy
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from .decoders import all_logits, chat_reference, decoder_reference, empty_model, write_reference
from .llama import LLAMA
from .numbers import fill, packed

TYPES = {
    "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    "q4_0": (gguf.GGMLQuantizationType.Q4_0, gguf.LlamaFileType.MOSTLY_Q4_0),
    "q4_1": (gguf.GGMLQuantizationType.Q4_1, gguf.LlamaFileType.MOSTLY_Q4_1),
}
NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def make_gguf(directory: Path, kind: str, base: Path) -> None:
    """Writes one file from the recipe of llama-gqa (`base`), with the first seed from its own on that is safe."""
    recipe = LLAMA["llama-gqa"]
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    first = json.loads((base / "reference.json").read_text())["seed"]
    for seed in range(first, first + 200):
        model = empty_model(base)
        fill(model, seed, torch.float32, recipe["spread"])
        tensors = quantize(model, kind)
        reference = decoder_reference(model, tokenizer)
        if reference is not None:
            break
    else:
        raise SystemExit(f"{directory.name}: no seed gives safe margins")
    file = f"llama-gqa.{kind.upper()}.gguf"
    write_gguf(directory / file, kind, tensors, recipe, tokenizer)
    check_loads(directory, file, reference)
    reference["chats"] = chat_reference(base)
    write_reference(directory, {"kind": "decoder", "file": file, "seed": seed, **reference})


def quantize(model: torch.nn.Module, kind: str) -> list[tuple[str, numpy.ndarray, gguf.GGMLQuantizationType]]:
    """The file's tensors; the model's own weights become what the file says."""
    stored = []
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            target = TYPES[kind][0] if parameter.dim() == 2 else gguf.GGMLQuantizationType.F32
            if kind == "q4_1" and "embed_tokens" in name:
                target = gguf.GGMLQuantizationType.Q8_0  # as the published SmolLM2 file mixes them
            heads = head_count(model.config, name)
            rows = interleave(parameter.numpy(), heads) if heads else parameter.numpy()
            data = gguf.quants.quantize(rows, target)
            value = gguf.quants.dequantize(data, target).reshape(parameter.shape)
            parameter.copy_(torch.from_numpy(deinterleave(value, heads) if heads else value))
            stored.append((gguf_name(name), data, target))
    return stored


def head_count(config, name: str) -> int | None:
    if "q_proj" in name:
        return config.num_attention_heads
    return config.num_key_value_heads if "k_proj" in name else None


def interleave(weights: numpy.ndarray, heads: int) -> numpy.ndarray:
    """llama.cpp rotates neighbouring pairs, transformers the two halves of a head: rows of q and k are reordered."""
    half = weights.shape[0] // heads // 2
    return numpy.ascontiguousarray(weights.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(weights.shape))


def deinterleave(weights: numpy.ndarray, heads: int) -> numpy.ndarray:
    half = weights.shape[0] // heads // 2
    return numpy.ascontiguousarray(weights.reshape(heads, half, 2, -1).swapaxes(1, 2).reshape(weights.shape))


def gguf_name(name: str) -> str:
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{NAMES[rest.removesuffix('.weight')]}.weight"


def write_gguf(file: Path, kind: str, tensors: list, recipe: dict, tokenizer: Tokenizer) -> None:
    config = recipe["config"]
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name("Llama Gqa")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_file_type(TYPES[kind][1])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    add_tokenizer(writer, recipe, tokenizer)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for name, data, target in tensors:
        writer.add_tensor(name, data, raw_dtype=target)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_tokenizer(writer: gguf.GGUFWriter, recipe: dict, tokenizer: Tokenizer) -> None:
    model = json.loads(tokenizer.to_str())["model"]
    special = tokenizer.get_added_tokens_decoder()
    tokens = [tokenizer.id_to_token(token) for token in range(tokenizer.get_vocab_size())]
    types = [gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in range(len(tokens))]
    writer.add_add_space_prefix(False)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) for pair in model["merges"]])
    writer.add_bos_token_id(recipe["config"]["bos_token_id"])
    writer.add_eos_token_id(recipe["config"]["eos_token_id"])
    writer.add_unk_token_id(tokenizer.token_to_id(recipe["tokenizer_config"]["unk_token"]))
    writer.add_pad_token_id(recipe["config"]["pad_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(recipe["tokenizer_config"]["chat_template"])


def check_loads(directory: Path, file: str, reference: dict) -> None:
    """transformers' own GGUF reader finds the same model and tokenizer in the file."""
    model = AutoModelForCausalLM.from_pretrained(
        directory, gguf_file=file, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    for prompt in reference["prompts"]:
        logits = packed(all_logits(model, prompt["tokens"])[-1])
        assert logits == prompt["logits"], f"{file}: transformers reads another model"
    tokenizer = AutoTokenizer.from_pretrained(directory, gguf_file=file)
    assert len(tokenizer) == model.config.vocab_size, file
