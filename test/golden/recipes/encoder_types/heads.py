"""Heads of encoders: labels of texts (one fits, any number, a quantity) and of tokens, spans, masked tokens."""

from .bert_like import MOBILEBERT, XLM, model

SMALL = {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_attention_heads": 3,
    "num_hidden_layers": 1,
    "max_position_embeddings": 40,
    "vocab_size": 70,
    "pad_token_id": 0,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "torch_dtype": "float16",
}
ROBERTA = {**SMALL, "pad_token_id": 1, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
DISTILBERT = {
    **{"vocab_size": 70, "max_position_embeddings": 40, "dim": 24, "hidden_dim": 40, "n_heads": 3, "n_layers": 1},
    **{"pad_token_id": 0, "torch_dtype": "float16"},
}
ELECTRA = {**SMALL, "embedding_size": 16}
ALBERT = {**ELECTRA, "num_hidden_layers": 2}
REMBERT = {**SMALL, "input_embedding_size": 16, "output_embedding_size": 20, "bos_token_id": 1, "eos_token_id": 2}
BIG_BIRD = {**SMALL, "attention_type": "original_full"}
ESM = {**ROBERTA, "mask_token_id": 5, "position_embedding_type": "rotary", "token_dropout": True}


def labels(*names: str) -> dict:
    return {
        "id2label": {str(i): name for i, name in enumerate(names)},
        "label2id": {name: i for i, name in enumerate(names)},
    }


ONE = {**labels("no", "maybe", "yes"), "problem_type": "single_label_classification"}
ANY = {"num_labels": 5, "problem_type": "multi_label_classification"}
QUANTITY = {**labels("LABEL_0"), "problem_type": "regression"}
# What cross-encoders are: one label, and nothing about the problem.
RANK = labels("LABEL_0")
TAGS = labels("O", "B-PER", "I-PER", "B-LOC", "I-LOC")

# By model_type: the beginning of the classes' names, a configuration, segments.
KINDS = {
    "bert": ("Bert", SMALL, 2),
    "roberta": ("Roberta", ROBERTA, None),
    "xlm-roberta": ("XLMRoberta", ROBERTA, None),
    "camembert": ("Camembert", ROBERTA, None),
    "distilbert": ("DistilBert", DISTILBERT, None),
    "albert": ("Albert", ALBERT, 2),
    "electra": ("Electra", ELECTRA, 2),
    "mpnet": ("MPNet", ROBERTA, None),
    "rembert": ("RemBert", REMBERT, 2),
    "roformer": ("RoFormer", ELECTRA, 2),
    "ernie": ("Ernie", SMALL, 2),
    "esm": ("Esm", ESM, None),
    "big_bird": ("BigBird", BIG_BIRD, 2),
    "mobilebert": ("MobileBert", MOBILEBERT, 2),
}
CLASSIFIERS = {
    **{"bert": QUANTITY, "roberta": ANY, "xlm-roberta": RANK, "camembert": ONE, "distilbert": ONE, "albert": QUANTITY},
    **{"electra": ANY, "mpnet": ONE, "roformer": ONE, "ernie": RANK, "esm": ONE, "big_bird": ONE},
}


def heads() -> dict[str, dict]:
    found: dict[str, dict] = {}

    def add(kind: str, suffix: str, architecture: str, settings: dict) -> None:
        start, config, segments = KINDS[kind]
        recipe = {} if segments is None else {"segments": segments}
        seed = 30000 + 50 * len(found)
        found[f"{kind}-{suffix}"] = model(seed, kind, f"{start}For{architecture}", {**config, **settings}, **recipe)

    for kind, settings in CLASSIFIERS.items():
        add(kind, "classifier", "SequenceClassification", settings)
    for kind in ["bert", "roberta", "distilbert", "electra"]:
        add(kind, "tags", "TokenClassification", TAGS)
    for kind in ["bert", "xlm-roberta", "distilbert", "albert"]:
        add(kind, "spans", "QuestionAnswering", {})
    for kind in ["bert", "roberta", "camembert", "distilbert", "albert", "electra", "mpnet", "rembert", "roformer", "esm"]:
        add(kind, "mask", "MaskedLM", {})
    # An output matrix of its own.
    add("bert", "mask-untied", "MaskedLM", {"tie_word_embeddings": False})
    add("mobilebert", "mask", "MaskedLM", {})
    add("mobilebert", "classifier", "SequenceClassification", {**ONE, "classifier_activation": False})
    found["xlm-mask"] = model(33000, "xlm", "XLMWithLMHeadModel", {**XLM, "torch_dtype": "float16"})
    found["xlm-classifier"] = model(33050, "xlm", "XLMForSequenceClassification", {**XLM, **ONE})
    return found


TYPES = heads()
