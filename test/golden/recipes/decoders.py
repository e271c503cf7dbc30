"""Tiny llama and gpt2 models in Hub layout, and what PyTorch makes of them."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from .corpus import CHATS, DECODER_PROMPTS
from .numbers import fill, packed, rounded
from .vocabularies import write_json, write_tokenizer

GREEDY_TOKENS = 48
# Far above fp32's own noise (about 1e-5 at these sizes), so that another order of summation gives the same tokens.
SMALLEST_MARGIN = 2e-3
# A continuation that only repeats itself would hide errors in positions and in the cache.
FEWEST_DISTINCT = 24


def make_decoder(directory: Path, recipe: dict) -> None:
    """Writes one model. Tries seeds until every greedy choice has a safe margin."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    tokenizer = recipe["tokenizer"](recipe["config"]["vocab_size"])
    assert tokenizer.get_vocab_size() == recipe["config"]["vocab_size"], tokenizer.get_vocab_size()
    write_tokenizer(directory, tokenizer, recipe["tokenizer_config"])
    if "chat_template" in recipe:
        (directory / "chat_template.jinja").write_text(recipe["chat_template"], encoding="utf-8")
    write_json(directory / "config.json", recipe["config"])
    write_json(directory / "generation_config.json", recipe["generation_config"])
    write_readme(directory, recipe)

    dtype = getattr(torch, recipe["config"]["torch_dtype"])
    for seed in range(recipe["seed"], recipe["seed"] + 200):
        torch.manual_seed(seed)
        model = empty_model(directory)
        fill(model, seed, dtype, recipe["spread"])
        reference = decoder_reference(model, tokenizer)
        if reference is not None:
            break
    else:
        raise SystemExit(f"{directory.name}: no seed gives safe margins")
    save_weights(directory, recipe["stored"](model), dtype, recipe.get("shards", 1))
    check_loads(directory, reference)
    reference["chats"] = chat_reference(directory)
    reference = {"kind": "decoder", "seed": seed, **reference}
    write_reference(directory, reference)


def empty_model(directory: Path) -> torch.nn.Module:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(directory)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager").eval()


def special_ids(tokenizer: Tokenizer) -> set[int]:
    return {token for token, added in tokenizer.get_added_tokens_decoder().items() if added.special}


def decoder_reference(model: torch.nn.Module, tokenizer: Tokenizer) -> dict | None:
    """Logits and greedy continuations of every prompt; None where a choice is too close, or could end the text."""
    special = special_ids(tokenizer)
    prompts = []
    for text in DECODER_PROMPTS:
        tokens = tokenizer.encode(text).ids
        logits, greedy, margins = greedy_tokens(model, tokens)
        safe = min(margins) >= SMALLEST_MARGIN and len(set(greedy)) >= FEWEST_DISTINCT and not special & set(greedy)
        if not safe:
            return None
        prompts.append(
            {
                "text": text,
                "tokens": tokens,
                "logits": packed(logits),
                "greedy": greedy,
                "margins": rounded(torch.tensor(margins)),
                "greedyText": tokenizer.decode(greedy, skip_special_tokens=False),
            }
        )
    every = 1
    return {
        "prompts": prompts,
        "allLogits": {"prompt": every, "logits": packed(all_logits(model, prompts[every]["tokens"]))},
    }


def greedy_tokens(model: torch.nn.Module, tokens: list[int], count: int = GREEDY_TOKENS):
    """The first step's logits, `count` greedy tokens, and the distance from each to the second choice.

    Every step runs the whole sequence: nothing of a cache is in the reference.
    """
    first, greedy, margins = None, [], []
    for _ in range(count):
        logits = all_logits(model, tokens + greedy)[-1]
        first = logits if first is None else first
        best = torch.topk(logits, 2)
        greedy.append(int(best.indices[0]))
        margins.append(float(best.values[0] - best.values[1]))
    return first, greedy, margins


def all_logits(model: torch.nn.Module, tokens: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([tokens]), use_cache=False).logits[0].float()


def save_weights(directory: Path, tensors: dict[str, torch.Tensor], dtype: torch.dtype, shards: int) -> None:
    tensors = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).contiguous().clone()
        for name, tensor in tensors.items()
    }
    if shards == 1:
        write_safetensors(directory / "model.safetensors", tensors)
        return
    names = list(tensors)
    size = -(-len(names) // shards)
    weight_map = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        part = {name: tensors[name] for name in names[shard * size : (shard + 1) * size]}
        write_safetensors(directory / file, part)
        weight_map.update({name: file for name in part})
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    write_json(directory / "model.safetensors.index.json", index)


def write_safetensors(file: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, file, metadata={"format": "pt"})
    file.chmod(0o644)


def check_loads(directory: Path, reference: dict) -> None:
    """The folder as transformers reads it gives the same numbers: the layout and the names are the Hub's."""
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    for prompt in reference["prompts"]:
        logits = all_logits(model, prompt["tokens"])[-1]
        assert packed(logits) == prompt["logits"], f"{directory.name} does not survive saving"
    tokenizer = AutoTokenizer.from_pretrained(directory)
    for prompt in reference["prompts"]:
        assert tokenizer(prompt["text"])["input_ids"] == prompt["tokens"], directory.name


def chat_reference(directory: Path) -> list[dict]:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(directory)
    if tokenizer.chat_template is None:
        return []
    chats = []
    for messages in CHATS:
        rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        tokens = tokenizer(rendered, add_special_tokens=False)["input_ids"]
        chats.append({"messages": messages, "rendered": rendered, "tokens": tokens})
    return chats


def write_readme(directory: Path, recipe: dict) -> None:
    text = f"# {directory.name}\n\nRandom weights for tests: {recipe['about']}\nMade by ../make.py; numbers in reference.json.\n"
    (directory / "README.md").write_text(text, encoding="utf-8")


def write_reference(directory: Path, reference: dict) -> None:
    text = json.dumps(reference, ensure_ascii=False, separators=(",", ":"))
    # One prompt, text or array a line: small, and still readable in a diff.
    text = text.replace('},{"', '},\n{"').replace('":[{"', '":[\n{"').replace(',"allLogits"', ',\n"allLogits"')
    (directory / "reference.json").write_text(text + "\n", encoding="utf-8")
