"""Decoders that make embeddings: their repositories have sentence-transformers files and name the class that writes."""

from transformers import (
    Gemma3TextConfig,
    Gemma3TextModel,
    MistralConfig,
    MistralModel,
    Qwen2Config,
    Qwen2Model,
    Qwen3Config,
    Qwen3Model,
)

from ..encoders import modules

SMALL = {
    "hidden_size": 36,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "vocab_size": 100,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "torch_dtype": "float16",
}


def embedder(model_type: str, cls: type, config_class: type, seed: int, **changes) -> dict:
    config = {**SMALL, "architectures": [f"{cls.__name__[:-5]}ForCausalLM"], "model_type": model_type, **changes}
    settings = config_class(**{key: value for key, value in config.items() if key not in ("architectures", "model_type")})
    return {
        "seed": seed,
        "config": config,
        "files": {"modules.json": modules("Pooling", "Normalize")},
        "model": lambda _: cls._from_config(settings, attn_implementation="eager"),
        "load": lambda folder: cls.from_pretrained(folder, attn_implementation="eager"),
    }


TYPES = {
    "qwen3-embedder": embedder("qwen3", Qwen3Model, Qwen3Config, 26500, rope_theta=1000000.0),
    # Each token sees the six before it.
    "mistral-embedder": embedder("mistral", MistralModel, MistralConfig, 26600, sliding_window=6),
    # Tokens see both sides, as gte-qwen2's.
    "qwen2-embedder": embedder("qwen2", Qwen2Model, Qwen2Config, 26700, is_causal=False),
    # EmbeddingGemma: five positions on either side, but for the last layer.
    "gemma3-text-embedder": embedder(
        "gemma3_text",
        Gemma3TextModel,
        Gemma3TextConfig,
        26800,
        num_hidden_layers=3,
        num_key_value_heads=1,
        num_attention_heads=3,
        layer_types=["sliding_attention", "sliding_attention", "full_attention"],
        sliding_window=10,
        query_pre_attn_scalar=12,
        rope_local_base_freq=100.0,
        rope_theta=5000.0,
        use_bidirectional_attention=True,
    ),
}

# The encoder of a T5, as sentence-t5 has it: heads wider than the hidden size, distances in buckets, a gated MLP.
TYPES["t5-encoder"] = {
    "seed": 26900,
    "config": {
        "architectures": ["T5EncoderModel"],
        "model_type": "t5",
        "d_model": 36,
        "d_kv": 16,
        "d_ff": 48,
        "num_layers": 2,
        "num_heads": 3,
        "vocab_size": 100,
        "feed_forward_proj": "gated-gelu",
        "relative_attention_num_buckets": 8,
        "relative_attention_max_distance": 20,
        "is_encoder_decoder": False,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
    },
}
