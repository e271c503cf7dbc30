"""Decoders with llama's blocks: RMSNorm, rotation, grouped heads, a gated MLP."""

SMALL = {
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "num_hidden_layers": 2,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-6,
    "vocab_size": 112,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "hidden_act": "silu",
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
}

TYPES = {
    "qwen2": {
        "seed": 30000,
        "config": {
            **SMALL,
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            "rope_theta": 1000000.0,
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
        },
    },
    "qwen2-window": {
        "seed": 30100,
        "config": {
            **SMALL,
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            "num_hidden_layers": 3,
            "use_sliding_window": True,
            "sliding_window": 8,
            "max_window_layers": 1,
            "torch_dtype": "float16",
        },
    },
}
