"""Tiny encoder-decoders with their tokenizers, and what transformers' generate answers to texts."""

import math
import shutil
from collections import Counter
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoTokenizer

from .corpus import SENTENCES
from .decoders import save_weights, write_readme, write_reference
from .model_type_encoder_decoders import BART, T5, make_model, model_class, published, search_is_safe
from .vocabularies import write_json, write_tokenizer

TEXTS = ["The old house stood at the edge of the wood.", "It leaves at nine.", "How many birds were on the roof?"]
TOKENS = 20
LANGUAGES = ["deu_Latn", "eng_Latn", "fra_Latn"]


def unigram_vocabulary(size: int, first: list[str], last: list[str]) -> tuple[list[tuple[str, float]], int]:
    """Characters, then the pieces that save most, with logarithms of how often they come, between special tokens."""
    words = ["\u2581" + word for text in SENTENCES + TEXTS for word in text.split()]
    letters = Counter("".join(words))
    pieces = Counter()
    for word in words:
        for start in range(len(word)):
            for end in range(start + 2, len(word) + 1):
                pieces[word[start:end]] += 1
    room = size - len(first) - len(last) - len(letters)
    best = sorted(pieces, key=lambda piece: (-pieces[piece] * (len(piece) - 1), piece))[:room]
    total = sum(letters.values())
    scored = [(piece, math.log(count / total)) for piece, count in {**letters, **{p: pieces[p] for p in best}}.items()]
    scored.sort(key=lambda pair: (-pair[1], pair[0]))
    vocabulary = [(piece, 0.0) for piece in first] + scored + [(piece, 0.0) for piece in last]
    return vocabulary, first.index("<unk>")


def unigram_tokenizer(size: int, first: list[str], last: list[str], template: str, special: list[str]) -> Tokenizer:
    vocabulary, unknown = unigram_vocabulary(size, first, last)
    tokenizer = Tokenizer(models.Unigram(vocabulary, unknown, byte_fallback=False))
    tokenizer.add_special_tokens([*first, *last])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="\u2581", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(token, tokenizer.token_to_id(token)) for token in special]
    )
    return tokenizer


SOURCE_TEXTS = {
    "t5-unigram": {
        "about": "t5 with a Unigram tokenizer, prefixes of tasks in config.json, 4 beams, float16.",
        "seed": 32000,
        "tokenizer": lambda: unigram_tokenizer(
            192, ["<pad>", "</s>", "<unk>"], ["<extra_id_1>", "<extra_id_0>"], "$A </s>", ["</s>"]
        ),
        "tokenizer_config": {
            "eos_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "model_max_length": 512,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
        "config": {
            **T5,
            "architectures": ["T5ForConditionalGeneration"],
            "model_type": "t5",
            "vocab_size": 192,
            "feed_forward_proj": "relu",
            "torch_dtype": "float16",
            "task_specific_params": {
                "summarization": {"prefix": "summarize: ", "num_beams": 3, "length_penalty": 2.0, "early_stopping": True},
                "translation_en_to_de": {"prefix": "translate English to German: ", "num_beams": 2},
            },
        },
        "generation": {
            "decoder_start_token_id": 0,
            "pad_token_id": 0,
            "eos_token_id": 1,
            "num_beams": 4,
            "no_repeat_ngram_size": 3,
            "max_length": TOKENS + 1,
        },
        "asks": [
            {"request": {}, "prefix": "", "generate": {}},
            {"request": {"beams": 1}, "prefix": "", "generate": {"num_beams": 1}},
            {
                "request": {"textTask": "summarization"},
                "prefix": "summarize: ",
                "generate": {"num_beams": 3, "length_penalty": 2.0, "early_stopping": True},
            },
            {
                "request": {"sourceLanguage": "en", "targetLanguage": "de"},
                "prefix": "translate English to German: ",
                "generate": {"num_beams": 2},
            },
        ],
    },
    "m2m-languages": {
        "about": "m2m_100 as NLLB has it: languages are tokens, that of the text in front of it. float16.",
        "seed": 33000,
        "tokenizer": lambda: unigram_tokenizer(
            192, ["<s>", "<pad>", "</s>", "<unk>"], LANGUAGES, "eng_Latn $A </s>", ["eng_Latn", "</s>"]
        ),
        "tokenizer_config": {
            "bos_token": "<s>",
            "eos_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "additional_special_tokens": LANGUAGES,
            "model_max_length": 48,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
        "config": {
            **BART,
            "architectures": ["M2M100ForConditionalGeneration"],
            "model_type": "m2m_100",
            "activation_function": "relu",
            "scale_embedding": False,
            "max_position_embeddings": 64,
            "vocab_size": 192,
            "torch_dtype": "float16",
        },
        "generation": {
            "decoder_start_token_id": 2,
            "pad_token_id": 1,
            "bos_token_id": 0,
            "eos_token_id": 2,
            "num_beams": 4,
            "no_repeat_ngram_size": 3,
            "max_length": TOKENS + 1,
        },
        "asks": [
            {
                "request": {"targetLanguage": "fra_Latn"},
                "prefix": "",
                "language": "eng_Latn",
                "generate": {"forced_bos_token_id": "fra_Latn"},
            },
            {
                "request": {"sourceLanguage": "deu_Latn", "targetLanguage": "eng", "beams": 2},
                "prefix": "",
                "language": "deu_Latn",
                "generate": {"forced_bos_token_id": "eng_Latn", "num_beams": 2},
            },
        ],
    },
}


def make_source_texts(directory: Path, recipe: dict) -> None:
    """Writes one model. Tries seeds until no answer hangs by a hair."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    write_tokenizer(directory, recipe["tokenizer"](), recipe["tokenizer_config"])
    write_json(directory / "config.json", recipe["config"])
    write_json(directory / "generation_config.json", recipe["generation"])
    write_readme(directory, recipe)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    dtype = getattr(torch, recipe["config"]["torch_dtype"])
    for seed in range(recipe["seed"], recipe["seed"] + 100):
        model = make_model(directory, recipe, seed, dtype)
        answers = answers_of(model, tokenizer, recipe)
        if answers:
            break
    else:
        raise SystemExit(f"{directory.name}: no seed gives safe margins")
    save_weights(directory, published(model, recipe), dtype, shards=1)
    loaded = model_class(recipe["config"]).from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    assert answers_of(loaded, tokenizer, recipe) == answers, directory.name
    write_reference(directory, {"kind": "source-texts", "seed": seed, "answers": answers})


def answers_of(model: torch.nn.Module, tokenizer, recipe: dict) -> list[dict] | None:
    answers = []
    for ask in recipe["asks"]:
        for text in TEXTS:
            ids = tokenizer(ask["prefix"] + text)["input_ids"]
            if "language" in ask:
                ids[0] = tokenizer.convert_tokens_to_ids(ask["language"])
            settings = {
                key: tokenizer.convert_tokens_to_ids(value) if isinstance(value, str) else value
                for key, value in ask["generate"].items()
            }
            with torch.no_grad():
                tokens = search_is_safe(model, torch.tensor([ids]), settings)
            if tokens is None or len(tokens) < 4:
                return None
            answers.append(
                {
                    "request": ask["request"],
                    "text": text,
                    "source": ids,
                    "tokens": tokens,
                    "answer": tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False),
                }
            )
    return answers
