"""Makes the goldens: tiny random models in Hub layout and what PyTorch says about them. See README.md."""

import argparse
from pathlib import Path

import torch

from recipes.decoders import make_decoder
from recipes.llama import LLAMA

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these goldens")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    recipes = {name: lambda directory, recipe=recipe: make_decoder(directory, recipe) for name, recipe in LLAMA.items()}
    for name in arguments.names or recipes:
        recipes[name](HERE / name)
        print(name, flush=True)


if __name__ == "__main__":
    main()
