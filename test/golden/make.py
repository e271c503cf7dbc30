"""Makes the goldens: tiny random models in Hub layout and what PyTorch says about them. See README.md."""

import argparse
import sys
from functools import partial
from pathlib import Path

import torch

sys.dont_write_bytecode = True

from recipes.classifiers import BERT_CLASSIFIERS, make_classifier
from recipes.decoders import make_decoder
from recipes.encoders import BERT, make_encoder
from recipes.gguf_decoder_types import TYPES as GGUF_DECODER_TYPES, make_gguf_type
from recipes.gguf_files import TYPES, make_gguf
from recipes.gpt2 import GPT2
from recipes.llama import LLAMA
from recipes.model_type_decoders import DECODER_TYPES, make_decoder_type
from recipes.model_type_encoder_decoders import ENCODER_DECODER_TYPES, make_encoder_decoder_type
from recipes.model_type_encoders import ENCODER_TYPES, make_encoder_type
from recipes.quantized_checkpoints import QUANTIZED_CHECKPOINTS, make_quantized_checkpoint
from recipes.pipelines import PIPELINES, make_pipeline
from recipes.real_weights import write_minilm, write_smollm2
from recipes.source_texts import SOURCE_TEXTS, make_source_texts

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these goldens")
    parser.add_argument("--minilm", type=Path, help="folder of all-MiniLM-L6-v2, to make minilm.json again")
    parser.add_argument("--smollm2", type=Path, help="SmolLM2-135M-Instruct.Q4_1.gguf, to make smollm2.json again")
    arguments = parser.parse_args()
    # One thread and no nondeterministic kernels: the same machine gives the same bits.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    makers = {name: partial(make_decoder, recipe=recipe) for name, recipe in {**LLAMA, **GPT2}.items()}
    makers |= {name: partial(make_encoder, recipe=recipe) for name, recipe in BERT.items()}
    makers |= {name: partial(make_classifier, recipe=recipe) for name, recipe in BERT_CLASSIFIERS.items()}
    makers |= {f"pipelines/{name}": partial(make_pipeline, recipe=recipe) for name, recipe in PIPELINES.items()}
    for name, recipe in ENCODER_TYPES.items():
        makers[f"model-types/{name}"] = partial(make_encoder_type, recipe=recipe)
    for name, recipe in DECODER_TYPES.items():
        makers[f"model-types/{name}"] = partial(make_decoder_type, recipe=recipe)
    for name, recipe in QUANTIZED_CHECKPOINTS.items():
        makers[f"model-types/{name}"] = partial(make_quantized_checkpoint, recipe=recipe)
    for name, recipe in ENCODER_DECODER_TYPES.items():
        makers[f"model-types/{name}"] = partial(make_encoder_decoder_type, recipe=recipe)
    makers |= {name: partial(make_source_texts, recipe=recipe) for name, recipe in SOURCE_TEXTS.items()}
    for name, how in GGUF_DECODER_TYPES.items():
        makers[f"model-types/{name}"] = lambda directory, how=how: make_gguf_type(directory, *how)
    for kind in TYPES:
        makers[f"llama-gguf-{kind}"] = partial(make_gguf, kind=kind, base=HERE / "llama-gqa")
    only_real = not arguments.names and (arguments.minilm or arguments.smollm2)
    for name in [] if only_real else arguments.names or makers:
        makers[name](HERE / name)
        print(name, flush=True)

    english = HERE / "english.txt"
    if arguments.minilm:
        write_minilm(HERE / "minilm.json", arguments.minilm, english)
        print("minilm.json", flush=True)
    if arguments.smollm2:
        write_smollm2(HERE / "smollm2.json", arguments.smollm2, english)
        print("smollm2.json", flush=True)


if __name__ == "__main__":
    main()
