"""One tiny random encoder-decoder for each model_type, and what PyTorch makes of its token ids.

A recipe is a dict:

    config      config.json: model_type, architectures, sizes, torch_dtype (what the weights are stored in)
    generation  generation_config.json
    seed        the first one that is tried
    spread      optional: standard deviations of weights by a part of their name (numbers.fill)
    stores_positions  optional: the file has the vectors of positions, which are computed
    own_head    optional: the head has weights of its own, whatever transformers ties by now
"""

import shutil
import tempfile
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file
from torch import nn
from transformers import LogitsProcessor, LogitsProcessorList

from .decoders import save_weights, write_reference
from .numbers import fill, packed
from .vocabularies import write_json

TOKENS = 24
LENGTHS = [3, 11, 26]
# Below it stand the special tokens.
FIRST_TOKEN = 6
# Far above fp32's own noise, so that another order of summation gives the same tokens.
SMALLEST_MARGIN = 2e-3
NOISE = 2e-3
FEWEST_DISTINCT = 5
# The token that ends an answer is longer than others, or no search would end by itself.
LONG_END = 2.0
SPREAD = {"relative_attention_bias": 0.5, "embed_positions": 0.4, "shared": 0.8, "lm_head": 0.4, "embed": 0.8, "": 0.25}
# Of models that scale the table's vectors: else each token would be followed by itself.
SCALED = {"embed_positions": 1.0, "shared": 0.14, "embed": 0.14, "lm_head": 0.14, "": 0.45}

T5 = {
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 32,
    "num_heads": 3,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "vocab_size": 96,
    "n_positions": 64,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 12,
    "layer_norm_epsilon": 1e-6,
    "is_encoder_decoder": True,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "decoder_start_token_id": 0,
}
BART = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 48,
    "vocab_size": 96,
    "is_encoder_decoder": True,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
}
T5_ANSWERS = {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1}
BART_ANSWERS = {"decoder_start_token_id": 2, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}

ENCODER_DECODER_TYPES = {
    "t5": {
        "seed": 30000,
        "config": {
            **T5,
            "architectures": ["T5ForConditionalGeneration"],
            "model_type": "t5",
            "feed_forward_proj": "relu",
            "torch_dtype": "float16",
        },
        "generation": {**T5_ANSWERS, "num_beams": 4, "length_penalty": 2.0, "no_repeat_ngram_size": 3},
    },
    "t5-gated": {
        "seed": 30100,
        "own_head": True,
        "config": {
            **{key: value for key, value in T5.items() if key != "num_decoder_layers"},
            "architectures": ["T5ForConditionalGeneration"],
            "model_type": "t5",
            "feed_forward_proj": "gated-gelu",
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
        },
        "generation": {**T5_ANSWERS, "num_beams": 4, "early_stopping": "never"},
    },
    "mt5": {
        "seed": 30200,
        "own_head": True,
        "config": {
            **T5,
            "architectures": ["MT5ForConditionalGeneration"],
            "model_type": "mt5",
            "tie_word_embeddings": False,
            "torch_dtype": "float16",
        },
        "generation": {**T5_ANSWERS, "num_beams": 4, "early_stopping": True, "suppress_tokens": [7, 9]},
    },
    "umt5": {
        "seed": 30300,
        "config": {
            **T5,
            "architectures": ["UMT5ForConditionalGeneration"],
            "model_type": "umt5",
            "feed_forward_proj": "gated-gelu",
            "torch_dtype": "float16",
        },
        "generation": {**T5_ANSWERS, "num_beams": 4, "repetition_penalty": 1.2},
    },
    "bart": {
        "seed": 30400,
        "config": {
            **BART,
            "architectures": ["BartForConditionalGeneration"],
            "model_type": "bart",
            "activation_function": "gelu",
            "torch_dtype": "float16",
        },
        "generation": {
            **BART_ANSWERS,
            "num_beams": 4,
            "early_stopping": True,
            "forced_bos_token_id": 0,
            "forced_eos_token_id": 2,
            "length_penalty": 2.0,
            "min_length": 9,
            "no_repeat_ngram_size": 3,
        },
    },
    "mbart": {
        "seed": 30500,
        "spread": SCALED,
        "config": {
            **BART,
            "architectures": ["MBartForConditionalGeneration"],
            "model_type": "mbart",
            "encoder_layers": 2,
            "decoder_layers": 1,
            "scale_embedding": True,
            "torch_dtype": "float16",
        },
        "generation": {**BART_ANSWERS, "num_beams": 5, "forced_bos_token_id": 4, "forced_eos_token_id": 2, "no_repeat_ngram_size": 3},
    },
    "pegasus": {
        "seed": 30600,
        "spread": SCALED,
        "stores_positions": True,
        "config": {
            **BART,
            "architectures": ["PegasusForConditionalGeneration"],
            "model_type": "pegasus",
            "activation_function": "relu",
            "scale_embedding": True,
            "bos_token_id": None,
            "pad_token_id": 0,
            "eos_token_id": 1,
            "decoder_start_token_id": 0,
            "torch_dtype": "float16",
        },
        "generation": {**T5_ANSWERS, "num_beams": 8, "length_penalty": 0.8, "forced_eos_token_id": 1, "no_repeat_ngram_size": 3},
    },
    "blenderbot": {
        "seed": 30700,
        "config": {
            **BART,
            "architectures": ["BlenderbotForConditionalGeneration"],
            "model_type": "blenderbot",
            "encoder_layers": 2,
            "decoder_layers": 1,
            "torch_dtype": "bfloat16",
        },
        "generation": {
            **BART_ANSWERS,
            "num_beams": 4,
            "encoder_no_repeat_ngram_size": 2,
            "no_repeat_ngram_size": 3,
            "length_penalty": 0.65,
            "min_length": 6,
        },
    },
    "blenderbot-small": {
        "seed": 30800,
        "spread": SCALED,
        "config": {
            **BART,
            "architectures": ["BlenderbotSmallForConditionalGeneration"],
            "model_type": "blenderbot-small",
            "scale_embedding": True,
            "torch_dtype": "float16",
        },
        "generation": {**BART_ANSWERS, "num_beams": 4, "begin_suppress_tokens": [20, 40], "renormalize_logits": True, "no_repeat_ngram_size": 3},
    },
    "marian": {
        "seed": 30900,
        "spread": SCALED,
        "config": {
            **BART,
            "architectures": ["MarianMTModel"],
            "model_type": "marian",
            "activation_function": "swish",
            "scale_embedding": True,
            "pad_token_id": 95,
            "eos_token_id": 0,
            "bos_token_id": 0,
            "decoder_start_token_id": 95,
            "torch_dtype": "float16",
        },
        "generation": {
            "decoder_start_token_id": 95,
            "pad_token_id": 95,
            "eos_token_id": 0,
            "bos_token_id": 0,
            "num_beams": 4,
            "bad_words_ids": [[95], [12, 13]],
            "no_repeat_ngram_size": 2,
            "forced_eos_token_id": 0,
        },
    },
    "marian-apart": {
        "seed": 31000,
        "config": {
            **BART,
            "architectures": ["MarianMTModel"],
            "model_type": "marian",
            "activation_function": "relu",
            "decoder_layers": 1,
            "scale_embedding": False,
            "share_encoder_decoder_embeddings": False,
            "decoder_vocab_size": 80,
            "pad_token_id": 79,
            "eos_token_id": 0,
            "bos_token_id": 0,
            "decoder_start_token_id": 79,
            "torch_dtype": "float32",
        },
        "generation": {
            "decoder_start_token_id": 79,
            "pad_token_id": 79,
            "eos_token_id": 0,
            "num_beams": 6,
            "no_repeat_ngram_size": 3,
        },
    },
    "m2m_100": {
        "seed": 31100,
        "spread": SCALED,
        "config": {
            **BART,
            "architectures": ["M2M100ForConditionalGeneration"],
            "model_type": "m2m_100",
            "activation_function": "relu",
            "scale_embedding": True,
            "torch_dtype": "float16",
        },
        "generation": {**BART_ANSWERS, "num_beams": 5, "forced_bos_token_id": 90, "early_stopping": True, "no_repeat_ngram_size": 3},
    },
    "plbart": {
        "seed": 31200,
        "spread": SCALED,
        "config": {
            **BART,
            "architectures": ["PLBartForConditionalGeneration"],
            "model_type": "plbart",
            "d_model": 40,
            "encoder_attention_heads": 5,
            "decoder_attention_heads": 5,
            "decoder_layers": 1,
            "torch_dtype": "float16",
        },
        "generation": {**BART_ANSWERS, "num_beams": 3, "forced_eos_token_id": 2, "no_repeat_ngram_size": 2},
    },
    "mvp": {
        "seed": 31300,
        "config": {
            **BART,
            "architectures": ["MvpForConditionalGeneration"],
            "model_type": "mvp",
            "decoder_layers": 1,
            "use_prompt": False,
            "torch_dtype": "float16",
        },
        "generation": {**BART_ANSWERS, "num_beams": 4, "no_repeat_ngram_size": 2, "min_new_tokens": 5},
    },
}


def make_encoder_decoder_type(directory: Path, recipe: dict) -> None:
    """Writes one model. Tries seeds until greedy choices have safe margins and no search hangs by a hair."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    config = recipe["config"]
    write_json(directory / "config.json", config)
    write_json(directory / "generation_config.json", recipe["generation"])
    dtype = getattr(torch, config["torch_dtype"])
    for seed in range(recipe["seed"], recipe["seed"] + 100):
        model = make_model(directory, recipe, seed, dtype)
        inputs = references(model, recipe, seed)
        if inputs:
            break
    else:
        raise SystemExit(f"{directory.name}: no seed gives safe margins")
    save_weights(directory, published(model, recipe), dtype, shards=1)
    loaded = model_class(config).from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    assert references(loaded, recipe, seed) == inputs, f"{directory.name}: names differ"
    write_reference(directory, {"kind": "encoder-decoder", "seed": seed, "inputs": inputs})


def model_class(config: dict) -> type:
    return getattr(transformers, config["architectures"][0])


def make_model(directory: Path, recipe: dict, seed: int, dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(seed)
    config = transformers.AutoConfig.from_pretrained(directory)
    model = model_class(recipe["config"])._from_config(config, dtype=torch.float32, attn_implementation="eager").eval()
    if recipe.get("own_head"):
        model.lm_head.weight = nn.Parameter(torch.empty_like(model.lm_head.weight))
    fill(model, seed, dtype, recipe.get("spread", SPREAD))
    for module in model.modules():
        if hasattr(module, "create_weight"):
            # Sines and cosines.
            values = module.create_weight()
            with torch.no_grad():
                module.weight.copy_(values.to(dtype).float() if recipe.get("stores_positions") else values)
    end = recipe["generation"]["eos_token_id"]
    with torch.no_grad():
        head = model.lm_head.weight
        head[end] = (LONG_END * head[end]).to(dtype).float()
    model.generation_config = transformers.GenerationConfig.from_pretrained(directory)
    if hasattr(model, "final_logits_bias"):
        generator = torch.Generator().manual_seed(seed + 1)
        noise = 0.5 * torch.randn(model.final_logits_bias.shape, generator=generator)
        model.final_logits_bias = noise.to(dtype).float()
    return model


def published(model: nn.Module, recipe: dict) -> dict[str, torch.Tensor]:
    """The tensors as they stand on the Hub: tied ones once."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tensors = load_file(Path(folder) / "model.safetensors")
    if recipe.get("own_head"):
        tensors["lm_head.weight"] = model.lm_head.weight.detach()
    return tensors


def rows_of(recipe: dict, seed: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(seed + 2)
    last = recipe["config"].get("decoder_vocab_size", recipe["config"]["vocab_size"]) - 1
    return [torch.randint(FIRST_TOKEN, last, (length,), generator=generator).tolist() for length in LENGTHS]


class Noise(LogitsProcessor):
    """As if the model had computed in another order."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        return scores + NOISE * (torch.rand(scores.shape, generator=self.generator) - 0.5)


def references(model: nn.Module, recipe: dict, seed: int) -> list[dict] | None:
    """None where a choice is too close, or where no search finds an answer that ends by itself."""
    inputs = []
    for row in rows_of(recipe, seed):
        inputs.append(reference(model, row))
        if inputs[-1] is None:
            return None
    eos = recipe["generation"]["eos_token_id"]
    ends = any(eos in one["beams"] and len(one["beams"]) < TOKENS for one in inputs)
    return inputs if ends and max(len(one["beams"]) for one in inputs) > 7 else None


def reference(model: nn.Module, row: list[int]) -> dict | None:
    """Every row alone. None where a choice is too close."""
    ids = torch.tensor([row])
    start = model.generation_config.decoder_start_token_id
    with torch.no_grad():
        states = model.get_encoder()(ids)[0][0]
        logits = model(input_ids=ids, decoder_input_ids=torch.tensor([[start]])).logits[0, -1]
        greedy = model.generate(
            ids,
            num_beams=1,
            do_sample=False,
            max_new_tokens=TOKENS,
            min_new_tokens=TOKENS,
            output_scores=True,
            return_dict_in_generate=True,
        )
        margins = [float(torch.diff(-torch.topk(scores[0], 2).values)) for scores in greedy.scores]
        tokens = greedy.sequences[0, 1:].tolist()
        if min(margins) < SMALLEST_MARGIN or len(set(tokens)) < FEWEST_DISTINCT:
            return None
        beams = search_is_safe(model, ids, {"max_new_tokens": TOKENS})
        if beams is None:
            return None
    return {
        "tokens": row,
        "encoderLastHiddenState": packed(states),
        "logits": packed(logits),
        "greedy": tokens,
        "beams": beams,
    }


def search_is_safe(model: nn.Module, ids: torch.Tensor, settings: dict) -> list[int] | None:
    """The tokens behind the start; None where a little noise would change them."""
    search = lambda **extra: model.generate(ids, do_sample=False, **settings, **extra)[0, 1:].tolist()
    tokens = search()
    for seed in range(4):
        if search(logits_processor=LogitsProcessorList([Noise(seed)])) != tokens:
            return None
    return tokens
