"""Makes the goldens: tiny random models in Hub layout and what PyTorch says about them. See README.md."""

import argparse
import sys
from functools import partial
from pathlib import Path

import torch

sys.dont_write_bytecode = True

from recipes.decoders import make_decoder
from recipes.encoders import BERT, make_encoder
from recipes.gguf_files import TYPES, make_gguf
from recipes.gpt2 import GPT2
from recipes.llama import LLAMA

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these goldens")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    makers = {name: partial(make_decoder, recipe=recipe) for name, recipe in {**LLAMA, **GPT2}.items()}
    makers |= {name: partial(make_encoder, recipe=recipe) for name, recipe in BERT.items()}
    for kind in TYPES:
        makers[f"llama-gguf-{kind}"] = partial(make_gguf, kind=kind, base=HERE / "llama-gqa")
    for name in arguments.names or makers:
        makers[name](HERE / name)
        print(name, flush=True)


if __name__ == "__main__":
    main()
