"""Decoders with mixtures of experts."""

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "num_hidden_layers": 2,
    "max_position_embeddings": 96,
    "rms_norm_eps": 1e-6,
    "vocab_size": 112,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "hidden_act": "silu",
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
}

# The router's choices must be clear, too: its weights are wide.
SPREAD = {
    "embed": 0.15,
    "lm_head": 0.15,
    "mlp.gate.": 0.8,
    "router": 0.8,
    "q_proj": 0.3,
    "k_proj": 0.3,
    "": 0.25,
}

QWEN = {
    "num_experts": 5,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "decoder_sparse_step": 1,
    "use_sliding_window": False,
}


def recipe(seed: int, name: str, kind: str, **fields) -> dict:
    config = {**SMALL, "architectures": [name], "model_type": kind, **fields}
    return {"seed": seed, "spread": SPREAD, "config": config}


GPT_OSS = {
    "num_local_experts": 3,
    "num_experts_per_tok": 2,
    "head_dim": 32,
    "sliding_window": 8,
    "layer_types": ["sliding_attention", "full_attention"],
    "rms_norm_eps": 1e-5,
    "attention_bias": True,
    "rope_parameters": {
        "rope_type": "yarn", "rope_theta": 15000.0, "factor": 4.0, "beta_fast": 32.0, "beta_slow": 1.0,
        "truncate": False, "original_max_position_embeddings": 24,
    },
    "swiglu_limit": 1.5,
}  # fmt: skip


def experts_of(model):
    return {name: module for name, module in model.named_modules() if type(module).__name__ == "GptOssExperts"}


def mxfp4(model) -> None:
    """Experts become what MXFP4 can hold; the codes stay with the module until they are stored."""
    generator = torch.Generator().manual_seed(1)
    for module in experts_of(model).values():
        module.codes = {}
        for name in ("gate_up_proj", "down_proj"):
            experts, inputs, outputs = getattr(module, name).shape
            blocks = torch.randint(0, 256, (experts, outputs, inputs // 32, 16), generator=generator, dtype=torch.uint8)
            scales = torch.randint(122, 125, (experts, outputs, inputs // 32), generator=generator, dtype=torch.uint8)
            module.codes[name] = (blocks, scales)
            values = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
            getattr(module, name).data.copy_(values)


def mxfp4_tensors(model) -> dict:
    """As OpenAI published its models."""
    stored = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    for scope, module in experts_of(model).items():
        for name, (blocks, scales) in module.codes.items():
            del stored[f"{scope}.{name}"]
            stored |= {f"{scope}.{name}_blocks": blocks, f"{scope}.{name}_scales": scales}
    return stored


def empty_gpt_oss(directory):
    config = AutoConfig.from_pretrained(directory)
    del config.quantization_config
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager")


def load_mxfp4(directory):
    model = empty_gpt_oss(directory)
    stored = load_file(directory / "model.safetensors")
    for name in [name for name in stored if name.endswith("_blocks")]:
        base = name.removesuffix("_blocks")
        stored[base] = convert_moe_packed_tensors(stored.pop(name), stored.pop(f"{base}_scales"), dtype=torch.float32)
    model.load_state_dict(stored)
    return model


TYPES = {
    "mixtral": recipe(
        33000, "MixtralForCausalLM", "mixtral",
        num_local_experts=4, num_experts_per_tok=2, sliding_window=8, torch_dtype="bfloat16",
    ),
    "qwen2-moe": recipe(
        33100, "Qwen2MoeForCausalLM", "qwen2_moe",
        **QWEN, shared_expert_intermediate_size=48, norm_topk_prob=False, mlp_only_layers=[0], num_hidden_layers=3,
        torch_dtype="float16",
    ),
    "qwen3-moe": {
        **recipe(
            33200, "Qwen3MoeForCausalLM", "qwen3_moe",
            **{**QWEN, "num_experts": 6, "num_experts_per_tok": 3}, head_dim=16, norm_topk_prob=True,
            tie_word_embeddings=True, torch_dtype="float16",
        ),
        "gguf": "qwen3moe",
    },
    "olmoe": recipe(
        33300, "OlmoeForCausalLM", "olmoe",
        num_experts=4, num_experts_per_tok=2, norm_topk_prob=False, torch_dtype="float16",
    ),
    "granitemoe": recipe(
        33400, "GraniteMoeForCausalLM", "granitemoe",
        intermediate_size=48, num_local_experts=3, num_experts_per_tok=2, embedding_multiplier=2.0, residual_multiplier=0.7,
        attention_multiplier=0.3, logits_scaling=0.5, tie_word_embeddings=True, torch_dtype="bfloat16",
    ),
    "gpt-oss": recipe(
        33560, "GptOssForCausalLM", "gpt_oss",
        **GPT_OSS, intermediate_size=48, torch_dtype="float16",
    ),
    "gpt-oss-mxfp4": {
        **recipe(
            33700, "GptOssForCausalLM", "gpt_oss",
            **GPT_OSS, intermediate_size=64, torch_dtype="bfloat16", quantization_config={"quant_method": "mxfp4"},
        ),
        "model": empty_gpt_oss,
        "change": mxfp4,
        "stored": mxfp4_tensors,
        "load": load_mxfp4,
    },
}  # fmt: skip
