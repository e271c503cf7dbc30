"""Exports a BERT in Hub layout to the ONNX file that transformers.js loads: python export_minilm.py models/minilm

The Hub carries such files ready-made (onnx/model.onnx, written by optimum). This makes the same graph where the Hub is out
of reach: input_ids, attention_mask and token_type_ids [batch, sequence] to last_hidden_state [batch, sequence, hidden].
"""

import sys
import warnings
from pathlib import Path

import torch
from transformers import AutoModel

warnings.filterwarnings("ignore")


class LastHiddenState(torch.nn.Module):
    """Positional arguments and one tensor out, which is what the exporter traces."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        # A mask that is already [batch, 1, 1, sequence] and additive: transformers leaves such a mask as it is, so that
        # no branch on the mask's content is frozen into the graph. optimum's exports compute it by the same three operators.
        additive = (1.0 - attention_mask[:, None, None, :].to(torch.float32)) * torch.finfo(torch.float32).min
        return self.model(
            input_ids=input_ids, attention_mask=additive, token_type_ids=token_type_ids
        ).last_hidden_state


def main(directory: Path) -> None:
    model = LastHiddenState(AutoModel.from_pretrained(directory, attn_implementation="eager").eval().float())
    names = ["input_ids", "attention_mask", "token_type_ids"]
    ids = torch.randint(1000, 2000, (2, 16))
    inputs = (ids, torch.ones_like(ids), torch.zeros_like(ids))
    target = directory / "onnx" / "model.onnx"
    target.parent.mkdir(exist_ok=True)
    with torch.no_grad():
        torch.onnx.export(
            model,
            inputs,
            str(target),
            dynamo=False,
            opset_version=17,
            input_names=names,
            output_names=["last_hidden_state"],
            dynamic_axes={name: {0: "batch_size", 1: "sequence_length"} for name in [*names, "last_hidden_state"]},
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
