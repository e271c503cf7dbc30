"""One tiny random decoder for each model_type, and what PyTorch makes of its token ids.

A recipe is a dict:

    config    config.json as the Hub has it: model_type, architectures, sizes, torch_dtype (what the weights are stored in)
    seed      the first one that is tried; the first with safe margins is taken
    lengths   optional: of the prompts in tokens; absent: 2, 9 and 40
    spread    optional: standard deviations of weights by a part of their name (numbers.fill)
    change    optional: puts further values into the module before its weights are stored
    stored    optional: the tensors of the file out of the module's; absent: as save_pretrained writes them
    model     optional: how to make the module out of the configuration; absent: AutoModelForCausalLM
    load      optional: how to load it again from a folder; absent: from_pretrained
    gguf      optional: the name of llama.cpp's architecture; the weights are written to model.gguf, too
"""

import importlib
import pkgutil
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from . import decoder_types
from .decoder_gguf import write_gguf
from .decoders import all_logits, greedy_tokens, save_weights, write_reference
from .numbers import fill, packed, rounded
from .vocabularies import write_json

LENGTHS = [2, 9, 40]
GREEDY_TOKENS = 24
# Far above fp32's own noise, so that another order of summation gives the same tokens.
SMALLEST_MARGIN = 2e-3
# A continuation that only repeats itself would hide errors in positions and in the cache.
FEWEST_DISTINCT = 8
SEEDS = 400
# Wide in the layers and narrow in the embedding: the context decides the next token, so wrong positions show.
SPREAD = {"embed": 0.15, "wte": 0.15, "lm_head": 0.15, "q_proj": 0.3, "k_proj": 0.3, "qkv": 0.3, "query": 0.3, "": 0.25}


def collect() -> dict[str, dict]:
    types: dict[str, dict] = {}
    for module in pkgutil.iter_modules(decoder_types.__path__):
        recipes = importlib.import_module(f"{decoder_types.__name__}.{module.name}").TYPES
        assert not types.keys() & recipes.keys(), module.name
        types |= recipes
    return types


DECODER_TYPES = collect()


def make_decoder_type(directory: Path, recipe: dict) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config = recipe["config"]
    write_json(directory / "config.json", config)
    dtype = getattr(torch, config["torch_dtype"])
    for seed in range(recipe["seed"], recipe["seed"] + SEEDS):
        torch.manual_seed(seed)
        model = recipe.get("model", empty_model)(directory).float().eval()
        fill(model, seed, dtype, recipe.get("spread", SPREAD))
        recipe.get("change", lambda module: None)(model)
        prompts = references(model, recipe, config["vocab_size"], seed)
        if prompts is not None:
            break
    else:
        raise SystemExit(f"{directory.name}: no seed gives safe margins")
    stored = recipe.get("stored", published)(model)
    save_weights(directory, stored, dtype, recipe.get("shards", 1))
    if "gguf" in recipe:
        write_gguf(directory / "model.gguf", recipe["gguf"], config, stored)
    every = all_logits(model, prompts[1]["tokens"])
    loaded = recipe.get("load", load_model)(directory).float().eval()
    assert packed(all_logits(loaded, prompts[1]["tokens"])) == packed(every), f"{directory.name} does not survive saving"
    reference = {"prompts": prompts, "allLogits": {"prompt": 1, "logits": packed(every)}}
    write_reference(directory, {"kind": "decoder", "seed": seed, **reference})


def empty_model(directory: Path) -> nn.Module:
    # In float32 from the beginning: tables that a module computes must not be rounded to what the weights are stored in.
    config = AutoConfig.from_pretrained(directory)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager")


def load_model(directory: Path) -> nn.Module:
    return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager")


def published(model: nn.Module) -> dict[str, torch.Tensor]:
    """The tensors as they stand on the Hub: tied ones once, under the names of the release."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return load_file(Path(folder) / "model.safetensors")


def references(model: nn.Module, recipe: dict, vocabulary: int, seed: int) -> list[dict] | None:
    """None where a choice is too close. Every step runs the whole sequence: nothing of a cache is in the reference."""
    generator = torch.Generator().manual_seed(seed)
    prompts = []
    for length in recipe.get("lengths", LENGTHS):
        tokens = torch.randint(3, vocabulary, (length,), generator=generator).tolist()
        logits, greedy, margins = greedy_tokens(model, tokens, GREEDY_TOKENS)
        if min(margins) < SMALLEST_MARGIN or len(set(greedy)) < FEWEST_DISTINCT:
            return None
        found = {"tokens": tokens, "logits": packed(logits), "greedy": greedy}
        prompts.append(found | {"margins": rounded(torch.tensor(margins))})
    return prompts
