"""Encoders with bert's post-LayerNorm blocks under other names."""

SMALL = {
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "max_position_embeddings": 40,
    "vocab_size": 100,
    "pad_token_id": 0,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
}

TYPES = {
    "bert": {
        "seed": 20100,
        "segments": 2,
        "config": {
            **SMALL,
            "architectures": ["BertModel"],
            "model_type": "bert",
            "type_vocab_size": 2,
            "torch_dtype": "float16",
        },
    },
}
