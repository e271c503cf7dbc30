"""Decoders whose neighbours rotate together: Cohere's, GLM, Helium, ERNIE 4.5."""

from .llama_like import SMALL

ROTATED = {**SMALL, "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2}
COHERE = {
    **{key: value for key, value in ROTATED.items() if key not in ("rms_norm_eps", "tie_word_embeddings")},
    "layer_norm_eps": 1e-5,
    "logit_scale": 1.5,
}

TYPES = {
    "cohere": {
        "seed": 33000,
        "config": {
            **COHERE,
            "architectures": ["CohereForCausalLM"],
            "model_type": "cohere",
            "torch_dtype": "float16",
        },
    },
    "cohere-norms": {
        "seed": 33100,
        "config": {
            **COHERE,
            "architectures": ["CohereForCausalLM"],
            "model_type": "cohere",
            "hidden_size": 48,
            "num_attention_heads": 3,
            "num_key_value_heads": 1,
            "use_qk_norm": True,
            "attention_bias": True,
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
        },
    },
    "cohere2": {
        "seed": 33200,
        "config": {
            **COHERE,
            "architectures": ["Cohere2ForCausalLM"],
            "model_type": "cohere2",
            "num_hidden_layers": 4,
            "sliding_window": 6,
            "sliding_window_pattern": 4,
            "torch_dtype": "bfloat16",
        },
    },
    "glm": {
        "seed": 33300,
        "config": {
            **ROTATED,
            "architectures": ["GlmForCausalLM"],
            "model_type": "glm",
            "head_dim": 16,
            "num_attention_heads": 3,
            "num_key_value_heads": 1,
            "attention_bias": True,
            "torch_dtype": "bfloat16",
        },
    },
    "glm4": {
        "seed": 33400,
        "config": {
            **ROTATED,
            "architectures": ["Glm4ForCausalLM"],
            "model_type": "glm4",
            "head_dim": 16,
            "partial_rotary_factor": 0.5,
            "attention_bias": False,
            "torch_dtype": "float16",
        },
    },
    "helium": {
        "seed": 33500,
        "config": {
            **ROTATED,
            "architectures": ["HeliumForCausalLM"],
            "model_type": "helium",
            "head_dim": 8,
            "rms_norm_eps": 1e-8,
            "torch_dtype": "bfloat16",
        },
    },
    "ernie4-5": {
        "seed": 33600,
        "config": {
            **ROTATED,
            "architectures": ["Ernie4_5ForCausalLM"],
            "model_type": "ernie4_5",
            "head_dim": 16,
            "use_bias": True,
            "rope_theta": 500000.0,
            "tie_word_embeddings": True,
            "torch_dtype": "float16",
        },
    },
}
