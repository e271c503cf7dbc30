"""Gemma and its kin: norms above 1, GELU, embeddings times the root of their size."""

from .llama_like import SMALL

GEMMA = {
    **{key: value for key, value in SMALL.items() if key not in ("hidden_act", "tie_word_embeddings")},
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "hidden_activation": "gelu_pytorch_tanh",
}
# Embeddings are times √32, and heads of 16 divide by √24.
SPREAD = {"embed": 0.15, "norm": 0.2, "q_proj": 0.35, "k_proj": 0.35, "": 0.3}
CAPPED = {
    **GEMMA,
    "num_hidden_layers": 3,
    "query_pre_attn_scalar": 24,
    "sliding_window": 7,
    "attn_logit_softcapping": 3.0,
    "final_logit_softcapping": 4.0,
}


def above_one(model) -> None:
    """fill makes norm weights around 1; these models keep what is above 1."""
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                # In steps that every type holds on both sides of 1.
                parameter.sub_(1.0).mul_(128).round_().div_(128)
            if "layernorm" in name and "post" in name:
                # Large, so that what layers add outweighs the embedding; times a power of two, so that it stays exact.
                parameter.mul_(16.0)


TYPES = {
    "gemma": {
        "seed": 31000,
        "spread": SPREAD,
        "change": above_one,
        "config": {
            **{key: value for key, value in GEMMA.items() if key != "hidden_activation"},
            "architectures": ["GemmaForCausalLM"],
            "model_type": "gemma",
            "hidden_act": "gelu",
            "num_attention_heads": 3,
            "num_key_value_heads": 1,
            "torch_dtype": "bfloat16",
        },
    },
    "gemma2": {
        "seed": 31100,
        "spread": SPREAD,
        "change": above_one,
        "config": {
            **CAPPED,
            "architectures": ["Gemma2ForCausalLM"],
            "model_type": "gemma2",
            "torch_dtype": "bfloat16",
        },
    },
    "vaultgemma": {
        "seed": 31200,
        "spread": SPREAD,
        "change": above_one,
        "config": {
            **CAPPED,
            "architectures": ["VaultGemmaForCausalLM"],
            "model_type": "vaultgemma",
            "torch_dtype": "float16",
        },
    },
    "gemma3-text": {
        "seed": 31300,
        "spread": SPREAD,
        "change": above_one,
        "config": {
            **GEMMA,
            "architectures": ["Gemma3ForCausalLM"],
            "model_type": "gemma3_text",
            "num_hidden_layers": 3,
            "query_pre_attn_scalar": 24,
            "sliding_window": 7,
            "sliding_window_pattern": 3,
            "rope_theta": 1000000.0,
            "rope_local_base_freq": 100.0,
            "torch_dtype": "bfloat16",
        },
    },
    # As transformers writes them today: rotations by layer type.
    "gemma3-text-linear": {
        "seed": 31400,
        "spread": SPREAD,
        "change": above_one,
        "config": {
            **{key: value for key, value in GEMMA.items() if key != "rope_theta"},
            "architectures": ["Gemma3ForCausalLM"],
            "model_type": "gemma3_text",
            "query_pre_attn_scalar": 24,
            "sliding_window": 5,
            "layer_types": ["sliding_attention", "full_attention"],
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 500.0},
            },
            "torch_dtype": "float16",
        },
    },
}
