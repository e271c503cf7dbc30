"""How weights are made and how reference numbers are written."""

import base64

import numpy
import torch
from torch import nn


def fill(model: nn.Module, seed: int, dtype: torch.dtype, spread: dict[str, float]) -> None:
    """Gives every parameter seeded random numbers that `dtype` holds exactly, so that the file and the model agree.

    No norm weight is 1 and no bias is 0, so forgetting one shows. `spread` is the standard deviation by the first key
    that is part of the parameter's name.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name.lower() or ".ln_" in name:
                value = (1.0 + 0.2 * noise) if name.endswith("weight") else 0.2 * noise
            elif name.endswith("bias"):
                value = 0.2 * noise
            else:
                value = noise * next(scale for part, scale in spread.items() if part in name)
            parameter.copy_(value.to(dtype).float())


def packed(values: torch.Tensor) -> dict:
    """A float32 array as its shape and the base64 of its little-endian bytes."""
    array = values.detach().to(torch.float32).contiguous().numpy().astype("<f4")
    return {"shape": list(array.shape), "float32": base64.b64encode(array.tobytes()).decode("ascii")}


def rounded(values: torch.Tensor, digits: int = 5) -> list[float]:
    return [round(float(value), digits) for value in numpy.asarray(values)]
