"""Encoders that do not look like bert: rotated heads, windows, gated MLPs, disentangled attention."""

SMALL = {
    "hidden_size": 36,
    "intermediate_size": 40,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "max_position_embeddings": 64,
    "vocab_size": 100,
    "pad_token_id": 0,
}
IDS = {"bos_token_id": 1, "cls_token_id": 1, "eos_token_id": 2, "sep_token_id": 2, "pad_token_id": 0}

# As files on the Hub have it; the window reaches 4 positions, the layer in the middle is local.
MODERNBERT = {
    **SMALL,
    **IDS,
    "architectures": ["ModernBertModel"],
    "model_type": "modernbert",
    "num_hidden_layers": 3,
    "global_attn_every_n_layers": 2,
    "global_rope_theta": 160000.0,
    "local_rope_theta": 1000.0,
    "local_attention": 8,
    "hidden_activation": "gelu",
    "norm_eps": 1e-5,
    "torch_dtype": "float16",
}
# As newer releases of transformers write it, with every bias that there is.
MODERNBERT_BIASED = {
    **{key: value for key, value in MODERNBERT.items() if "rope" not in key and "global" not in key},
    "num_hidden_layers": 3,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    "rope_parameters": {
        "full_attention": {"rope_type": "default", "rope_theta": 50000.0},
        "sliding_attention": {"rope_type": "linear", "rope_theta": 5000.0, "factor": 2.0},
    },
    "norm_bias": True,
    "attention_bias": True,
    "mlp_bias": True,
    "hidden_activation": "silu",
    "local_attention": 10,
    "torch_dtype": "bfloat16",
}

# As deberta-v3: one projection for content and positions, distances in logarithmic buckets.
DEBERTA_V2 = {
    **SMALL,
    "architectures": ["DebertaV2Model"],
    "model_type": "deberta-v2",
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-7,
    "relative_attention": True,
    "max_relative_positions": -1,
    "position_buckets": 8,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": "p2c|c2p",
    "position_biased_input": False,
    "type_vocab_size": 0,
    "torch_dtype": "float16",
}

TYPES = {
    "modernbert": {"seed": 23000, "config": MODERNBERT},
    "modernbert-biased": {"seed": 23100, "config": MODERNBERT_BIASED},
    "deberta-v2": {"seed": 23200, "config": DEBERTA_V2},
    "deberta-v2-conv": {
        "seed": 23300,
        "config": {
            **DEBERTA_V2,
            "conv_kernel_size": 3,
            "conv_act": "gelu",
            "conv_groups": 2,
            "torch_dtype": "bfloat16",
        },
    },
    # Without buckets a distance of more than 20 is 20.
    "deberta-v2-apart": {
        "seed": 23400,
        "segments": 2,
        "config": {
            **{key: value for key, value in DEBERTA_V2.items() if key not in ("position_buckets", "norm_rel_ebd")},
            "share_att_key": False,
            "pos_att_type": ["c2p"],
            "max_relative_positions": 20,
            "position_biased_input": True,
            "type_vocab_size": 2,
            "embedding_size": 24,
            "torch_dtype": "float16",
        },
    },
    "deberta": {
        "seed": 23500,
        "config": {
            **SMALL,
            "hidden_size": 48,
            "architectures": ["DebertaModel"],
            "model_type": "deberta",
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-7,
            "relative_attention": True,
            "max_relative_positions": 20,
            "pos_att_type": "c2p|p2c",
            "position_biased_input": False,
            "type_vocab_size": 0,
            "torch_dtype": "float16",
        },
    },
}
