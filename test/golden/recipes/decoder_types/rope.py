"""Llama with each scaling of rotation, in old and new files' words."""

from .llama_like import SMALL

# Heads of 16 turn eight pairs, slowly enough that some turn less than once in the original length.
ROPE = {
    **{key: value for key, value in SMALL.items() if key not in ("rope_theta",)},
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 32,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "torch_dtype": "bfloat16",
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
SHORT = [1.0, 1.05, 1.1, 1.2, 1.3, 1.5, 1.8, 2.0]
LONG = [1.0, 1.3, 1.9, 2.7, 4.0, 6.0, 9.0, 12.0]


TYPES = {
    "llama-linear": {
        "seed": 36000,
        "config": {**ROPE, "rope_theta": 1000.0, "rope_scaling": {"type": "linear", "factor": 4.0}},
    },
    # Every text is shorter than max_position_embeddings, so nothing is scaled.
    "llama-dynamic": {
        "seed": 36100,
        "config": {**ROPE, "rope_theta": 1000.0, "rope_scaling": {"type": "dynamic", "factor": 4.0}},
    },
    "llama-yarn": {
        "seed": 36200,
        "config": {**ROPE, "rope_parameters": {"rope_theta": 1000.0, **YARN, "beta_fast": 4, "beta_slow": 0.5}},
    },
    "llama-yarn-mscale": {
        "seed": 36300,
        "config": {
            **ROPE,
            "rope_theta": 1000.0,
            "rope_scaling": {**YARN, "mscale": 1.5, "mscale_all_dim": 0.5, "truncate": False, "beta_fast": 8},
        },
    },
    "llama-llama3": {
        "seed": 36400,
        "config": {
            **ROPE,
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        },
    },
    # One prompt is longer than the original length, and so are all texts that begin with it.
    "llama-longrope": {
        "seed": 36500,
        "lengths": [2, 70, 40],
        "config": {
            **ROPE,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 1000.0,
                "short_factor": SHORT,
                "long_factor": LONG,
                "original_max_position_embeddings": 64,
            },
        },
    },
    "phi3-longrope": {
        "seed": 36600,
        "lengths": [2, 70, 40],
        "config": {
            **{key: value for key, value in ROPE.items() if key != "head_dim"},
            "architectures": ["Phi3ForCausalLM"],
            "model_type": "phi3",
            "rope_theta": 1000.0,
            "original_max_position_embeddings": 64,
            "partial_rotary_factor": 0.75,
            "rope_scaling": {"type": "longrope", "short_factor": SHORT[:6], "long_factor": LONG[:6]},
        },
    },
}
