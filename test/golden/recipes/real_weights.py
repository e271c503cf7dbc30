"""Reference numbers of two published models: all-MiniLM-L6-v2, and SmolLM2-135M-Instruct from its Q4_1 GGUF file."""

import json
from pathlib import Path

import gguf
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from .corpus import LONG_PROMPT, MIDDLE_PROMPT, ODD_TEXT
from .decoders import all_logits
from .encoders import encoder_reference
from .numbers import rounded

POSITIONS = 500
GREEDY_TOKENS = 24


def write_minilm(file: Path, model: Path, english: Path) -> None:
    # The whole of english.txt is longer than the model's 256 tokens: it is cut.
    texts = ["a cat", "a dog", "What is the capital of France?", MIDDLE_PROMPT, ODD_TEXT, LONG_PROMPT, english.read_text()]
    reference = encoder_reference(model, texts)
    write_rows(file, {"model": "sentence-transformers/all-MiniLM-L6-v2", "texts": reference["texts"]})


def write_smollm2(file: Path, weights: Path, english: Path) -> None:
    reader = gguf.GGUFReader(weights)
    metadata = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    tokenizer = gguf_tokenizer(metadata)
    model = AutoModelForCausalLM.from_pretrained(
        weights.parent, gguf_file=weights.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    chat = PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=metadata["tokenizer.chat_template"])
    eos = metadata["tokenizer.ggml.eos_token_id"]

    messages = [{"role": "user", "content": "What is the capital of France?"}]
    rendered = chat.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    rows = [
        {"messages": messages, **continuation(model, tokenizer, rendered, eos)},
        continuation(model, tokenizer, "The old lighthouse stands", eos),
    ]
    tokens = tokenizer.encode(english.read_text()).ids
    assert len(tokens) > POSITIONS + 20, len(tokens)
    reference = {
        "model": "HuggingFaceTB/SmolLM2-135M-Instruct, Q4_1 dequantized",
        "prompts": rows,
        "english": {"tokens": tokens, **text_reference(model, tokens)},
    }
    write_rows(file, reference)


def gguf_tokenizer(metadata: dict) -> Tokenizer:
    """The tokenizer that llama.cpp's name "smollm" stands for: single digits, then GPT-2's splits and bytes."""
    assert metadata["tokenizer.ggml.pre"] == "smollm"
    tokens = metadata["tokenizer.ggml.tokens"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    merges = [tuple(merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    types = metadata["tokenizer.ggml.token_type"]
    control = [token for token, kind in zip(tokens, types) if kind == gguf.TokenType.CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return tokenizer


def continuation(model: torch.nn.Module, tokenizer: Tokenizer, text: str, eos: int) -> dict:
    """Greedy tokens to the first end token, that one included."""
    tokens = tokenizer.encode(text).ids
    greedy, margins = [], []
    while len(greedy) < GREEDY_TOKENS and eos not in greedy:
        best = torch.topk(all_logits(model, tokens + greedy)[-1], 2)
        greedy.append(int(best.indices[0]))
        margins.append(float(best.values[0] - best.values[1]))
    return {
        "text": text,
        "tokens": tokens,
        "greedy": greedy,
        "margins": rounded(torch.tensor(margins), 4),
        "greedyText": tokenizer.decode(greedy, skip_special_tokens=True),
    }


def text_reference(model: torch.nn.Module, tokens: list[int]) -> dict:
    """What the model expects after each of the first positions, and how surprised it is by what comes."""
    logits = all_logits(model, tokens[:POSITIONS])
    logprobs = torch.log_softmax(logits.double(), dim=-1)
    following = torch.tensor(tokens[1 : POSITIONS + 1])
    surprise = logprobs[torch.arange(POSITIONS), following]
    best = torch.topk(logits, 2)
    return {
        "perplexity": round(float(torch.exp(-surprise.mean())), 5),
        "argmax": best.indices[:, 0].tolist(),
        "margins": rounded(best.values[:, 0] - best.values[:, 1], 4),
        "logprobs": rounded(surprise, 5),
    }


def write_rows(file: Path, reference: dict) -> None:
    text = json.dumps(reference, ensure_ascii=False, separators=(",", ":"))
    text = text.replace('},{"', '},\n{"').replace('":[{"', '":[\n{"').replace(',"english"', ',\n"english"')
    file.write_text(text + "\n", encoding="utf-8")
