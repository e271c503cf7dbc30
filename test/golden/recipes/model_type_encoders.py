"""One tiny random encoder for each model_type, with or without a head, and what PyTorch makes of its token ids.

A recipe is a dict:

    config    config.json: model_type, architectures, sizes, torch_dtype (what the weights are stored in)
    seed      of the weights and of the token ids
    segments  optional: token_type_ids count up to here; absent: the model gets none
    rows      optional: the token ids; absent: random ones, of 1, 5, 17 and 33 tokens
    spread    optional: standard deviations of weights by a part of their name (numbers.fill)
    model     optional: how to make the module out of the configuration; absent: the class of `architectures`
    load      optional: how to load it again from a folder; absent: from_pretrained of that class
    rename    optional: the name that a tensor has in the file, out of the module's; absent: as save_pretrained writes it
    files     optional: further JSON files, by name
    stored    optional: all tensors of the file, out of those that save_pretrained writes
"""

import importlib
import pkgutil
import shutil
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from torch import nn

from . import encoder_types
from .decoders import save_weights, write_reference
from .numbers import fill, packed
from .vocabularies import write_json

LENGTHS = [1, 5, 17, 33]
# Logits of a whole vocabulary are many numbers.
LANGUAGE_MODEL_LENGTHS = [2, 11]
# Below it stand the special tokens.
FIRST_TOKEN = 6
SPREAD = {"embed": 0.3, "": 0.15}


def collect() -> dict[str, dict]:
    types: dict[str, dict] = {}
    for module in pkgutil.iter_modules(encoder_types.__path__):
        recipes = importlib.import_module(f"{encoder_types.__name__}.{module.name}").TYPES
        assert not types.keys() & recipes.keys(), module.name
        types |= recipes
    return types


ENCODER_TYPES = collect()


def make_encoder_type(directory: Path, recipe: dict) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config = recipe["config"]
    write_json(directory / "config.json", config)
    for file, content in recipe.get("files", {}).items():
        write_json(directory / file, content)
    dtype = getattr(torch, config["torch_dtype"])
    settings = transformers.AutoConfig.from_pretrained(directory)
    make = recipe.get("model", lambda read: model_class(config)._from_config(read, attn_implementation="eager"))
    model = make(settings).float().eval()
    computed = {name: value.clone() for name, value in model.named_parameters() if not value.requires_grad}
    fill(model, recipe["seed"], dtype, recipe.get("spread", SPREAD))
    for name, value in [*computed.items(), *model.named_buffers()]:
        if value.is_floating_point() and name in model.state_dict():
            model.get_parameter_or_buffer(name).copy_(value.to(dtype).float())
    save_weights(directory, published(model, recipe), dtype, shards=1)

    load = recipe.get("load", lambda folder: model_class(config).from_pretrained(folder, attn_implementation="eager"))
    loaded = load(directory).float().eval()
    kind = kind_of(config["architectures"][0])
    inputs = []
    for row in rows_of(recipe, kind):
        numbers = reference(loaded, row, kind)
        for name, values in reference(model, row, kind).items():
            assert torch.allclose(values, numbers[name], atol=1e-6), f"{directory.name} does not survive saving"
        inputs.append(row | {name: packed(values) for name, values in numbers.items()})
    write_reference(directory, {"kind": kind, "seed": recipe["seed"], "inputs": inputs})


def model_class(config: dict) -> type:
    return getattr(transformers, config["architectures"][0])


def published(model: nn.Module, recipe: dict) -> dict[str, torch.Tensor]:
    """The tensors as they stand on the Hub: tied ones once, under the names of the release."""
    if "rename" in recipe:
        return {recipe["rename"](name): tensor for name, tensor in model.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return recipe.get("stored", dict)(load_file(Path(folder) / "model.safetensors"))


def kind_of(architecture: str) -> str:
    if architecture.endswith("ForSequenceClassification"):
        return "classifier"
    if architecture.endswith("ForTokenClassification"):
        return "token-classifier"
    if architecture.endswith(("ForQuestionAnswering", "ForQuestionAnsweringSimple")):
        return "question-answerer"
    if architecture.endswith(("ForMaskedLM", "ForPreTraining", "LMHeadModel")):
        return "masked-lm"
    return "encoder"


def rows_of(recipe: dict, kind: str) -> list[dict]:
    config = recipe["config"]
    generator = torch.Generator().manual_seed(recipe["seed"] + 1)
    lengths = LANGUAGE_MODEL_LENGTHS if kind == "masked-lm" else LENGTHS
    rows = recipe.get("rows") or [
        torch.randint(FIRST_TOKEN, config["vocab_size"], (length,), generator=generator).tolist() for length in lengths
    ]
    segments = recipe.get("segments")
    return [
        {"tokens": row} | ({"typeIds": [i * segments // len(row) for i in range(len(row))]} if segments else {})
        for row in rows
    ]


def reference(model: nn.Module, row: dict, kind: str) -> dict[str, torch.Tensor]:
    """Every row alone, so that padding is not in the reference."""
    ids = torch.tensor([row["tokens"]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if "typeIds" in row:
        inputs["token_type_ids"] = torch.tensor([row["typeIds"]])
    with torch.no_grad():
        output = model(**inputs)
    if kind == "encoder":
        if "last_hidden_state" in output:
            states = output.last_hidden_state[0]
        else:
            # DPR's classes show their last states only among all of them.
            with torch.no_grad():
                states = model(**inputs, output_hidden_states=True).hidden_states[-1][0]
        return {"lastHiddenState": states, "embedding": states.mean(dim=0)}
    if kind == "question-answerer":
        return {"start": output.start_logits[0], "end": output.end_logits[0]}
    logits = (output.prediction_logits if "prediction_logits" in output else output.logits)[0]
    return {"logits": logits} | ({"scores": probabilities(model, logits)} if kind == "classifier" else {})


def probabilities(model: nn.Module, logits: torch.Tensor) -> torch.Tensor:
    """As the text-classification pipeline of transformers has it."""
    problem = model.config.problem_type
    if problem == "regression":
        return logits
    if problem == "multi_label_classification" or model.config.num_labels == 1:
        return torch.sigmoid(logits)
    return torch.softmax(logits, dim=-1)
