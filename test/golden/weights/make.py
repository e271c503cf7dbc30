"""Writes blocks.json, random-blocks.json, sample.safetensors and sample.gguf: storage bytes and the float32 values that the
reference packages read from them.  pip install numpy gguf safetensors ml_dtypes; python make.py"""

import base64
import hashlib
import json
from pathlib import Path

import gguf
import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

here = Path(__file__).parent
rng = np.random.default_rng(7)
rows, cols = 3, 64
values = (rng.standard_normal((rows, cols)) * 0.2).astype(np.float32)
values[1] += 0.5  # a row to one side of zero
values[2, :32] = 0  # a block of zeros


def words(array):
    """float32 as the hex of its little-endian bytes"""
    return np.ascontiguousarray(array, dtype="<f4").tobytes().hex()


golden = {"rows": rows, "cols": cols, "values": words(values), "types": {}}
for name in ["F16", "BF16", "Q4_0", "Q4_1", "Q8_0"]:
    kind = gguf.GGMLQuantizationType[name]
    stored = gguf.quantize(values, kind)
    read = gguf.dequantize(stored, kind)
    golden["types"][name] = {"bytes": np.ascontiguousarray(stored).tobytes().hex(), "values": words(read)}

# Every special half: zeros, subnormals, the largest, infinities.
halves = np.array([0, 0x8000, 1, 0x8001, 0x3FF, 0x400, 0x3C00, 0xC000, 0x7BFF, 0x7C00, 0xFC00], dtype="<u2")
golden["halves"] = {"bytes": halves.tobytes().hex(), "values": words(halves.view("<f2").astype(np.float32))}
(here / "blocks.json").write_text(json.dumps(golden, indent=1) + "\n")

# Blocks of any bytes, with the scales that matter: both zeros, subnormals, the largest half, infinity and NaN among them. By type:
# the bytes, and of each block the first 16 hex digits of the SHA-256 of its float32 values (NaN always 7fc00000).
HALF_SCALES = {  # where in a block its half-precision numbers are
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "IQ4_NL": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_XS": [0],
}  # fmt: skip
EXTREMES = [0, 0x8000, 1, 0x8001, 0x3FF, 0x83FF, 0x400, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00]
BLOCKS = 40


def digest(block):
    settled = np.where(np.isnan(block), np.float32("nan"), block).astype("<f4")
    return hashlib.sha256(settled.tobytes()).hexdigest()[:16]


rng = np.random.default_rng(11)
random_blocks = {}
for name, places in HALF_SCALES.items():
    kind = gguf.GGMLQuantizationType[name]
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    stored = rng.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
    for number, place in enumerate(places):
        scales = rng.normal(0, 0.02, BLOCKS).astype("<f2").view("<u2")
        # The second number meets every extreme with a plain first one, and the other way round, and then both are extreme.
        first = number * len(EXTREMES)
        scales[first : first + len(EXTREMES)] = EXTREMES
        scales[-len(EXTREMES) :] = rng.permutation(EXTREMES)
        stored[:, place : place + 2] = scales.view(np.uint8).reshape(BLOCKS, 2)
    # Codes and scales that are all ones or all zeros, beside plain numbers.
    plain = BLOCKS - len(EXTREMES) - 2
    for row, byte in [(plain, 0), (plain + 1, 255)]:
        keep = [stored[row, place : place + 2].copy() for place in places]
        stored[row] = byte
        for place, half in zip(places, keep):
            stored[row, place : place + 2] = half
    with np.errstate(invalid="ignore"):
        read = gguf.dequantize(stored, kind).reshape(BLOCKS, elements)
    random_blocks[name] = {"bytes": base64.b64encode(stored.tobytes()).decode(), "digests": [digest(block) for block in read]}
(here / "random-blocks.json").write_text(json.dumps(random_blocks, indent=1) + "\n")

save_file(
    {
        "f32": values,
        "f16": values.astype(np.float16),
        "bf16": values.astype(ml_dtypes.bfloat16),
        "f64": values.astype(np.float64),
        "i64": np.arange(5, dtype=np.int64),
        "mask": np.array([True, False]),
        "scalar": np.array(2.5, dtype=np.float32),
        "empty": np.zeros((0, 4), dtype=np.float32),
    },
    here / "sample.safetensors",
    metadata={"format": "pt"},
)

writer = gguf.GGUFWriter(here / "sample.gguf", "llama")
writer.add_uint8("test.uint8", 200)
writer.add_int8("test.int8", -100)
writer.add_uint16("test.uint16", 60_000)
writer.add_int16("test.int16", -30_000)
writer.add_uint32("test.uint32", 4_000_000_000)
writer.add_int32("test.int32", -2_000_000_000)
writer.add_float32("test.float32", 0.5)
writer.add_float64("test.float64", 0.1)
writer.add_uint64("test.uint64", 2**53 + 1)
writer.add_int64("test.int64", -5)
writer.add_bool("test.bool", True)
writer.add_array("test.tokens", ["<s>", "Ġhello", "🙂", ""])
writer.add_array("test.scores", [0.25, -1.5])
writer.add_array("test.types", [1, 3, 6])
writer.add_tensor("f32", values)
writer.add_tensor("f16", values.astype(np.float16))
for name in ["Q4_0", "Q4_1", "Q8_0"]:
    kind = gguf.GGMLQuantizationType[name]
    writer.add_tensor(name.lower(), gguf.quantize(values, kind), raw_dtype=kind)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
