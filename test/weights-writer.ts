import { writeFile } from "node:fs/promises";
import { type DtypeLayout, dtypeLayouts } from "../src/core/weights/dtypes.js";
import { ggmlTypeNames } from "../src/core/weights/ggml-types.js";
import type { TensorDtype } from "../src/core/weights/types.js";

/** A tensor to write: `shape` row-major as PyTorch says it, `data` its little-endian storage (a Float32Array for F32, …). */
export interface TensorToWrite {
  dtype: TensorDtype;
  shape: number[];
  data: ArrayBufferView;
}

/** Writes a .safetensors file with the tensors in the order given. */
export async function writeSafetensors(
  path: string,
  tensors: Record<string, TensorToWrite>,
  metadata?: Record<string, string>,
): Promise<void> {
  await writeFile(path, safetensorsBytes(tensors, metadata));
}

export function safetensorsBytes(
  tensors: Record<string, TensorToWrite>,
  metadata?: Record<string, string>,
): Uint8Array {
  const header: Record<string, unknown> = metadata === undefined ? {} : { __metadata__: metadata };
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const bytes = bytesOf(name, tensor);
    header[name] = {
      dtype: tensor.dtype,
      shape: tensor.shape,
      data_offsets: [offset, offset + bytes.length],
    };
    parts.push(bytes);
    offset += bytes.length;
  }
  return rawSafetensors(JSON.stringify(header), Buffer.concat(parts));
}

/** A .safetensors file around any header text, valid or not: for tests of damaged files. */
export function rawSafetensors(header: string, data: Uint8Array): Uint8Array {
  const text = Buffer.from(header);
  // The reference writer pads the header with spaces, so that the tensors begin at a multiple of 8.
  const padded = Buffer.concat([text, Buffer.from(" ".repeat((8 - (text.length % 8)) % 8))]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, data]);
}

export type GgufType = keyof typeof ggufTypes;
export type GgufScalar = string | number | bigint | boolean;
/** A bare value gets the type that fits: uint32 or int32, float32 for fractions, uint64 for bigints; `{ type, value }` says it. */
export type GgufValue = GgufScalar | GgufValue[] | { type: GgufType; value: GgufScalar | GgufScalar[] };

/** Writes a .gguf file (version 3, little endian). `general.alignment` in `keyValues` is honoured. */
export async function writeGguf(
  path: string,
  keyValues: Record<string, GgufValue>,
  tensors: Record<string, TensorToWrite>,
): Promise<void> {
  await writeFile(path, ggufBytes(keyValues, tensors));
}

export function ggufBytes(
  keyValues: Record<string, GgufValue>,
  tensors: Record<string, TensorToWrite>,
  version = 3,
): Uint8Array {
  const alignment = typeof keyValues["general.alignment"] === "number" ? keyValues["general.alignment"] : 32;
  const head: Uint8Array[] = [
    Buffer.from("GGUF"),
    scalar("uint32", version),
    scalar("uint64", Object.keys(tensors).length),
    scalar("uint64", Object.keys(keyValues).length),
  ];
  for (const [key, value] of Object.entries(keyValues)) head.push(text(key), typedValue(value));
  const body: Uint8Array[] = [];
  let offset = 0;
  for (const [name, tensor] of Object.entries(tensors)) {
    const bytes = bytesOf(name, tensor);
    head.push(text(name), scalar("uint32", tensor.shape.length));
    for (const dimension of tensor.shape.toReversed()) head.push(scalar("uint64", dimension));
    head.push(scalar("uint32", ggmlTypeOf(tensor.dtype)), scalar("uint64", offset));
    const padding = (alignment - (bytes.length % alignment)) % alignment;
    body.push(bytes, Buffer.alloc(padding));
    offset += bytes.length + padding;
  }
  const header = Buffer.concat(head);
  return Buffer.concat([
    header,
    Buffer.alloc((alignment - (header.length % alignment)) % alignment),
    ...body,
  ]);
}

const ggufTypes = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const;

function typedValue(value: GgufValue): Uint8Array {
  if (Array.isArray(value)) {
    const type = typeOf(value[0] ?? 0);
    const items = value.map((item) => typedValue(item).subarray(4));
    return Buffer.concat([scalar("uint32", ggufTypes.array), arrayHead(type, value.length), ...items]);
  }
  const { type, value: inner } = typeof value === "object" ? value : { type: typeOf(value), value };
  if (!Array.isArray(inner)) return Buffer.concat([scalar("uint32", ggufTypes[type]), scalar(type, inner)]);
  const items = inner.map((item) => scalar(type, item));
  return Buffer.concat([scalar("uint32", ggufTypes.array), arrayHead(type, inner.length), ...items]);
}

function typeOf(value: GgufValue): GgufType {
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "uint64";
  if (typeof value === "number") return !Number.isInteger(value) ? "float32" : value < 0 ? "int32" : "uint32";
  return Array.isArray(value) ? "array" : value.type;
}

function arrayHead(type: GgufType, length: number): Uint8Array {
  return Buffer.concat([scalar("uint32", ggufTypes[type]), scalar("uint64", length)]);
}

function scalar(type: GgufType, value: GgufScalar): Uint8Array {
  if (type === "string") return text(String(value));
  const bytes = Buffer.alloc(8);
  const number = Number(value);
  switch (type) {
    case "uint8":
    case "bool":
      return bytes.subarray(0, bytes.writeUInt8(number));
    case "int8":
      return bytes.subarray(0, bytes.writeInt8(number));
    case "uint16":
      return bytes.subarray(0, bytes.writeUInt16LE(number));
    case "int16":
      return bytes.subarray(0, bytes.writeInt16LE(number));
    case "uint32":
      return bytes.subarray(0, bytes.writeUInt32LE(number));
    case "int32":
      return bytes.subarray(0, bytes.writeInt32LE(number));
    case "float32":
      return bytes.subarray(0, bytes.writeFloatLE(number));
    case "float64":
      return bytes.subarray(0, bytes.writeDoubleLE(number));
    case "uint64":
      return bytes.subarray(0, bytes.writeBigUInt64LE(BigInt(value)));
    case "int64":
      return bytes.subarray(0, bytes.writeBigInt64LE(BigInt(value)));
    default:
      throw new TypeError(`an ${type} is no scalar`);
  }
}

function text(value: string): Uint8Array {
  const bytes = Buffer.from(value);
  return Buffer.concat([scalar("uint64", bytes.length), bytes]);
}

function ggmlTypeOf(dtype: TensorDtype): number {
  const entry = Object.entries(ggmlTypeNames).find(([, name]) => name === dtype);
  if (entry === undefined) throw new TypeError(`GGUF has no ${dtype}`);
  return Number(entry[0]);
}

function bytesOf(name: string, { dtype, shape, data }: TensorToWrite): Uint8Array {
  const layout: DtypeLayout = dtypeLayouts[dtype];
  const expected = (shape.reduce((product, n) => product * n, 1) / layout.elements) * layout.bytes;
  if (data.byteLength !== expected) {
    throw new TypeError(`${name}: ${dtype} [${shape}] takes ${expected} bytes, not ${data.byteLength}`);
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
