"""Tiny models with heads for tokens, their tokenizers, and what transformers' pipelines say of texts.

transformers 5 has no pipeline for question answering any more: those goldens are made with release 4.57.1.
"""

import shutil
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, pre_tokenizers, processors
from transformers import AutoConfig, AutoTokenizer

from .corpus import ENCODER_TEXTS, LONG_PROMPT, MIDDLE_PROMPT, ODD_TEXT, SENTENCES
from .decoders import save_weights, write_readme, write_reference
from .numbers import fill
from .vocabularies import byte_level, wordpiece_vocabulary, write_json, write_tokenizer

BERT = {
    "model_type": "bert",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "max_position_embeddings": 128,
    "vocab_size": 300,
    "pad_token_id": 0,
    "type_vocab_size": 2,
    "torch_dtype": "float16",
}
ROBERTA = {
    **BERT,
    "model_type": "roberta",
    "vocab_size": 320,
    "max_position_embeddings": 130,
    "pad_token_id": 1,
    "type_vocab_size": 1,
}
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
TAGS = {"id2label": dict(enumerate(LABELS)), "label2id": {label: i for i, label in enumerate(LABELS)}}
SPREAD = {"embed": 0.4, "classifier": 1.2, "qa_outputs": 0.8, "": 0.25}
SPECIAL = {f"{role}_token": f"[{role.upper()}]" for role in ["cls", "mask", "pad", "sep", "unk"]}
ROBERTA_SPECIAL = {"bos": "<s>", "cls": "<s>", "pad": "<pad>", "eos": "</s>", "sep": "</s>", "unk": "<unk>"}


def recipe(seed: int, config: dict, start: str, task: str, head: str, settings: dict | None = None) -> dict:
    config = {**config, **(settings or {}), "architectures": [f"{start}For{head}"]}
    return {"seed": seed, "config": config, "task": task, "about": f"{start}For{head}, and {task} by transformers."}


PIPELINES = {
    "bert-entities": recipe(41000, BERT, "Bert", "token-classification", "TokenClassification", TAGS),
    "roberta-entities": recipe(41100, ROBERTA, "Roberta", "token-classification", "TokenClassification", TAGS),
    "bert-answers": recipe(41200, BERT, "Bert", "question-answering", "QuestionAnswering"),
    "roberta-answers": recipe(41300, ROBERTA, "Roberta", "question-answering", "QuestionAnswering"),
    "bert-fillings": recipe(41400, BERT, "Bert", "fill-mask", "MaskedLM"),
    "roberta-fillings": recipe(41500, ROBERTA, "Roberta", "fill-mask", "MaskedLM"),
}

TEXTS = [text for text in ENCODER_TEXTS if text and len(text) < 300]
LONG = " ".join(SENTENCES)


def make_pipeline(directory: Path, recipe: dict) -> None:
    if recipe["task"] == "question-answering" and not hasattr(transformers, "QuestionAnsweringPipeline"):
        print(f"{directory.name} stays as it is: it needs transformers 4.57.1")
        return
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config = recipe["config"]
    if config["model_type"] == "bert":
        settings = {"do_lower_case": True, **SPECIAL, "tokenizer_class": "BertTokenizer", "model_max_length": 128}
        write_tokenizer(directory, wordpiece_vocabulary(config["vocab_size"], lowercase=True), settings)
    else:
        tokens = {f"{role}_token": token for role, token in ROBERTA_SPECIAL.items()}
        mask = {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "special": True}
        settings = {**tokens, "mask_token": mask, "model_max_length": 128}
        write_tokenizer(directory, roberta_vocabulary(config["vocab_size"]), {**settings, "tokenizer_class": "RobertaTokenizer"})
    write_json(directory / "config.json", config)
    write_readme(directory, recipe)

    model_class = getattr(transformers, config["architectures"][0])
    model = model_class(AutoConfig.from_pretrained(directory)).eval()
    fill(model, recipe["seed"], torch.float16, SPREAD)
    save_weights(directory, untied(model), torch.float16, shards=1)
    model = model_class.from_pretrained(directory, torch_dtype=torch.float32, attn_implementation="eager").eval()
    pipeline = transformers.pipeline(
        recipe["task"], model=model, tokenizer=AutoTokenizer.from_pretrained(directory), device="cpu"
    )
    inputs = makers[recipe["task"]](pipeline)
    write_reference(directory, {"kind": recipe["task"], "seed": recipe["seed"], "inputs": inputs})


def untied(model: torch.nn.Module) -> dict:
    return {name: tensor for name, tensor in model.state_dict().items() if "position_ids" not in name}


def roberta_vocabulary(size: int) -> Tokenizer:
    """Byte-level BPE between <s> and </s>, spaces no part of tokens' places, as RoBERTa has it."""
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = byte_level(size - 1, split, ["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.add_special_tokens([transformers.AddedToken("<mask>", lstrip=True, special=True)])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer


def units(text: str, at: int) -> int:
    """Of UTF-16, as JavaScript counts."""
    return len(text[:at].encode("utf-16-le")) // 2


def entities(pipeline) -> list[dict]:
    rows = [{"text": text, "aggregation": name} for text in TEXTS[3:] for name in ["none", "simple", "first", "average", "max"]]
    rows += [{"text": LONG, "aggregation": name, "stride": 16} for name in ["simple", "max"]]
    for row in rows:
        text = row["text"]
        options = {"stride": row["stride"]} if "stride" in row else {}
        row["entities"] = [
            {
                "label": found.get("entity", found.get("entity_group")),
                "score": round(float(found["score"]), 6),
                "word": found["word"],
                "start": units(text, int(found["start"])),
                "end": units(text, int(found["end"])),
                **({"token": int(found["index"])} if "index" in found else {}),
            }
            for found in pipeline(text, aggregation_strategy=row["aggregation"], **options)
        ]
    return rows


def answers(pipeline) -> list[dict]:
    question = "Where is the old map?"
    rows = [{"question": question, "context": context} for context in [LONG_PROMPT, MIDDLE_PROMPT, ODD_TEXT, LONG]]
    rows += [
        {"question": "Who?", "context": LONG_PROMPT, "topK": 4},
        {"question": "Who?", "context": LONG, "topK": 3, "maxAnswerTokens": 4, "maxTokens": 48, "stride": 12},
        {"question": "What is water made of?", "context": LONG, "topK": 3, "allowNone": True, "maxTokens": 64, "stride": 16},
    ]
    names = {"topK": "top_k", "maxAnswerTokens": "max_answer_len", "maxTokens": "max_seq_len", "stride": "doc_stride"}
    for row in rows:
        options = {names[key]: row[key] for key in names if key in row}
        if row.get("allowNone"):
            options["handle_impossible_answer"] = True
        found = pipeline(question=row["question"], context=row["context"], **options)
        row["answers"] = [
            {
                "answer": answer["answer"],
                "score": round(float(answer["score"]), 7),
                "start": units(row["context"], answer["start"]),
                "end": units(row["context"], answer["end"]),
            }
            for answer in (found if isinstance(found, list) else [found])
        ]
    return rows


def fillings(pipeline) -> list[dict]:
    mask = pipeline.tokenizer.mask_token
    rows = [
        {"text": f"The capital of France is {mask}."},
        {"text": f"{mask} dog ran after the {mask} ball.", "topK": 3},
        {"text": f"Nobody knows where the {mask} came from.", "topK": 2, "targets": ["the", "cat", "river"]},
        {"text": f"na\u00efve {mask} \u6771\u4eac", "topK": 1},
    ]
    for row in rows:
        options = {"top_k": row["topK"]} if "topK" in row else {}
        if "targets" in row:
            options["targets"] = row["targets"]
        found = pipeline(row["text"], **options)
        masks = found if isinstance(found[0], list) else [found]
        row["masks"] = [
            [
                {"token": one["token"], "text": one["token_str"], "score": round(one["score"], 6), "sequence": one["sequence"]}
                for one in best
            ]
            for best in masks
        ]
    return rows


makers = {"token-classification": entities, "question-answering": answers, "fill-mask": fillings}
