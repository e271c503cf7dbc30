"""Models for images and text, of which the text is run: config.json has the language model's configuration inside."""

from transformers import AutoConfig, AutoModelForImageTextToText

from .gemma_like import GEMMA, SPREAD, above_one
from .llama_like import SMALL

VISION = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "image_size": 8,
    "patch_size": 4,
}


def model(directory):
    config = AutoConfig.from_pretrained(directory)
    return AutoModelForImageTextToText.from_config(config, attn_implementation="eager")


def load(directory):
    return AutoModelForImageTextToText.from_pretrained(directory, attn_implementation="eager")


def without(config: dict, *keys: str) -> dict:
    return {key: value for key, value in config.items() if key not in keys}


TEXT = without({**SMALL, "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2}, "tie_word_embeddings")
COMMON = {"vocab_size": 112, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "torch_dtype": "bfloat16"}

TYPES = {
    "gemma3": {
        "seed": 37000,
        "spread": SPREAD,
        "change": above_one,
        "model": model,
        "load": load,
        "config": {
            **COMMON,
            "architectures": ["Gemma3ForConditionalGeneration"],
            "model_type": "gemma3",
            "mm_tokens_per_image": 4,
            "boi_token_index": 108,
            "eoi_token_index": 109,
            "image_token_index": 110,
            "text_config": {
                **without(GEMMA, "rope_theta", "bos_token_id", "eos_token_id", "pad_token_id"),
                "model_type": "gemma3_text",
                "query_pre_attn_scalar": 24,
                "sliding_window": 7,
                "sliding_window_pattern": 2,
                "rope_scaling": {"rope_type": "linear", "factor": 8.0},
            },
            "vision_config": {**VISION, "model_type": "siglip_vision_model"},
        },
    },
    "llava": {
        "seed": 37100,
        "model": model,
        "load": load,
        "config": {
            **COMMON,
            "architectures": ["LlavaForConditionalGeneration"],
            "model_type": "llava",
            "image_token_index": 110,
            "tie_word_embeddings": False,
            "text_config": {**TEXT, "model_type": "llama"},
            "vision_config": {**VISION, "model_type": "clip_vision_model", "projection_dim": 16},
        },
    },
    "mistral3": {
        "seed": 37200,
        "model": model,
        "load": load,
        "config": {
            **COMMON,
            "architectures": ["Mistral3ForConditionalGeneration"],
            "model_type": "mistral3",
            "image_token_index": 110,
            "spatial_merge_size": 1,
            "tie_word_embeddings": False,
            "text_config": {**TEXT, "model_type": "mistral", "head_dim": 16, "sliding_window": None},
            "vision_config": {**VISION, "model_type": "pixtral", "head_dim": 8},
        },
    },
}
