import { HfmsError } from "../errors.js";
import { GgufWindow } from "./gguf-window.js";
import { type ByteSource, corruptFile, quoted } from "./tensor-file.js";
import type { MetadataValue } from "./types.js";

export interface GgufHeader {
  version: number;
  metadata: Map<string, MetadataValue>;
  tensors: GgufTensorInfo[];
  /** Where the header ends; the tensors' bytes begin at the next multiple of the alignment. */
  end: number;
}

export interface GgufTensorInfo {
  name: string;
  /** Dimensions as the file has them: the innermost (contiguous) first. */
  dimensions: number[];
  /** enum ggml_type */
  type: number;
  /** From the start of the tensor data. */
  offset: number;
}

// Files in the wild have 20-80 key-values.
const MAX_KEY_VALUES = 65_536;
// The largest mixture-of-experts models have some ten thousand tensors.
const MAX_TENSORS = 1_000_000;
// Vocabularies have up to 300,000 tokens and about as many merges.
const MAX_ARRAY_LENGTH = 16_000_000;
// The largest known strings are whole tokenizer.json files (`tokenizer.huggingface.json`), up to 35 MB.
const MAX_STRING_BYTES = 64_000_000;
// The specification's limit for keys. Tensor names should have 64 at most, but image models' tools write longer ones.
const MAX_NAME_BYTES = 65_535;
// GGML_MAX_DIMS
const MAX_DIMENSIONS = 4;
// Nobody nests arrays deeper than two; each level is a call on the stack.
const MAX_NESTING = 8;
// A key-value takes a key (8 + 1), a type (4) and a value (1); a tensor a name (8), a count, a type (4 + 4), an offset (8).
const MIN_KEY_VALUE_BYTES = 14;
const MIN_TENSOR_BYTES = 24;

const littleEndianMagic = 0x4655_4747; // "GGUF"

/**
 * Reads and checks everything before the tensor data. Format: ggml's docs/gguf.md, versions 2 and 3, little endian.
 * 64-bit integers come out as numbers where those are exact, else as bigints. Throws corrupt_file, and unsupported_model for
 * other versions and byte orders.
 */
export async function readGgufHeader(source: ByteSource): Promise<GgufHeader> {
  const { file } = source;
  const window = new GgufWindow(source);
  const { version, tensorCount, keyValueCount } = await window.readItem("the preamble", () =>
    readPreamble(file, window),
  );
  const metadata = new Map<string, MetadataValue>();
  for (let i = 0; i < keyValueCount; i++) {
    const field = `key ${i + 1} of ${keyValueCount}`;
    const { key, value } = await window.readItem(field, () => readKeyValue(window));
    if (metadata.has(key)) throw corruptFile(file, `is damaged: it has the key ${quoted(key)} twice`);
    metadata.set(key, value);
  }
  window.expectItems(tensorCount, MIN_TENSOR_BYTES, "tensors");
  const tensors: GgufTensorInfo[] = [];
  for (let i = 0; i < tensorCount; i++) {
    tensors.push(await window.readItem(`tensor ${i + 1} of ${tensorCount}`, () => readTensorInfo(window)));
  }
  return { version, metadata, tensors, end: window.position };
}

function readPreamble(file: string, window: GgufWindow) {
  if (window.u32() !== littleEndianMagic)
    throw corruptFile(file, 'is not a GGUF file: it does not begin with "GGUF"');
  const version = window.u32();
  // The version is small, so a file of the other byte order shows itself here: its low 16 bits are zero.
  if (version !== 0 && (version & 0xffff) === 0) {
    throw new HfmsError("unsupported_model", `${file} is a big-endian GGUF file`, {
      hint: "convert it to little endian, or take the little-endian file of the same model",
    });
  }
  if (version !== 2 && version !== 3) {
    throw new HfmsError(
      "unsupported_model",
      `${file} is GGUF version ${version}; versions 2 and 3 are read`,
      {
        hint: "convert the model again with a current llama.cpp",
      },
    );
  }
  const tensorCount = window.size();
  const keyValueCount = window.size();
  if (tensorCount > MAX_TENSORS) window.fail(`has ${tensorCount} tensors; the limit is ${MAX_TENSORS}`);
  if (keyValueCount > MAX_KEY_VALUES)
    window.fail(`has ${keyValueCount} keys; the limit is ${MAX_KEY_VALUES}`);
  window.expectItems(tensorCount, MIN_TENSOR_BYTES, "tensors");
  window.expectItems(keyValueCount, MIN_KEY_VALUE_BYTES, "keys");
  return { version, tensorCount, keyValueCount };
}

function readKeyValue(window: GgufWindow): { key: string; value: MetadataValue } {
  const key = window.string(MAX_NAME_BYTES);
  window.name(`key ${quoted(key)}`);
  return { key, value: readValue(window, window.u32(), 0) };
}

// enum gguf_metadata_value_type
const UINT8 = 0;
const INT8 = 1;
const UINT16 = 2;
const INT16 = 3;
const UINT32 = 4;
const INT32 = 5;
const FLOAT32 = 6;
const BOOL = 7;
const STRING = 8;
const ARRAY = 9;
const UINT64 = 10;
const INT64 = 11;
const FLOAT64 = 12;
const valueBytes = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8];

function readValue(window: GgufWindow, type: number, depth: number): MetadataValue {
  switch (type) {
    case UINT8:
      return window.u8();
    case INT8:
      return (window.u8() << 24) >> 24;
    case UINT16:
      return window.u16();
    case INT16:
      return (window.u16() << 16) >> 16;
    case UINT32:
      return window.u32();
    case INT32:
      return window.u32() | 0;
    case FLOAT32:
      return window.f32();
    case BOOL:
      return readBool(window);
    case STRING:
      return window.string(MAX_STRING_BYTES);
    case ARRAY:
      return readArray(window, depth);
    case UINT64:
      return exactNumber(window.u64());
    case INT64:
      return exactNumber(BigInt.asIntN(64, window.u64()));
    case FLOAT64:
      return window.f64();
    default:
      return window.fail(`has a value of the unknown type ${type}`);
  }
}

function readArray(window: GgufWindow, depth: number): MetadataValue[] {
  if (depth >= MAX_NESTING) window.fail(`has arrays nested more than ${MAX_NESTING} deep`);
  const type = window.u32();
  const length = window.size();
  if (type >= valueBytes.length) window.fail(`has an array of the unknown type ${type}`);
  if (length > MAX_ARRAY_LENGTH)
    window.fail(`has an array of ${length} values; the limit is ${MAX_ARRAY_LENGTH}`);
  window.expectItems(length, valueBytes[type], "array values");
  if (type === STRING) return readStrings(window, length);
  const values: MetadataValue[] = [];
  for (let i = 0; i < length; i++) values.push(readValue(window, type, depth + 1));
  return values;
}

// Its own loop, because vocabularies are most of a header: hundreds of thousands of short strings.
function readStrings(window: GgufWindow, length: number): string[] {
  const values: string[] = [];
  for (let i = 0; i < length; i++) values.push(window.string(MAX_STRING_BYTES));
  return values;
}

function readBool(window: GgufWindow): boolean {
  const value = window.u8();
  if (value > 1) window.fail(`has a boolean with the value ${value}`);
  return value === 1;
}

function exactNumber(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function readTensorInfo(window: GgufWindow): GgufTensorInfo {
  const name = window.string(MAX_NAME_BYTES);
  window.name(`tensor ${quoted(name)}`);
  const rank = window.u32();
  if (rank > MAX_DIMENSIONS) window.fail(`has ${rank} dimensions; the limit is ${MAX_DIMENSIONS}`);
  const dimensions: number[] = [];
  for (let i = 0; i < rank; i++) dimensions.push(window.size());
  return { name, dimensions, type: window.u32(), offset: window.size() };
}
