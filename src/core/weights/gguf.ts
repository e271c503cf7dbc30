import { HfmsError } from "../errors.js";
import { tensorByteLength } from "./dtypes.js";
import { dtypeOfGgmlType, ggmlTypeNames, readableWeightTypes } from "./ggml-types.js";
import { type GgufHeader, type GgufTensorInfo, readGgufHeader } from "./gguf-header.js";
import { ggufParts } from "./gguf-parts.js";
import { openSplitGguf, refuseLonePart } from "./split-gguf.js";
import {
  type ByteSource,
  corruptFile,
  type LocatedTensor,
  openTensorFile,
  quoted,
  type TensorTable,
} from "./tensor-file.js";
import type { WeightFile, WeightFormat } from "./types.js";

/** A .gguf file, or all parts of a split one; versions 2 and 3, little endian. Format: ggml's docs/gguf.md. */
export const gguf = {
  name: "gguf",
  matches: (file) => file.endsWith(".gguf"),
  open: openGguf,
} satisfies WeightFormat;

async function openGguf(file: string): Promise<WeightFile> {
  const parts = ggufParts(file);
  if (parts.length > 1) return openSplitGguf(parts, (part) => openTensorFile(part, readGgufTable));
  return openTensorFile(file, async (source) => {
    const table = await readGgufTable(source);
    refuseLonePart(file, table.metadata);
    return table;
  });
}

const DEFAULT_ALIGNMENT = 32;
// Real files use 32; a memory page, 65,536 bytes at most, is the largest that makes sense.
const MAX_ALIGNMENT = 65_536;

/** Reads the header and checks that every tensor is inside the file. Throws as `openWeights` does. */
export async function readGgufTable(source: ByteSource): Promise<TensorTable> {
  const header = await readGgufHeader(source);
  const alignment = readAlignment(source.file, header);
  const dataStart = Math.ceil(header.end / alignment) * alignment;
  const tensors = new Map<string, LocatedTensor>();
  for (const info of header.tensors) {
    if (tensors.has(info.name))
      throw corruptFile(source.file, `is damaged: it has the tensor ${quoted(info.name)} twice`);
    tensors.set(info.name, locate(source, info, dataStart, alignment));
  }
  checkOverlap(source.file, tensors);
  return { tensors, metadata: header.metadata };
}

function readAlignment(file: string, { metadata }: GgufHeader): number {
  const alignment = metadata.get("general.alignment") ?? DEFAULT_ALIGNMENT;
  const isValid =
    typeof alignment === "number" && alignment > 0 && alignment <= MAX_ALIGNMENT && alignment % 8 === 0;
  if (!isValid) throw corruptFile(file, `is damaged: its general.alignment is ${alignment}`);
  return alignment;
}

function locate(
  source: ByteSource,
  info: GgufTensorInfo,
  dataStart: number,
  alignment: number,
): LocatedTensor {
  const { file, size } = source;
  const { name, type, offset } = info;
  const dtype = dtypeOfGgmlType(type);
  if (dtype === undefined) {
    const typeName = ggmlTypeNames[type] ?? `the unknown ggml type ${type}`;
    throw new HfmsError("unsupported_dtype", `${file} holds tensor ${quoted(name)} as ${typeName}`, {
      hint: `GGUF types that are read: ${readableWeightTypes.join(", ")}; take the model's Q8_0 file or its safetensors`,
    });
  }
  const shape = info.dimensions.toReversed();
  const byteLength = tensorByteLength(dtype, shape);
  if (typeof byteLength !== "number")
    throw corruptFile(file, `is damaged: tensor ${quoted(name)} ${byteLength.wrong}`);
  if (offset % alignment !== 0) {
    throw corruptFile(
      file,
      `is damaged: tensor ${quoted(name)} is at ${offset}, which is not a multiple of ${alignment}`,
    );
  }
  // Both are exact integers below 2^53, so their sum is at worst rounded, never small.
  if (dataStart + offset + byteLength > size) {
    throw corruptFile(
      file,
      `is cut off: it has ${size} bytes, tensor ${quoted(name)} ends at ${dataStart + offset + byteLength}`,
    );
  }
  return { name, dtype, shape, byteLength, offset: dataStart + offset };
}

function checkOverlap(file: string, tensors: Map<string, LocatedTensor>): void {
  const inOrder = [...tensors.values()].sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = 0;
  for (const tensor of inOrder) {
    if (tensor.offset < end) {
      throw corruptFile(
        file,
        `is damaged: tensor ${quoted(tensor.name)} at byte ${tensor.offset} overlaps the one before it`,
      );
    }
    end = tensor.offset + tensor.byteLength;
  }
}
