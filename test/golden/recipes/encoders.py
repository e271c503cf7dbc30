"""Tiny bert models as sentence-transformers publishes them (and as it does not), and the embeddings it computes."""

import json
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from transformers import AutoConfig, BertModel

from .corpus import ENCODER_TEXTS
from .decoders import save_weights, write_readme, write_reference
from .numbers import fill, packed
from .vocabularies import wordpiece_vocabulary, write_json, write_tokenizer

BASE = {
    "architectures": ["BertModel"],
    "model_type": "bert",
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 256,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 128,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
    "type_vocab_size": 2,
    "vocab_size": 320,
}
SPREAD = {"embeddings": 0.3, "query": 0.2, "key": 0.2, "dense": 0.12, "value": 0.12}
SPECIAL = {
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
    "pad_token": "[PAD]",
    "sep_token": "[SEP]",
    "unk_token": "[UNK]",
}


def modules(*names: str) -> list[dict]:
    """modules.json: the encoder at the root, then a numbered folder for each."""
    rows = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
    for index, name in enumerate(names, start=1):
        path = f"{index}_{name}"
        rows.append({"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{name}"})
    return rows


def pooling(mode: str) -> dict:
    modes = ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens"]
    return {"word_embedding_dimension": 128, **{f"pooling_mode_{name}": name == mode for name in modes}}


def prompts(default: str | None) -> dict:
    return {
        "__version__": {"sentence_transformers": "3.0.1", "transformers": "4.41.2", "pytorch": "2.3.1"},
        "prompts": {"query": "query: ", "document": "passage: "},
        "default_prompt_name": default,
        "similarity_fn_name": "cosine",
    }


def dense(inputs: int, outputs: int, bias: bool, activation: str) -> dict:
    sizes = {"in_features": inputs, "out_features": outputs, "bias": bias}
    return {**sizes, "activation_function": f"torch.nn.modules.{activation}"}


def stored_names(model: BertModel) -> dict[str, torch.Tensor]:
    return dict(model.state_dict())


def legacy_names(model: BertModel) -> dict[str, torch.Tensor]:
    """As bert-base-uncased has them: a prefix, gamma and beta, a buffer, and a head that nothing here uses."""
    generator = torch.Generator().manual_seed(1)
    hidden, vocabulary = model.config.hidden_size, model.config.vocab_size
    tensors = {}
    for name, tensor in model.state_dict().items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        tensors[f"bert.{name}"] = tensor
    tensors["bert.embeddings.position_ids"] = torch.arange(model.config.max_position_embeddings)[None]
    tensors["cls.predictions.bias"] = torch.randn(vocabulary, generator=generator)
    tensors["cls.predictions.transform.dense.weight"] = torch.randn(hidden, hidden, generator=generator)
    tensors["cls.predictions.transform.dense.bias"] = torch.randn(hidden, generator=generator)
    tensors["cls.predictions.transform.LayerNorm.gamma"] = torch.randn(hidden, generator=generator)
    tensors["cls.predictions.transform.LayerNorm.beta"] = torch.randn(hidden, generator=generator)
    return tensors


def fixed_length(tokenizer: Tokenizer) -> None:
    """Published tokenizer.json files carry truncation and padding that sentence-transformers does not follow."""
    tokenizer.enable_truncation(max_length=32)
    tokenizer.enable_padding(length=32)


BERT = {
    "bert-mean": {
        "about": "bert, mean pooling, normalised, at most 64 tokens, prompts, uncased, float16; its tokenizer.json "
        "asks for truncation and padding to 32, which sentence-transformers does not follow.",
        "seed": 6000,
        "lowercase": True,
        "stored": stored_names,
        "tokenizer": fixed_length,
        "config": {**BASE, "torch_dtype": "float16"},
        "files": {
            "modules.json": modules("Pooling", "Normalize"),
            "1_Pooling/config.json": pooling("mean_tokens"),
            "sentence_bert_config.json": {"max_seq_length": 64, "do_lower_case": False},
            "config_sentence_transformers.json": prompts(None),
        },
    },
    "bert-cls": {
        "about": "bert, the first token's output, not normalised, a default prompt, cased, bfloat16.",
        "seed": 7000,
        "lowercase": False,
        "stored": stored_names,
        "config": {**BASE, "layer_norm_eps": 1e-5, "torch_dtype": "bfloat16"},
        "files": {
            "modules.json": modules("Pooling"),
            "1_Pooling/config.json": pooling("cls_token"),
            "sentence_bert_config.json": {"max_seq_length": 128, "do_lower_case": False},
            "config_sentence_transformers.json": prompts("query"),
        },
    },
    "bert-legacy": {
        "about": "bert without sentence-transformers' files (so: mean pooling, not normalised), one head of 64 on a "
        "hidden size of 64, gelu_new, one token type, names as in bert-base-uncased, float32.",
        "seed": 8000,
        "lowercase": True,
        "stored": legacy_names,
        "config": {
            **BASE,
            "architectures": ["BertForMaskedLM"],
            "hidden_act": "gelu_new",
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_attention_heads": 1,
            "type_vocab_size": 1,
            "torch_dtype": "float32",
        },
        "files": {},
    },
    "bert-dense": {
        "about": "bert, three kinds of pooling side by side, then dense layers (tanh with a bias, and one without either "
        "that adds its input), LayerNorm, normalised, float16; the layers' weights are float32.",
        "seed": 9000,
        "lowercase": True,
        "stored": stored_names,
        "config": {
            **BASE,
            "hidden_size": 48,
            "intermediate_size": 64,
            "num_attention_heads": 3,
            "num_hidden_layers": 1,
            "max_position_embeddings": 64,
            "torch_dtype": "float16",
        },
        "files": {
            "modules.json": modules("Pooling", "Dense", "Dense", "LayerNorm", "Normalize"),
            "1_Pooling/config.json": {
                "word_embedding_dimension": 48,
                **{f"pooling_mode_{name}": True for name in ["cls_token", "max_tokens", "weightedmean_tokens"]},
                "pooling_mode_mean_tokens": False,
            },
            "2_Dense/config.json": dense(144, 40, bias=True, activation="activation.Tanh"),
            "3_Dense/config.json": {**dense(40, 24, bias=False, activation="linear.Identity"), "use_residual": True},
            "4_LayerNorm/config.json": {"dimension": 24},
            "sentence_bert_config.json": {"max_seq_length": 64, "do_lower_case": False},
            "config_sentence_transformers.json": prompts(None),
        },
        "weights": {
            "2_Dense": {"linear.weight": [40, 144], "linear.bias": [40]},
            "3_Dense": {"linear.weight": [24, 40], "residual.weight": [24, 40]},
            "4_LayerNorm": {"norm.weight": [24], "norm.bias": [24]},
        },
    },
}


def make_encoder(directory: Path, recipe: dict) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    tokenizer = wordpiece_vocabulary(recipe["config"]["vocab_size"], recipe["lowercase"])
    assert tokenizer.get_vocab_size() == recipe["config"]["vocab_size"], tokenizer.get_vocab_size()
    recipe.get("tokenizer", lambda _: None)(tokenizer)
    longest = recipe["config"]["max_position_embeddings"]
    settings = {"do_lower_case": recipe["lowercase"], **SPECIAL, "model_max_length": longest}
    write_tokenizer(directory, tokenizer, {**settings, "tokenizer_class": "BertTokenizer"})
    write_json(directory / "config.json", recipe["config"])
    for file, content in recipe["files"].items():
        write_json(directory / file, content)
    generator = torch.Generator().manual_seed(recipe["seed"])
    for folder, shapes in recipe.get("weights", {}).items():
        tensors = {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
        save_file(tensors, directory / folder / "model.safetensors")
    write_readme(directory, recipe)

    dtype = getattr(torch, recipe["config"]["torch_dtype"])
    model = BertModel._from_config(AutoConfig.from_pretrained(directory), dtype=torch.float32).eval()
    fill(model, recipe["seed"], dtype, SPREAD)
    save_weights(directory, recipe["stored"](model), dtype, shards=1)
    with tempfile.TemporaryDirectory() as plain:
        # Under their present names, so that the reference does not lean on the reader of old names.
        shutil.copytree(directory, plain, dirs_exist_ok=True)
        save_weights(Path(plain), stored_names(model), dtype, shards=1)
        reference = encoder_reference(plain)
    assert reference["texts"] == encoder_reference(directory)["texts"], f"{directory.name} does not survive saving"
    write_reference(directory, {"kind": "encoder", "seed": recipe["seed"], **reference})


def encoder_reference(directory: Path | str, texts: list[str] = ENCODER_TEXTS) -> dict:
    """Every text alone and with each prompt, without batching, so that padding is not in the reference."""
    model = SentenceTransformer(
        str(directory), device="cpu", model_kwargs={"dtype": torch.float32, "attn_implementation": "eager"}
    )
    rows = []
    names = [name for name, prompt in model.prompts.items() if prompt]
    for text in texts:
        rows.append(encode(model, text, None))
    for name in names:
        for text in texts[2:4]:
            rows.append(encode(model, text, name))
    sample = 3
    states = model.encode([texts[sample]], output_value="token_embeddings")[0]
    assert states.shape[0] == len(rows[sample]["tokens"])
    return {"texts": rows, "lastHiddenState": {"text": sample, "values": packed(states)}}


def encode(model: SentenceTransformer, text: str, prompt: str | None) -> dict:
    name = prompt or model.default_prompt_name
    before = model.prompts[name] if name else ""
    tokens = model.preprocess([text], prompt=before)["input_ids"][0].tolist()
    embedding = model.encode([text], prompt_name=prompt, convert_to_tensor=True)[0]
    row = {"text": text, "tokens": tokens, "embedding": packed(embedding)}
    return row if prompt is None else {"text": text, "prompt": prompt, **row}
