import type { EmbedEvent, ReadyEvent } from "../core/index.js";
import { toJson } from "./json.js";
import type { Target } from "./output.js";

export const vectorFormats = ["jsonl", "json", "csv", "npy", "base64"] as const;
export type VectorFormat = (typeof vectorFormats)[number];

type EmbeddingEvent = Extract<EmbedEvent, { type: "embedding" }>;
type DoneEvent = Extract<EmbedEvent, { type: "done" }>;

/** Writes vectors in one format, one after the other and in order. */
export interface VectorWriter {
  add(event: EmbeddingEvent): Promise<void>;
  end(ready: ReadyEvent, done: DoneEvent): Promise<void>;
}

export function vectorWriter(format: VectorFormat, target: Target): VectorWriter {
  if (format === "npy") return npyWriter(target);
  if (format === "json") return documentWriter(target);
  const line = lines[format];
  return { add: (event) => target.write(line(event)), end: async () => {} };
}

const lines = {
  jsonl: ({ index, embedding, truncated }) =>
    `{"index":${index},"embedding":[${decimals(embedding)}]${truncated ? ',"truncated":true' : ""}}\n`,
  csv: ({ embedding }) => `${decimals(embedding)}\n`,
  base64: ({ index, embedding }) =>
    `{"index":${index},"embedding":"${Buffer.from(bytesOf(embedding)).toString("base64")}"}\n`,
} as const satisfies Record<string, (event: EmbeddingEvent) => string>;

/** One JSON document, what `embed --json` prints. */
function documentWriter(target: Target): VectorWriter {
  const embeddings: { index: number; embedding: number[]; tokens: number; truncated?: boolean }[] = [];
  return {
    async add({ type: _, embedding, ...rest }) {
      embeddings.push({ ...rest, embedding: JSON.parse(`[${decimals(embedding)}]`) });
    },
    async end(ready, { usage, timings }) {
      const { model, revision, task, device, dtype } = ready;
      const dimensions = embeddings[0]?.embedding.length ?? 0;
      const document = { model, revision, task, device, dtype, dimensions, embeddings, usage, timings };
      await target.write(`${toJson(document)}\n`);
    },
  };
}

/** NumPy's .npy, version 1.0: a float32 matrix, a row a vector. Its first bytes hold the row count, known at the end. */
function npyWriter(target: Target): VectorWriter {
  const kept: Float32Array[] = [];
  let rows = 0;
  let columns = 0;
  return {
    async add({ embedding }) {
      if (rows++ === 0) {
        columns = embedding.length;
        if (target.rewrite) await target.write(npyHeader(0, columns));
      }
      if (target.rewrite) await target.write(bytesOf(embedding));
      else kept.push(embedding);
    },
    async end() {
      if (target.rewrite) return target.rewrite(npyHeader(rows, columns));
      await target.write(npyHeader(rows, columns));
      for (const vector of kept) await target.write(bytesOf(vector));
    },
  };
}

/** 128 bytes whatever the shape, as numpy.lib.format writes them: magic, version, length, a Python literal, blanks. */
export function npyHeader(rows: number, columns: number): Uint8Array {
  const literal = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`;
  const header = Buffer.alloc(128, " ");
  header.set([0x93, ...Buffer.from("NUMPY"), 1, 0, 118, 0]);
  header.write(literal, 10, "latin1");
  header[127] = 0x0a;
  return header;
}

/** Comma-separated, the shortest decimals that give the same float32 back. */
export function decimals(vector: Float32Array): string {
  const texts = new Array<string>(vector.length);
  for (let i = 0; i < vector.length; i++) texts[i] = shortest(vector[i]);
  return texts.join(",");
}

function shortest(value: number): string {
  for (let digits = 7; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}

/** Little-endian, as every machine is that hfms runs on. */
function bytesOf(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}
