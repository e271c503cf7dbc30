"""The gpt2 variants: names with and without the `transformer.` prefix, both scalings of attention, two dtypes."""

import torch

from .vocabularies import gpt2_vocabulary

BASE = {
    "architectures": ["GPT2LMHeadModel"],
    "model_type": "gpt2",
    "activation_function": "gelu_new",
    "attn_pdrop": 0.1,
    "bos_token_id": 383,
    "embd_pdrop": 0.1,
    "eos_token_id": 383,
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-5,
    "n_ctx": 192,
    "n_embd": 128,
    "n_head": 4,
    "n_layer": 2,
    "n_positions": 192,
    "resid_pdrop": 0.1,
    "vocab_size": 384,
}
SPREAD = {"wte": 0.1, "wpe": 0.1, "c_attn": 0.18, "c_proj": 0.2, "c_fc": 0.2}


def bare_names(model) -> dict[str, torch.Tensor]:
    """As the first published gpt2 has them: no prefix, no head, and the causal mask stored beside the weights."""
    tensors = {name.removeprefix("transformer."): tensor for name, tensor in prefixed_names(model).items()}
    size = model.config.n_positions
    for layer in range(model.config.n_layer):
        mask = torch.ones(size, size, dtype=torch.uint8).tril().view(1, 1, size, size)
        tensors[f"h.{layer}.attn.bias"] = mask
    return dict(sorted(tensors.items()))


def prefixed_names(model) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"}


TOKENIZER_CONFIG = {
    "add_prefix_space": False,
    "bos_token": "<|endoftext|>",
    "eos_token": "<|endoftext|>",
    "unk_token": "<|endoftext|>",
    "model_max_length": 192,
    "tokenizer_class": "GPT2Tokenizer",
}

GPT2 = {
    "gpt2-bare": {
        "about": "gpt2, names without the transformer. prefix, stored causal masks, inner size given, float32.",
        "seed": 4000,
        "spread": SPREAD,
        "tokenizer": gpt2_vocabulary,
        "stored": bare_names,
        "config": {**BASE, "n_inner": 128, "torch_dtype": "float32"},
        "generation_config": {"bos_token_id": 383, "eos_token_id": 383},
        "tokenizer_config": TOKENIZER_CONFIG,
    },
    "gpt2-scaled": {
        "about": "gpt2, names with the transformer. prefix, scale_attn_by_inverse_layer_idx, default inner size, float16.",
        "seed": 5000,
        "spread": SPREAD,
        "tokenizer": gpt2_vocabulary,
        "stored": prefixed_names,
        "config": {
            **BASE,
            "n_inner": None,
            "scale_attn_by_inverse_layer_idx": True,
            "layer_norm_epsilon": 1e-6,
            "torch_dtype": "float16",
        },
        "generation_config": {"bos_token_id": 383, "eos_token_id": 383},
        "tokenizer_config": TOKENIZER_CONFIG,
    },
}
