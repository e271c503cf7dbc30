"""Encoders with bert's blocks under other names, and what each of them has of its own."""

from transformers import EncoderDecoderCache

# Release 5 asks a cache for its part of a layer in FlauBERT's pre_norm alone, and caches have no such parts any more.
EncoderDecoderCache.__getitem__ = lambda self, layer: self

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
    "type_vocab_size": 2,
    "torch_dtype": "float16",
}
ROBERTA = {**SMALL, "pad_token_id": 1, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
# Fewer bytes, for layers that are stored in full.
TINY = {"hidden_size": 24, "intermediate_size": 40, "num_attention_heads": 3, "torch_dtype": "float32"}


def model(seed: int, model_type: str, architecture: str, config: dict, **recipe) -> dict:
    return {
        "seed": seed,
        "config": {**config, "architectures": [architecture], "model_type": model_type},
        **recipe,
    }


def rows(*lengths: int, first: int = 6, count: int = 90, mask: int | None = None) -> list[list[int]]:
    """Token ids with nothing random in them; every fifth is the mask."""
    return [
        [mask if mask is not None and i % 5 == 3 else first + (i * 37 + length) % count for i in range(length)]
        for length in lengths
    ]


ESM = {
    **SMALL,
    "vocab_size": 33,
    "pad_token_id": 1,
    "mask_token_id": 32,
    "position_embedding_type": "rotary",
    "emb_layer_norm_before": False,
    "token_dropout": True,
    "layer_norm_eps": 1e-5,
}

# Heads of 7, three MLPs a layer.
MOBILEBERT = {
    **{"vocab_size": 80, "hidden_size": 32, "embedding_size": 16, "intra_bottleneck_size": 21, "intermediate_size": 24},
    **{"num_attention_heads": 3, "num_hidden_layers": 2, "num_feedforward_networks": 3, "hidden_act": "relu"},
    **{"max_position_embeddings": 40, "type_vocab_size": 2, "pad_token_id": 0, "torch_dtype": "float16"},
}

XLM = {
    **{"vocab_size": 100, "emb_dim": 24, "n_layers": 2, "n_heads": 3, "max_position_embeddings": 40, "n_langs": 2},
    **{"pad_token_id": 2, "layer_norm_eps": 1e-6, "torch_dtype": "float32"},
}

TYPES = {
    "xlm": model(22100, "xlm", "XLMModel", {**XLM, "gelu_activation": False}),
    "flaubert": model(22150, "flaubert", "FlaubertModel", {**XLM, "n_langs": 1}),
    "flaubert-pre-norm": model(22200, "flaubert", "FlaubertModel", {**XLM, "pre_norm": True, "n_langs": 1}),
    "splinter": model(22250, "splinter", "SplinterModel", SMALL, segments=2),
    "dpr": model(22300, "dpr", "DPRQuestionEncoder", SMALL, segments=2),
    "mobilebert": model(22000, "mobilebert", "MobileBertModel", MOBILEBERT, segments=2),
    "bert": model(20100, "bert", "BertModel", SMALL, segments=2),
    "roberta": model(20200, "roberta", "RobertaModel", ROBERTA, rows=[*rows(2, 17, 33), [0, 9, 1, 1, 12, 2]]),
    "xlm-roberta": model(20300, "xlm-roberta", "XLMRobertaModel", {**ROBERTA, "torch_dtype": "bfloat16"}),
    "camembert": model(20400, "camembert", "CamembertModel", {**ROBERTA, "hidden_act": "gelu_new"}),
    "distilbert": model(
        20500,
        "distilbert",
        "DistilBertModel",
        {
            **{"vocab_size": 100, "max_position_embeddings": 40, "dim": 48, "hidden_dim": 64, "n_heads": 3},
            **{"n_layers": 2, "activation": "gelu", "pad_token_id": 0, "torch_dtype": "bfloat16"},
        },
    ),
    # Five layers in two groups of two.
    "albert": model(
        20600,
        "albert",
        "AlbertModel",
        {
            **SMALL,
            **TINY,
            "hidden_act": "gelu_new",
            "embedding_size": 16,
            "num_hidden_groups": 2,
            "inner_group_num": 2,
            "num_hidden_layers": 5,
        },
        segments=2,
    ),
    "electra": model(20700, "electra", "ElectraModel", {**SMALL, "embedding_size": 16}, segments=2),
    "electra-wide": model(20750, "electra", "ElectraModel", {**SMALL, "embedding_size": 48}),
    # Longer than half of its buckets, where distances begin to share them.
    "mpnet": model(
        20800,
        "mpnet",
        "MPNetModel",
        {**SMALL, "pad_token_id": 1, "max_position_embeddings": 160, "relative_attention_num_buckets": 32},
        rows=rows(1, 9, 33, 150),
    ),
    "rembert": model(
        20900,
        "rembert",
        "RemBertModel",
        {**SMALL, "input_embedding_size": 16, "output_embedding_size": 20},
        segments=2,
    ),
    "roformer": model(21000, "roformer", "RoFormerModel", {**SMALL, **TINY, "embedding_size": 24}, segments=2),
    "roformer-values": model(
        21050, "roformer", "RoFormerModel", {**SMALL, **TINY, "embedding_size": 16, "rotary_value": True}
    ),
    "ernie": model(
        21100, "ernie", "ErnieModel", {**SMALL, "use_task_id": True, "task_type_vocab_size": 3}, segments=2
    ),
    "ernie-plain": model(21150, "ernie", "ErnieModel", {**SMALL, "hidden_act": "relu"}),
    "esm": model(
        21200,
        "esm",
        "EsmModel",
        ESM,
        rows=rows(1, 5, 17, 33, first=4, count=20, mask=32),
        rename=lambda name: name.replace("rotary_emb", "encoder.layer.0.attention.self.rotary_emb"),
    ),
    "esm-saved-anew": model(
        21220,
        "esm",
        "EsmModel",
        {**ESM, "emb_layer_norm_before": True},
        rows=rows(2, 33, first=4, count=20, mask=32),
    ),
    "esm-absolute": model(
        21250,
        "esm",
        "EsmModel",
        {**ESM, "position_embedding_type": "absolute", "emb_layer_norm_before": True, "token_dropout": False},
        rows=rows(1, 5, 17, 33, first=4, count=20, mask=32),
    ),
    "roberta-prelayernorm": model(21300, "roberta-prelayernorm", "RobertaPreLayerNormModel", ROBERTA),
    "xlm-roberta-xl": model(21400, "xlm-roberta-xl", "XLMRobertaXLModel", ROBERTA),
    "data2vec-text": model(21500, "data2vec-text", "Data2VecTextModel", ROBERTA),
    "ibert": model(21600, "ibert", "IBertModel", {**ROBERTA, **TINY, "quant_mode": False}),
    # (5 + 2 · 1) · 8 = 56 tokens are attended to in full.
    "big_bird": model(
        21700,
        "big_bird",
        "BigBirdModel",
        {
            **{**SMALL, "hidden_act": "gelu_new", "attention_type": "block_sparse"},
            **{"block_size": 8, "num_random_blocks": 1, "max_position_embeddings": 128},
        },
        segments=2,
        rows=rows(1, 9, 56),
    ),
    "layoutlm": model(
        21800, "layoutlm", "LayoutLMModel", {**SMALL, "max_2d_position_embeddings": 4}, segments=2
    ),
}
