"""Encoders that do not look like bert: rotated heads, windows, gated MLPs, disentangled attention.

Where a model_type's files are of custom code that transformers has no class for (the first nomic_bert and
jina_embeddings_v3, "new"), the class that transformers has for the same weights is given what their configuration says.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    GteConfig,
    GteModel,
    JinaEmbeddingsV3Config,
    JinaEmbeddingsV3Model,
    NomicBertConfig,
    NomicBertModel,
    PreTrainedConfig,
)
from transformers.models.gte.modeling_gte import GteRotaryEmbedding

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

# llama's layers, without the causal mask; heads share keys and values.
TYPES["eurobert"] = {
    "seed": 23600,
    "config": {
        **SMALL,
        **IDS,
        "hidden_size": 40,
        "num_attention_heads": 5,
        "num_key_value_heads": 1,
        "mask_token_id": 3,
        "architectures": ["EuroBertModel"],
        "model_type": "eurobert",
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 500.0,
        "torch_dtype": "bfloat16",
    },
}



ROTARY = {**SMALL, "hidden_size": 36, "layer_norm_eps": 1e-6, "type_vocab_size": 2}


class NewConfig(PreTrainedConfig):
    model_type = "new"


AutoConfig.register("new", NewConfig)


class NewRotaryEmbedding(GteRotaryEmbedding):
    """The frequencies of the first code: (theta * factor)^(-2i/d) / factor^(2/d)."""

    @staticmethod
    def compute_default_rope_parameters(config: GteConfig, **_) -> tuple[torch.Tensor, float]:
        theta, factor = 900.0, 3.0
        size = config.hidden_size // config.num_attention_heads
        return (theta * factor) ** -(torch.arange(0, size, 2).float() / size) / factor ** (2 / size), 1.0


class NewModel(GteModel):
    def __init__(self, config: GteConfig):
        super().__init__(config)
        self.rotary_emb = NewRotaryEmbedding(config)


def as_class(cls: type, config: PreTrainedConfig) -> dict:
    """A recipe's way to make and to load a model whose config.json transformers reads as another one's, or not at all.

    The file is read without the prefix of its names and without adapters, as the first code reads it for no task.
    """

    def load(folder: Path):
        tensors = {
            name.removeprefix("roberta.").removeprefix("new.").replace(".parametrizations.weight.original", ".weight"): value
            for name, value in load_file(folder / "model.safetensors").items()
            if ".lora_" not in name
        }
        with TemporaryDirectory() as plain:
            save_file(tensors, Path(plain) / "model.safetensors", metadata={"format": "pt"})
            return cls.from_pretrained(plain, config=config, attn_implementation="eager")

    return {"model": lambda _: cls._from_config(config, attn_implementation="eager"), "load": load}


def with_adapters(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """As jina-embeddings-v3 has them: weights beside the adapters of its tasks."""
    generator = torch.Generator().manual_seed(1)
    result = {}
    for name, tensor in tensors.items():
        if name.endswith((".Wqkv.weight", ".fc1.weight", "word_embeddings.weight")):
            parametrized = "roberta." + name.replace(".weight", ".parametrizations.weight")
            result[f"{parametrized}.original"] = tensor
            result[f"{parametrized}.0.lora_A"] = torch.randn(5, 2, tensor.shape[1], generator=generator)
            result[f"{parametrized}.0.lora_B"] = torch.randn(5, tensor.shape[0], 2, generator=generator)
        else:
            result["roberta." + name] = tensor
    return result


def apart(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Under the names of transformers' classes, as files have them that it has converted for good."""
    result = {}
    for name, tensor in tensors.items():
        name = name.replace("encoder.layers", "layers").replace("emb_ln", "embeddings.LayerNorm")
        name = name.replace("mixer.out_proj", "self_attn.o_proj")
        name = name.replace("norm1", "post_attention_layernorm").replace("norm2", "post_mlp_layernorm")
        if "mixer.Wqkv" in name:
            for part, rows in zip("qkv", tensor.chunk(3), strict=True):
                result[name.replace("mixer.Wqkv", f"self_attn.{part}_proj")] = rows.clone()
        else:
            result[name] = tensor
    return result


TYPES |= {
    "nomic-bert": {
        "seed": 23700,
        "segments": 2,
        "config": {
            **ROTARY,
            "architectures": ["NomicBertModel"],
            "model_type": "nomic_bert",
            "hidden_act": "silu",
            "rope_parameters": {"rope_theta": 100.0, "rope_type": "default"},
            "torch_dtype": "float16",
        },
    },
    "nomic-bert-first": {
        "seed": 23800,
        "segments": 2,
        "config": {
            "architectures": ["NomicBertModel"],
            "model_type": "nomic_bert",
            "activation_function": "swiglu",
            "causal": False,
            "layer_norm_epsilon": 1e-6,
            "max_trained_positions": 32,
            "mlp_fc1_bias": False,
            "mlp_fc2_bias": False,
            "n_embd": 36,
            "n_head": 3,
            "n_inner": 40,
            "n_layer": 2,
            "n_positions": 64,
            "parallel_block": False,
            "prenorm": False,
            "qkv_proj_bias": False,
            "rotary_emb_base": 500,
            "rotary_emb_fraction": 1.0,
            "rotary_emb_interleaved": False,
            "rotary_emb_scale_base": None,
            "rotary_scaling_factor": None,
            "type_vocab_size": 2,
            "use_rms_norm": False,
            "vocab_size": 100,
            "torch_dtype": "float32",
        },
        **as_class(
            NomicBertModel,
            NomicBertConfig(**ROTARY, rope_parameters={"rope_theta": 500.0, "rope_type": "default"}),
        ),
    },
    "gte": {
        "seed": 23900,
        "config": {
            **ROTARY,
            "architectures": ["GteModel"],
            "model_type": "gte",
            "type_vocab_size": 0,
            "hidden_act": "gelu",
            "rope_parameters": {"rope_theta": 300.0, "rope_type": "default"},
            "torch_dtype": "float16",
        },
    },
    "new": {
        "seed": 24000,
        "segments": 2,
        "config": {
            **ROTARY,
            "architectures": ["NewModel"],
            "model_type": "new",
            "hidden_act": "gelu",
            "layer_norm_type": "layer_norm",
            "logn_attention_clip1": False,
            "logn_attention_scale": False,
            "pack_qkv": True,
            "position_embedding_type": "rope",
            "rope_scaling": {"factor": 3.0, "type": "ntk"},
            "rope_theta": 900,
            "torch_dtype": "bfloat16",
        },
        "stored": lambda tensors: {f"new.{name}": tensor for name, tensor in tensors.items()},
        **as_class(NewModel, GteConfig(**ROTARY)),
    },
    "jina-embeddings-v3": {
        "seed": 24100,
        "config": {
            **ROTARY,
            "architectures": ["JinaEmbeddingsV3Model"],
            "model_type": "jina_embeddings_v3",
            "type_vocab_size": 1,
            "pad_token_id": 1,
            "rope_parameters": {"rope_theta": 200.0, "rope_type": "default"},
            "torch_dtype": "bfloat16",
        },
        "stored": apart,
    },
    "jina-embeddings-v3-adapters": {
        "seed": 24200,
        "config": {
            **ROTARY,
            "architectures": ["XLMRobertaModel"],
            "model_type": "xlm-roberta",
            "position_embedding_type": "rotary",
            "rotary_emb_base": 400.0,
            "lora_adaptations": ["retrieval.query", "retrieval.passage", "separation", "classification", "text-matching"],
            "type_vocab_size": 1,
            "torch_dtype": "float16",
        },
        "stored": with_adapters,
        **as_class(
            JinaEmbeddingsV3Model,
            JinaEmbeddingsV3Config(
                **{**ROTARY, "type_vocab_size": 1, "rope_parameters": {"rope_theta": 400.0, "rope_type": "default"}}
            ),
        ),
    },
}


def headed(name: str, architecture: str, seed: int, **changes) -> dict:
    """A recipe of above with another class and a single layer."""
    recipe = {key: value for key, value in TYPES[name].items() if key in ("config", "segments")}
    config = {**recipe["config"], "num_hidden_layers": 1, **changes, "architectures": [architecture]}
    return {**recipe, "seed": seed, "config": config}


LABELS = {"id2label": {"0": "no", "1": "perhaps", "2": "yes"}, "label2id": {"no": 0, "perhaps": 1, "yes": 2}}
ONE_LABEL = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}

TYPES |= {
    "modernbert-classifier": headed("modernbert", "ModernBertForSequenceClassification", 24300, **LABELS),
    # The first layer is local, so the first token does not see all of a text.
    "modernbert-mean-classifier": headed(
        "modernbert-biased",
        "ModernBertForSequenceClassification",
        24400,
        **ONE_LABEL,
        layer_types=["sliding_attention"],
        classifier_pooling="mean",
        classifier_bias=True,
        classifier_activation="silu",
    ),
    "modernbert-tagger": headed(
        "modernbert-biased",
        "ModernBertForTokenClassification",
        24500,
        **LABELS,
        layer_types=["full_attention"],
    ),
    "modernbert-answerer": headed("modernbert", "ModernBertForQuestionAnswering", 24600),
    "modernbert-mask": headed("modernbert", "ModernBertForMaskedLM", 24700),
    "deberta-v2-classifier": headed(
        "deberta-v2", "DebertaV2ForSequenceClassification", 24800, **LABELS, pooler_hidden_act="tanh"
    ),
    "deberta-v2-tagger": headed("deberta-v2", "DebertaV2ForTokenClassification", 24900, **LABELS),
    "deberta-v2-answerer": headed("deberta-v2-conv", "DebertaV2ForQuestionAnswering", 25000, num_hidden_layers=1),
    "deberta-v2-mask": headed("deberta-v2", "DebertaV2ForMaskedLM", 25100),
    "deberta-v2-new-mask": headed("deberta-v2", "DebertaV2ForMaskedLM", 25200, legacy=False),
    "deberta-classifier": headed("deberta", "DebertaForSequenceClassification", 25300, **LABELS),
    "deberta-mask": headed("deberta", "DebertaForMaskedLM", 25400),
    "eurobert-classifier": headed("eurobert", "EuroBertForSequenceClassification", 25500, **LABELS),
    "eurobert-mean-classifier": headed(
        "eurobert", "EuroBertForSequenceClassification", 25600, **LABELS, classifier_pooling="mean"
    ),
    "eurobert-tagger": headed("eurobert", "EuroBertForTokenClassification", 25700, **LABELS),
    "eurobert-mask": headed("eurobert", "EuroBertForMaskedLM", 25800),
    "nomic-bert-classifier": headed("nomic-bert", "NomicBertForSequenceClassification", 25900, **LABELS),
    "nomic-bert-mask": headed("nomic-bert", "NomicBertForMaskedLM", 26000),
    "gte-classifier": headed("gte", "GteForSequenceClassification", 26100, **ONE_LABEL),
    "gte-mask": headed("gte", "GteForMaskedLM", 26200),
    "jina-embeddings-v3-classifier": {
        **headed("jina-embeddings-v3", "JinaEmbeddingsV3ForSequenceClassification", 26300, **LABELS)
    },
    "jina-embeddings-v3-mask": headed("jina-embeddings-v3", "JinaEmbeddingsV3ForMaskedLM", 26400),
}
