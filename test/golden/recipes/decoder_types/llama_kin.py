"""Decoders that change more of llama: norms, MLPs, scales of queries."""

from .llama_like import SMALL

KIN = {**SMALL, "hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2}


def without(*keys: str) -> dict:
    return {key: value for key, value in KIN.items() if key not in keys}


def learned_activations(model) -> None:
    """xIELU's parameters, which fill knows no spread for that makes sense: each layer has its own."""
    import torch

    with torch.no_grad():
        for index, layer in enumerate(model.model.layers):
            layer.mlp.act_fn.alpha_p.fill_(0.25 + 0.5 * index)
            layer.mlp.act_fn.alpha_n.fill_(-0.5 + 0.75 * index)


def above_one(model) -> None:
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name and name.endswith("weight"):
                # In steps that every type holds on both sides of 1.
                parameter.sub_(1.0).mul_(128).round_().div_(128)


TYPES = {
    "exaone4": {
        "seed": 34000,
        "config": {
            **KIN,
            "architectures": ["Exaone4ForCausalLM"],
            "model_type": "exaone4",
            "num_hidden_layers": 4,
            "sliding_window": 6,
            "sliding_window_pattern": "LLLG",
            "layer_types": ["sliding_attention"] * 3 + ["full_attention"],
            "torch_dtype": "bfloat16",
        },
    },
    "exaone4-full": {
        "seed": 34100,
        "config": {
            **KIN,
            "architectures": ["Exaone4ForCausalLM"],
            "model_type": "exaone4",
            "num_hidden_layers": 3,
            "sliding_window": None,
            "layer_types": ["full_attention"] * 3,
            "tie_word_embeddings": True,
            "torch_dtype": "float16",
        },
    },
    "arcee": {
        "seed": 34200,
        "config": {
            **KIN,
            "architectures": ["ArceeForCausalLM"],
            "model_type": "arcee",
            "hidden_act": "relu2",
            "mlp_bias": True,
            "torch_dtype": "bfloat16",
        },
    },
    "apertus": {
        "seed": 34300,
        "change": learned_activations,
        "config": {
            **without("hidden_act"),
            "architectures": ["ApertusForCausalLM"],
            "model_type": "apertus",
            "hidden_act": "xielu",
            "rope_theta": 12000000.0,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            },
            "torch_dtype": "bfloat16",
        },
    },
    "hunyuan-v1-dense": {
        "seed": 34400,
        "config": {
            **KIN,
            "architectures": ["HunYuanDenseV1ForCausalLM"],
            "model_type": "hunyuan_v1_dense",
            "head_dim": 8,
            "rope_scaling": {"type": "dynamic", "factor": 1.0, "alpha": 1000.0},
            "torch_dtype": "bfloat16",
        },
    },
    "nanochat": {
        "seed": 34500,
        "config": {
            **without("hidden_act"),
            "architectures": ["NanoChatForCausalLM"],
            "model_type": "nanochat",
            "hidden_act": "relu2",
            "final_logit_softcapping": 3.0,
            "torch_dtype": "float16",
        },
    },
    "ministral": {
        "seed": 34600,
        "config": {
            **KIN,
            "architectures": ["MinistralForCausalLM"],
            "model_type": "ministral",
            "num_hidden_layers": 3,
            "head_dim": 8,
            "sliding_window": 7,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "torch_dtype": "bfloat16",
        },
    },
    "ministral3": {
        "seed": 34700,
        "config": {
            **without("rope_theta"),
            "architectures": ["Ministral3ForCausalLM"],
            "model_type": "ministral3",
            "head_dim": 16,
            "rope_parameters": {
                "type": "yarn",
                "rope_type": "yarn",
                "rope_theta": 10000.0,
                "factor": 8.0,
                "original_max_position_embeddings": 16,
                "max_position_embeddings": 128,
                "beta_fast": 32.0,
                "beta_slow": 1.0,
                "mscale_all_dim": 1.0,
                "mscale": 1.0,
                "llama_4_scaling_beta": 0.4,
            },
            "torch_dtype": "bfloat16",
        },
    },
    "seed-oss": {
        "seed": 34800,
        "config": {
            **KIN,
            "architectures": ["SeedOssForCausalLM"],
            "model_type": "seed_oss",
            "head_dim": 16,
            "num_attention_heads": 3,
            "num_key_value_heads": 1,
            "attention_bias": True,
            "attention_out_bias": True,
            "torch_dtype": "float16",
        },
    },
    "granitemoehybrid": {
        "seed": 34900,
        "config": {
            **KIN,
            "architectures": ["GraniteMoeHybridForCausalLM"],
            "model_type": "granitemoehybrid",
            "layer_types": ["attention", "attention"],
            "num_local_experts": 0,
            "num_experts_per_tok": 0,
            "shared_intermediate_size": 48,
            "position_embedding_type": "rope",
            "mamba_n_heads": 4,
            "embedding_multiplier": 1.5,
            "residual_multiplier": 0.8,
            "attention_multiplier": 0.2,
            "logits_scaling": 0.4,
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
        },
    },
    "nemotron": {
        "seed": 35000,
        "change": above_one,
        "config": {
            **without("rms_norm_eps", "hidden_act"),
            "architectures": ["NemotronForCausalLM"],
            "model_type": "nemotron",
            "head_dim": 16,
            "norm_eps": 1e-5,
            "partial_rotary_factor": 0.5,
            "hidden_act": "relu2",
            "torch_dtype": "bfloat16",
        },
    },
    "stablelm": {
        "seed": 35100,
        "config": {
            **without("rms_norm_eps"),
            "architectures": ["StableLmForCausalLM"],
            "model_type": "stablelm",
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "layer_norm_eps": 1e-5,
            "use_qkv_bias": True,
            "torch_dtype": "float16",
        },
    },
    "stablelm-parallel": {
        "seed": 35200,
        "config": {
            **without("rms_norm_eps"),
            "architectures": ["StableLmForCausalLM"],
            "model_type": "stablelm",
            "layer_norm_eps": 1e-5,
            "use_parallel_residual": True,
            "qk_layernorm": True,
            "partial_rotary_factor": 0.5,
            "torch_dtype": "bfloat16",
        },
    },
    "modernbert-decoder": {
        "seed": 35300,
        "config": {
            **without("rms_norm_eps", "hidden_act", "rope_theta", "num_key_value_heads", "tie_word_embeddings"),
            "architectures": ["ModernBertDecoderForCausalLM"],
            "model_type": "modernbert-decoder",
            "num_hidden_layers": 4,
            "intermediate_size": 48,
            "local_attention": 14,
            "global_attn_every_n_layers": 3,
            "global_rope_theta": 160000.0,
            "local_rope_theta": 100.0,
            "norm_eps": 1e-5,
            "cls_token_id": 1,
            "sep_token_id": 2,
            "torch_dtype": "float16",
        },
    },
    "bitnet": {
        "seed": 35400,
        "config": {
            **without("hidden_act"),
            "architectures": ["BitNetForCausalLM"],
            "model_type": "bitnet",
            "hidden_act": "relu2",
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
        },
    },
    "internlm3": {
        "seed": 35500,
        "config": {
            **KIN,
            "architectures": ["InternLM3ForCausalLM"],
            "model_type": "internlm3",
            "head_dim": 16,
            "qkv_bias": True,
            "bias": True,
            "rope_scaling": {"rope_type": "dynamic", "factor": 6.0},
            "torch_dtype": "bfloat16",
        },
    },
    "jais2": {
        "seed": 35600,
        "config": {
            **without("rms_norm_eps", "hidden_act"),
            "architectures": ["Jais2ForCausalLM"],
            "model_type": "jais2",
            "layer_norm_eps": 1e-5,
            "hidden_act": "relu2",
            "torch_dtype": "bfloat16",
        },
    },
    "hyperclovax": {
        "seed": 35700,
        "config": {
            **KIN,
            "architectures": ["HyperCLOVAXForCausalLM"],
            "model_type": "hyperclovax",
            "embedding_multiplier": 1.5,
            "residual_multiplier": 0.8,
            "attention_multiplier": 0.2,
            "logits_scaling": 1.5,
            "torch_dtype": "bfloat16",
        },
    },
}
