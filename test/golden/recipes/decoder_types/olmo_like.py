"""OLMo and its kin: norms behind attention and MLP, or norms without weights."""

from .llama_like import SMALL

OLMO = {**SMALL, "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2}



def sharpened(model) -> None:
    """Queries are normed here, so wide weights don't make attention choose; a power of two stays exact."""
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "q_norm" in name:
                parameter.mul_(4.0)


TYPES = {
    "olmo": {
        "seed": 32000,
        "config": {
            **{key: value for key, value in OLMO.items() if key != "rms_norm_eps"},
            "architectures": ["OlmoForCausalLM"],
            "model_type": "olmo",
            "hidden_size": 48,
            "num_attention_heads": 3,
            "num_key_value_heads": 3,
            "clip_qkv": 0.9,
            "torch_dtype": "bfloat16",
        },
    },
    "olmo2": {
        "seed": 32100,
        "change": sharpened,
        "config": {
            **OLMO,
            "architectures": ["Olmo2ForCausalLM"],
            "model_type": "olmo2",
            "num_hidden_layers": 3,
            "intermediate_size": 48,
            "attention_bias": True,
            "torch_dtype": "float16",
        },
    },
    "olmo3": {
        "seed": 32200,
        "config": {
            **OLMO,
            "architectures": ["Olmo3ForCausalLM"],
            "model_type": "olmo3",
            "num_hidden_layers": 4,
            "sliding_window": 7,
            "rope_theta": 500000.0,
            "rope_scaling": {
                "rope_type": "yarn",
                "factor": 8.0,
                "original_max_position_embeddings": 16,
                "attention_factor": 1.2079441541679836,
                "beta_fast": 32,
                "beta_slow": 1,
            },
            "torch_dtype": "bfloat16",
        },
    },
}
