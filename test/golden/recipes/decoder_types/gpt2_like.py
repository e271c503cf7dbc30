"""Decoders before llama: LayerNorm with biases, an MLP without a gate, learned positions, rotation or linear biases."""

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor

IDS = {"vocab_size": 112, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}

SMALL = {
    **IDS,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "max_position_embeddings": 96,
}

# GPT-2's own words for the same.
GPT = {**IDS, "n_embd": 48, "n_inner": 64, "n_head": 3, "n_layer": 2, "n_positions": 96}


def neox(**fields):
    return {
        **SMALL,
        "architectures": ["GPTNeoXForCausalLM"],
        "model_type": "gpt_neox",
        "hidden_act": "gelu",
        "rotary_pct": 0.25,
        "rotary_emb_base": 10000,
        "layer_norm_eps": 1e-5,
        "use_parallel_residual": True,
        "tie_word_embeddings": False,
        **fields,
    }


def opt(**fields):
    return {
        **SMALL,
        "architectures": ["OPTForCausalLM"],
        "model_type": "opt",
        "ffn_dim": 64,
        "activation_function": "relu",
        "do_layer_norm_before": True,
        "word_embed_proj_dim": 48,
        **fields,
    }


def falcon(**fields):
    return {
        **SMALL,
        "architectures": ["FalconForCausalLM"],
        "model_type": "falcon",
        "ffn_hidden_size": 64,
        "layer_norm_epsilon": 1e-5,
        "alibi": False,
        "bias": False,
        "multi_query": True,
        "new_decoder_architecture": False,
        "parallel_attn": True,
        **fields,
    }


def bigcode(**fields):
    return {
        **GPT,
        "architectures": ["GPTBigCodeForCausalLM"],
        "model_type": "gpt_bigcode",
        "activation_function": "gelu_pytorch_tanh",
        **fields,
    }


def mpt(attention, **fields):
    return {
        **IDS,
        "architectures": ["MptForCausalLM"],
        "model_type": "mpt",
        "d_model": 48,
        "n_heads": 3,
        "n_layers": 2,
        "expansion_ratio": 4,
        "max_seq_len": 96,
        "no_bias": True,
        "attn_config": {"alibi": True, "alibi_bias_max": 8, "clip_qkv": None, "softmax_scale": None, **attention},
        **fields,
    }


def empty_with_sdpa(directory):
    """Falcon's eager attention adds its linear biases twice: with the mask, and once more. What people run is SDPA."""
    config = AutoConfig.from_pretrained(directory)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa")


def load_with_sdpa(directory):
    return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="sdpa")


def mpt_biases(model):
    """transformers never passes on alibi_bias_max; MPT-7B-StoryWriter was trained with 16 instead of the usual 8."""
    greatest = model.config.attn_config.alibi_bias_max
    model.transformer.build_mpt_alibi_tensor = lambda heads, length, alibi_bias_max=8, device=None: (
        build_mpt_alibi_tensor(heads, length, greatest, device)
    )


def loaded_mpt(directory):
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")
    mpt_biases(model)
    return model


TYPES = {
    "gpt-neox": {"seed": 31000, "gguf": "gptneox", "config": neox(torch_dtype="float16")},
    "gpt-neox-sequential": {
        "seed": 31050,
        "config": neox(
            torch_dtype="bfloat16",
            use_parallel_residual=False,
            attention_bias=False,
            rotary_pct=1.0,
            rotary_emb_base=500,
            hidden_act="gelu_fast",
        ),
    },
    "opt": {"seed": 31100, "config": opt(torch_dtype="float16")},
    "opt-post": {
        "seed": 31150,
        "config": opt(torch_dtype="bfloat16", do_layer_norm_before=False, word_embed_proj_dim=32, enable_bias=False),
    },
    "gpt-neo": {
        "seed": 31200,
        # Scores are not scaled, so narrow weights keep them apart.
        "spread": {"wte": 0.15, "q_proj": 0.15, "k_proj": 0.15, "": 0.25},
        "config": {
            **IDS,
            "architectures": ["GPTNeoForCausalLM"],
            "model_type": "gpt_neo",
            "hidden_size": 48,
            "intermediate_size": 64,
            "num_heads": 3,
            "num_layers": 3,
            "attention_types": [[["global", "local"], 1], [["local"], 1]],
            "window_size": 8,
            "max_position_embeddings": 96,
            "activation_function": "gelu_new",
            "torch_dtype": "float16",
        },
    },
    "gptj": {
        "seed": 31300,
        "config": {
            **GPT,
            "architectures": ["GPTJForCausalLM"],
            "model_type": "gptj",
            "rotary_dim": 8,
            "activation_function": "gelu_new",
            "tie_word_embeddings": False,
            "torch_dtype": "float16",
        },
    },
    "codegen": {
        "seed": 31400,
        "config": {
            **GPT,
            "architectures": ["CodeGenForCausalLM"],
            "model_type": "codegen",
            "n_embd": 64,
            "n_head": 8,
            "n_ctx": 96,
            "n_inner": 32,
            "rotary_dim": 4,
            "activation_function": "gelu_new",
            "tie_word_embeddings": False,
            "torch_dtype": "float16",
        },
    },
    "gpt-bigcode": {"seed": 31500, "config": bigcode(multi_query=True, torch_dtype="float16")},
    "gpt-bigcode-heads": {
        "seed": 31550,
        "config": bigcode(multi_query=False, scale_attn_weights=False, tie_word_embeddings=False, torch_dtype="bfloat16"),
        "spread": {"wte": 0.15, "lm_head": 0.15, "c_attn": 0.15, "": 0.25},
    },
    "bloom": {
        "seed": 31600,
        "gguf": "bloom",
        "config": {
            **IDS,
            "architectures": ["BloomForCausalLM"],
            "model_type": "bloom",
            "hidden_size": 48,
            "n_head": 3,
            "n_layer": 2,
            "seq_length": 96,
            "layer_norm_epsilon": 1e-5,
            "apply_residual_connection_post_layernorm": False,
            "torch_dtype": "float16",
        },
    },
    "mpt": {"seed": 31700, "config": mpt({"clip_qkv": 1.0}, torch_dtype="bfloat16")},
    "mpt-scale": {
        "seed": 31750,
        "change": mpt_biases,
        "load": loaded_mpt,
        "config": mpt({"alibi_bias_max": 4, "softmax_scale": 0.2}, n_heads=4, d_model=32, torch_dtype="float32"),
    },
    "falcon": {"seed": 31800, "config": falcon(torch_dtype="bfloat16")},
    "falcon-new": {
        "seed": 31850,
        "gguf": "falcon",
        "config": falcon(
            new_decoder_architecture=True,
            hidden_size=64,
            num_attention_heads=4,
            num_kv_heads=2,
            bias=True,
            tie_word_embeddings=False,
            torch_dtype="float16",
        ),
    },
    "falcon-one-norm": {
        "seed": 31860,
        "config": falcon(
            new_decoder_architecture=True,
            num_ln_in_parallel_attn=1,
            num_kv_heads=1,
            rope_theta=500042.0,
            torch_dtype="float16",
        ),
    },
    "falcon-rw": {
        "seed": 31900,
        "model": empty_with_sdpa,
        "load": load_with_sdpa,
        # Beyond 256 tokens bfloat16 rounds positions.
        "lengths": [2, 9, 40, 270],
        "config": falcon(
            alibi=True,
            multi_query=False,
            parallel_attn=False,
            bias=True,
            max_position_embeddings=320,
            torch_dtype="bfloat16",
        ),
    },
    "phi": {
        "seed": 32000,
        "gguf": "phi2",
        "config": {
            **SMALL,
            "architectures": ["PhiForCausalLM"],
            "model_type": "phi",
            "partial_rotary_factor": 0.5,
            "hidden_act": "gelu_new",
            "tie_word_embeddings": False,
            "torch_dtype": "float16",
        },
    },
    "phi-norms": {
        "seed": 32050,
        "config": {
            **SMALL,
            "architectures": ["PhiForCausalLM"],
            "model_type": "phi",
            "num_key_value_heads": 1,
            "partial_rotary_factor": 0.25,
            "qk_layernorm": True,
            "hidden_act": "gelu_new",
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
        },
    },
    "starcoder2": {
        "seed": 32100,
        "config": {
            **SMALL,
            "architectures": ["Starcoder2ForCausalLM"],
            "model_type": "starcoder2",
            "num_key_value_heads": 1,
            "sliding_window": 8,
            "rope_theta": 999999.0,
            "norm_epsilon": 1e-5,
            "hidden_act": "gelu_pytorch_tanh",
            "torch_dtype": "bfloat16",
        },
    },
    "starcoder2-plain": {
        "seed": 32150,
        "config": {
            **SMALL,
            "architectures": ["Starcoder2ForCausalLM"],
            "model_type": "starcoder2",
            "num_key_value_heads": 3,
            "use_bias": False,
            "tie_word_embeddings": False,
            "hidden_act": "gelu",
            "torch_dtype": "float16",
        },
    },
    "persimmon": {
        "seed": 32200,
        "config": {
            **SMALL,
            "architectures": ["PersimmonForCausalLM"],
            "model_type": "persimmon",
            "partial_rotary_factor": 0.5,
            "hidden_act": "relu2",
            "qk_layernorm": True,
            "rope_theta": 25000.0,
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
        },
    },
    "biogpt": {
        "seed": 32300,
        # The table of tokens is multiplied with the root of the width.
        "spread": {"embed_positions": 0.25, "embed": 0.06, "q_proj": 0.3, "k_proj": 0.3, "": 0.25},
        "config": {
            **SMALL,
            "architectures": ["BioGptForCausalLM"],
            "model_type": "biogpt",
            "hidden_act": "gelu",
            "scale_embedding": True,
            "pad_token_id": 1,
            "torch_dtype": "float16",
        },
    },
    "xglm": {
        "seed": 32400,
        # The table of tokens is multiplied with the root of the width.
        "spread": {"embed": 0.1, "q_proj": 0.8, "k_proj": 0.8, "": 0.45},
        "config": {
            **IDS,
            "architectures": ["XGLMForCausalLM"],
            "model_type": "xglm",
            "d_model": 48,
            "ffn_dim": 64,
            "attention_heads": 3,
            "num_layers": 2,
            "max_position_embeddings": 96,
            "activation_function": "gelu",
            "scale_embedding": True,
            # The token of padding has a position of its own, without numbers.
            "pad_token_id": 7,
            "torch_dtype": "float16",
        },
    },
    "openai-gpt": {
        "seed": 32500,
        "spread": {"tokens_embed": 0.3, "positions_embed": 0.8, "c_attn": 0.5, "": 0.15},
        "config": {
            **IDS,
            "architectures": ["OpenAIGPTLMHeadModel"],
            "model_type": "openai-gpt",
            "n_embd": 32,
            "n_head": 2,
            "n_layer": 3,
            "n_positions": 96,
            "afn": "gelu",
            "torch_dtype": "float16",
        },
    },
}
