import { HfmsError } from "../errors.js";
import { tensorByteLength } from "./dtypes.js";
import {
  type ByteSource,
  corruptFile,
  type LocatedTensor,
  openTensorFile,
  quoted,
  readExactly,
  type TensorTable,
} from "./tensor-file.js";
import type { MetadataValue, TensorDtype, WeightFormat } from "./types.js";

/**
 * One .safetensors file: 8 bytes of header length (u64, little endian), the header as JSON, the tensors' bytes.
 * Format: https://github.com/huggingface/safetensors#format.
 */
export const safetensors = {
  name: "safetensors",
  matches: (file) => file.endsWith(".safetensors"),
  open: (file) => openTensorFile(file, readSafetensorsTable),
} satisfies WeightFormat;

/** Same cap as @huggingface/hub and about a quarter of the reference implementation's; real headers are below 1 MB. */
export const MAX_HEADER_BYTES = 25_000_000;
// PyTorch itself has 64 at most.
const MAX_DIMENSIONS = 64;

const plainDtypes = [
  "F64",
  "F32",
  "F16",
  "BF16",
  "F8_E4M3",
  "F8_E5M2",
  "F8_E8M0",
  "I64",
  "I32",
  "I16",
  "I8",
  "U64",
  "U32",
  "U16",
  "U8",
  "BOOL",
] as const satisfies TensorDtype[];

/** Reads the header and checks that the tensors fill the file. Throws as `openWeights` does. */
export async function readSafetensorsTable(source: ByteSource): Promise<TensorTable> {
  const { header, dataStart } = await readHeader(source);
  const metadata = new Map<string, MetadataValue>();
  const tensors = new Map<string, LocatedTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") readMetadata(source.file, entry, metadata);
    else tensors.set(name, readEntry(source.file, name, entry, dataStart));
  }
  checkCoverage(source, tensors, dataStart);
  return { tensors, metadata };
}

async function readHeader(source: ByteSource): Promise<{ header: object; dataStart: number }> {
  const { file, size } = source;
  if (size < 8) throw corruptFile(file, `is ${size} bytes long, too short for safetensors`);
  const prefix = new Uint8Array(8);
  await readExactly(source, prefix, 0);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(size - 8)) {
    throw corruptFile(
      file,
      `says that its header has ${length} bytes, but the file has only ${size - 8} after it`,
    );
  }
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw corruptFile(file, `says that its header has ${length} bytes; the limit is ${MAX_HEADER_BYTES}`);
  }
  const bytes = new Uint8Array(Number(length));
  await readExactly(source, bytes, 8);
  return { header: parseHeader(file, bytes), dataStart: 8 + bytes.length };
}

function parseHeader(file: string, bytes: Uint8Array): object {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw corruptFile(file, "has a header that is not JSON", cause);
  }
  if (!isObject(header)) throw corruptFile(file, "has a header that is not a JSON object");
  return header;
}

function readMetadata(file: string, entry: unknown, into: Map<string, MetadataValue>): void {
  if (!isObject(entry)) throw corruptFile(file, "has a __metadata__ that is not an object");
  for (const [key, value] of Object.entries(entry)) {
    if (typeof value !== "string")
      throw corruptFile(file, `has a __metadata__ value that is not text: ${quoted(key)}`);
    into.set(key, value);
  }
}

function readEntry(file: string, name: string, entry: unknown, dataStart: number): LocatedTensor {
  const corrupt = (what: string) => corruptFile(file, `is damaged: tensor ${quoted(name)} ${what}`);
  if (!isObject(entry)) throw corrupt("has no description");
  const { dtype, shape, data_offsets: offsets } = entry as Record<string, unknown>;
  if (typeof dtype !== "string") throw corrupt("has no dtype");
  if (!isPlainDtype(dtype)) {
    throw new HfmsError("unsupported_dtype", `${file} holds tensor ${quoted(name)} as ${quoted(dtype)}`, {
      hint: `safetensors types that are read: ${plainDtypes.join(", ")}`,
    });
  }
  if (!isNumbers(shape) || shape.length > MAX_DIMENSIONS) throw corrupt("has no valid shape");
  if (!isNumbers(offsets) || offsets.length !== 2) throw corrupt("has no valid data_offsets");
  const byteLength = tensorByteLength(dtype, shape);
  if (typeof byteLength !== "number") throw corrupt(byteLength.wrong);
  const [start, end] = offsets;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw corrupt(`has data_offsets [${start}, ${end}]`);
  }
  if (end - start !== byteLength) {
    throw corrupt(
      `takes ${byteLength} bytes as ${dtype} [${shape}], but its data_offsets span ${end - start}`,
    );
  }
  return { name, dtype, shape, byteLength, offset: dataStart + start };
}

/** The format allows neither holes nor overlaps: sorted by offset, the tensors tile the rest of the file. */
function checkCoverage(
  { file, size }: ByteSource,
  tensors: Map<string, LocatedTensor>,
  dataStart: number,
): void {
  const inOrder = [...tensors.values()].sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const tensor of inOrder) {
    if (tensor.offset !== end) {
      const what = tensor.offset < end ? "overlaps the one before it" : "leaves a hole before it";
      throw corruptFile(file, `is damaged: tensor ${quoted(tensor.name)} at byte ${tensor.offset} ${what}`);
    }
    end += tensor.byteLength;
  }
  if (end > size) throw corruptFile(file, `is cut off: it has ${size} bytes, its tensors need ${end}`);
  if (end < size) throw corruptFile(file, `has ${size - end} bytes after its last tensor`);
}

function isPlainDtype(dtype: string): dtype is (typeof plainDtypes)[number] {
  return (plainDtypes as readonly string[]).includes(dtype);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}
