"""Tiny BertForSequenceClassification models, and the logits that PyTorch computes for texts and for pairs of them."""

import shutil
from pathlib import Path

import torch
from sentence_transformers import CrossEncoder
from transformers import AutoConfig, AutoTokenizer, BertForSequenceClassification

from .corpus import ENCODER_TEXTS, LONG_PROMPT, MIDDLE_PROMPT, ODD_TEXT, SENTENCES
from .decoders import save_weights, write_readme, write_reference
from .encoders import BASE, SPECIAL, SPREAD
from .numbers import fill, packed
from .vocabularies import wordpiece_vocabulary, write_json, write_tokenizer

SMALL = {
    **BASE,
    "architectures": ["BertForSequenceClassification"],
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 2,
}
CLASSIFIER_SPREAD = {**SPREAD, "classifier": 0.3}

PAIRS = [
    ("What is the capital of France?", "The capital of France is Paris."),
    ("What is the capital of France?", "A dog ran after the red ball."),
    (ODD_TEXT, "cat"),
    ("a dog", ODD_TEXT),
    (MIDDLE_PROMPT, LONG_PROMPT),
    ("", "cat"),
    ("cat", ""),
]
# Longer than the model: the second text, the first one, both.
LONG = " ".join(SENTENCES)
LONG_PAIRS = [("What is the capital of France?", LONG), (LONG, "a dog"), (LONG, LONG), (LONG, LONG_PROMPT)]

BERT_CLASSIFIERS = {
    "bert-classes": {
        "about": "bert with a head of 3 labels of which one fits, uncased, float32.",
        "seed": 9000,
        "lowercase": True,
        "config": {
            **SMALL,
            "id2label": {"0": "negative", "1": "neutral", "2": "positive"},
            "label2id": {"negative": 0, "neutral": 1, "positive": 2},
            "problem_type": "single_label_classification",
            "torch_dtype": "float32",
        },
    },
    "bert-tags": {
        "about": "bert with a head of 5 labels of which any number fit, without names for them, cased, float16.",
        "seed": 9100,
        "lowercase": False,
        "config": {
            **SMALL,
            "num_labels": 5,
            "problem_type": "multi_label_classification",
            "torch_dtype": "float16",
        },
    },
    "bert-ranker": {
        "about": "bert with a head of 1 label, a cross encoder whose files name the activation function Identity, "
        "uncased, float32.",
        "seed": 9200,
        "lowercase": True,
        "config": {
            **SMALL,
            "id2label": {"0": "LABEL_0"},
            "label2id": {"LABEL_0": 0},
            "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.0.1"},
            "torch_dtype": "float32",
        },
    },
}


def make_classifier(directory: Path, recipe: dict) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config = recipe["config"]
    tokenizer = wordpiece_vocabulary(config["vocab_size"], recipe["lowercase"])
    settings = {"do_lower_case": recipe["lowercase"], **SPECIAL, "model_max_length": config["max_position_embeddings"]}
    write_tokenizer(directory, tokenizer, {**settings, "tokenizer_class": "BertTokenizer"})
    write_json(directory / "config.json", config)
    write_readme(directory, recipe)

    dtype = getattr(torch, config["torch_dtype"])
    model = BertForSequenceClassification._from_config(AutoConfig.from_pretrained(directory), dtype=torch.float32)
    fill(model.eval(), recipe["seed"], dtype, CLASSIFIER_SPREAD)
    save_weights(directory, dict(model.state_dict()), dtype, shards=1)
    reference = classifier_reference(directory)
    if model.config.num_labels == 1:
        add_scores(reference["inputs"], CrossEncoder(str(directory), device="cpu"))
    write_reference(directory, {"kind": "classifier", "seed": recipe["seed"], **reference})


def classifier_reference(directory: Path) -> dict:
    """Every text and pair alone, so that padding is not in the reference; what is too long is cut as transformers does."""
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = BertForSequenceClassification.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    inputs = [(text, None) for text in [*ENCODER_TEXTS, LONG]] + PAIRS + LONG_PAIRS
    return {"inputs": [logits(model, tokenizer, text, pair) for text, pair in inputs]}


def logits(model: BertForSequenceClassification, tokenizer, text: str, pair: str | None) -> dict:
    # In a list, where transformers keeps an empty second text; given by itself it would be no text at all.
    batch = [text if pair is None else (text, pair)]
    whole = tokenizer(batch, verbose=False)["input_ids"][0]
    encoding = tokenizer(batch, truncation="longest_first", return_tensors="pt")
    with torch.no_grad():
        output = model(**encoding).logits[0]
    tokens = encoding["input_ids"][0].tolist()
    row = {"text": text} if pair is None else {"text": text, "pair": pair}
    row |= {"tokens": tokens, "typeIds": encoding["token_type_ids"][0].tolist(), "logits": packed(output)}
    return row | ({"truncated": True} if len(tokens) < len(whole) else {})


def add_scores(inputs: list[dict], model: CrossEncoder) -> None:
    """What a cross encoder makes of the logits, by the activation function that its files name."""
    for row in inputs:
        if "pair" in row:
            row["score"] = round(float(model.predict([(row["text"], row["pair"])])[0]), 6)
