import { type FileHandle, open } from "node:fs/promises";
import { fromFileSystem, HfmsError } from "../errors.js";
import { dequantize } from "./dequantize.js";
import { dtypeLayouts } from "./dtypes.js";
import type { MetadataValue, TensorInfo, WeightFile } from "./types.js";

export interface LocatedTensor extends TensorInfo {
  /** Bytes from the start of the file. Checked by the format: offset + byteLength is inside the file. */
  offset: number;
}

/** What a format knows after it has read and checked a header. */
export interface TensorTable {
  tensors: ReadonlyMap<string, LocatedTensor>;
  metadata: ReadonlyMap<string, MetadataValue>;
}

/** A file being read at positions: its size is that of the moment it was opened. */
export interface ByteSource {
  file: string;
  size: number;
  handle: FileHandle;
}

// One read call takes at most 2 GiB - 1 on Linux; half of that is safe everywhere.
const MAX_READ_BYTES = 1 << 30;
// Converted tensors pass through a buffer of this size, so that reading one costs its float32 size and little more.
const CONVERSION_BYTES = 4 << 20;

/** Opens `file`, lets the format read its header, and keeps the handle for the tensors. Closes it when that throws. */
export async function openTensorFile(
  file: string,
  readTable: (source: ByteSource) => Promise<TensorTable>,
): Promise<WeightFile> {
  const source = await openSource(file);
  try {
    return new TensorFile(source, await readTable(source));
  } catch (error) {
    await source.handle.close();
    throw error;
  }
}

export function corruptFile(file: string, what: string, cause?: unknown): HfmsError {
  return new HfmsError("corrupt_file", `${file} ${what}`, {
    hint: "the file is damaged or incomplete: remove it and download it again",
    cause,
  });
}

/** A name out of a file for a message: control characters escaped, and no longer than a line. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > MAX_QUOTED ? `${name.slice(0, MAX_QUOTED)}…` : name);
}

const MAX_QUOTED = 100;

/** Fills `target` from `position`. A file that ends earlier was cut while it was open: corrupt_file. */
export async function readExactly(source: ByteSource, target: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const length = Math.min(target.length - done, MAX_READ_BYTES);
    const { bytesRead } = await source.handle.read(target, done, length, position + done);
    if (bytesRead === 0) {
      throw corruptFile(
        source.file,
        `ends at byte ${position + done}, but was ${source.size} bytes when it was opened`,
      );
    }
    done += bytesRead;
  }
}

async function openSource(file: string): Promise<ByteSource> {
  let handle: FileHandle;
  try {
    handle = await open(file, "r");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new HfmsError("file_error", `there is no file ${file}`, { cause: error });
    }
    throw fromFileSystem(error, file);
  }
  const stat = await handle.stat();
  if (!stat.isFile()) {
    await handle.close();
    throw new HfmsError("file_error", `${file} is not a file`);
  }
  return { file, size: stat.size, handle };
}

class TensorFile implements WeightFile {
  readonly tensors: ReadonlyMap<string, LocatedTensor>;
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  private readonly source: ByteSource;
  private closing: Promise<void> | undefined;

  constructor(source: ByteSource, table: TensorTable) {
    this.source = source;
    this.tensors = table.tensors;
    this.metadata = table.metadata;
  }

  async readBytes(name: string, firstRow?: number, rows?: number): Promise<Uint8Array> {
    const span = this.locate(name, firstRow, rows);
    const bytes = allocateBytes(span.byteLength);
    await readExactly(this.source, bytes, span.offset);
    return bytes;
  }

  async readFloat32(name: string, firstRow?: number, rows?: number): Promise<Float32Array> {
    const { dtype, offset, byteLength } = this.locate(name, firstRow, rows);
    const layout = dtypeLayouts[dtype];
    const values = new Float32Array(allocateBytes((byteLength / layout.bytes) * layout.elements * 4).buffer);
    if (dtype === "F32") {
      await readExactly(this.source, new Uint8Array(values.buffer), offset);
      return values;
    }
    // Called before the first read too, so that a dtype without a conversion throws even for an empty tensor.
    dequantize(dtype, new Uint8Array(0), values.subarray(0, 0));
    const blocksPerStep = Math.floor(CONVERSION_BYTES / layout.bytes);
    const buffer = allocateBytes(Math.min(byteLength, blocksPerStep * layout.bytes));
    for (let done = 0, element = 0; done < byteLength; ) {
      const bytes = buffer.subarray(0, Math.min(buffer.length, byteLength - done));
      await readExactly(this.source, bytes, offset + done);
      const count = (bytes.length / layout.bytes) * layout.elements;
      dequantize(dtype, bytes, values.subarray(element, element + count));
      done += bytes.length;
      element += count;
    }
    return values;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closing ??= this.source.handle.close();
    await this.closing;
  }

  private locate(name: string, firstRow = 0, rows?: number): LocatedTensor {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) throw missingTensor(this.source.file, name, this.tensors.size);
    if (firstRow === 0 && rows === undefined) return tensor;
    const [allRows = 1] = tensor.shape;
    const count = rows ?? allRows - firstRow;
    const layout = dtypeLayouts[tensor.dtype];
    const rowLength = tensor.shape.slice(1).reduce((product, dimension) => product * dimension, 1);
    const isInside = firstRow >= 0 && count >= 0 && firstRow + count <= allRows;
    // Only a quantized vector can fail the second test: its "row" is one element of a block.
    if (
      !isInside ||
      (firstRow * rowLength) % layout.elements !== 0 ||
      (count * rowLength) % layout.elements !== 0
    ) {
      throw new HfmsError(
        "internal_error",
        `rows ${firstRow} to ${firstRow + count} can't be read from ${name} [${tensor.shape}] (${tensor.dtype})`,
      );
    }
    const bytesOf = (elements: number) => (elements / layout.elements) * layout.bytes;
    return {
      ...tensor,
      shape: [count, ...tensor.shape.slice(1)],
      offset: tensor.offset + bytesOf(firstRow * rowLength),
      byteLength: bytesOf(count * rowLength),
    };
  }
}

export function missingTensor(file: string, name: string, count: number): HfmsError {
  return new HfmsError("corrupt_file", `${file} has no tensor "${name}" among its ${count}`, {
    hint: "the weights and config.json must belong to the same model",
  });
}

/** Own memory (not the Buffer pool's), at offset 0, not zeroed: it is overwritten whole. */
function allocateBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
}
