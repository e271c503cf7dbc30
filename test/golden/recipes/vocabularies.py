"""Tiny tokenizers of the kinds that llama, gpt2 and bert models are published with, trained on corpus.py."""

import json
from collections import Counter
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Regex

from .corpus import SENTENCES

LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

WORDPIECE_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def smollm_vocabulary(size: int) -> Tokenizer:
    """Byte-level BPE with single digits, as SmolLM2 has it; no BOS is added."""
    split = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return byte_level(size, split, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])


def llama3_vocabulary(size: int) -> Tokenizer:
    """Byte-level BPE behind a regular expression, BOS added by a template, as Llama 3 has it."""
    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    tokenizer = byte_level(size, split, special)
    bos = special[0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A",
        pair=f"{bos} $A {bos}:1 $B:1",
        special_tokens=[(bos, tokenizer.token_to_id(bos))],
    )
    return tokenizer


def gpt2_vocabulary(size: int) -> Tokenizer:
    """Byte-level BPE as GPT-2 has it, its one special token last."""
    tokenizer = byte_level(size - 1, pre_tokenizers.ByteLevel(add_prefix_space=False), [])
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return tokenizer


def sentencepiece_vocabulary(size: int) -> Tokenizer:
    """BPE over U+2581 words with byte fallback and <s> in front, as Llama 2 has it after conversion."""
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    special = ["<unk>", "<s>", "</s>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special + bytes_, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    # The trainer knows bytes only as special tokens; published files have them as plain vocabulary.
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [token for token in data["added_tokens"] if token["content"] in special]
    data["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(data))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    return tokenizer


def wordpiece_vocabulary(size: int, lowercase: bool) -> Tokenizer:
    """WordPiece with [CLS] and [SEP], as BERT has it."""
    normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    pieces = wordpieces(size, normalizer, pre_tokenizers.BertPreTokenizer())
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(pieces[: len(WORDPIECE_SPECIAL)])
    cls, sep = (tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", cls), ("[SEP]", sep)],
    )
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    return tokenizer


def wordpieces(size: int, normalizer: normalizers.Normalizer, split: pre_tokenizers.PreTokenizer) -> list[str]:
    """Characters, then the pieces that save most. The library's own trainer gives another order at every run."""
    words = [word for text in SENTENCES for word, _ in split.pre_tokenize_str(normalizer.normalize_str(text))]
    letters = sorted(set("".join(words)))
    alphabet = letters + [f"##{letter}" for letter in letters]
    saved = Counter()
    for word in words:
        for start in range(len(word)):
            for end in range(start + 2, len(word) + 1):
                saved[("##" if start else "") + word[start:end]] += end - start - 1
    best = sorted(saved, key=lambda piece: (-saved[piece], piece))
    return [*WORDPIECE_SPECIAL, *alphabet, *best][:size]


def byte_level(size: int, split: pre_tokenizers.PreTokenizer, special: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def write_tokenizer(directory: Path, tokenizer: Tokenizer, settings: dict) -> None:
    (directory / "tokenizer.json").write_text(tokenizer.to_str(pretty=False) + "\n", encoding="utf-8")
    write_json(directory / "tokenizer_config.json", settings)


def write_json(file: Path, value: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
