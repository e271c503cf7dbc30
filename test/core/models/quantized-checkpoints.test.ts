import path from "node:path";
import { describe, expect, it } from "vitest";
import { readModel } from "../../../src/core/convert.js";
import { matrixFormat } from "../../../src/core/dtype.js";
import { GraphBuilder, type WeightStream } from "../../../src/core/graph/builder.js";
import type { BlockFormat, ModelWeights } from "../../../src/core/graph/model-weights.js";
import { openWeights } from "../../../src/core/weights/index.js";
import { dequantizeBlocks } from "../../../src/core/weights/quantized-blocks.js";
import { type DecoderTypeReference, modelTypeGoldens } from "../../golden/model-types.js";
import { cosine, graphsFolder, tinyDecoder, tinyGraph } from "../../tiny-model.js";

const graphs = graphsFolder();
const goldens = modelTypeGoldens<DecoderTypeReference>("decoder");

/** Checkpoints that PyTorch runs from the same values, by what `auto` makes of them. */
const kept = [
  ["llama-gptq", "int4", "the file's 4-bit blocks are kept as they are"],
  ["llama-gptq-apart", "int4", "the file's 4-bit blocks are kept as they are"],
  ["llama-gptq-v2", "int4", "the file's 4-bit blocks are kept as they are"],
  ["llama-awq", "int4", "the file's 4-bit blocks are kept as they are"],
  ["llama-w4a16", "int4", "the file's 4-bit blocks are kept as they are"],
  ["llama-gptq-int8", "int8", "the file's 8-bit blocks are kept as they are"],
  ["llama-w8a8", "int8", "the file's 8-bit blocks are kept as they are"],
] as const;

describe.each(kept)("%s", (name, dtype, reason) => {
  const { source, reference } = checkpoint(name);

  it(`becomes ${dtype} by itself, and says why`, async () => {
    const { manifest } = await tinyGraph(source, { root: graphs(), dtype: "auto" });
    expect(manifest).toMatchObject({ dtype, dtypeReason: reason, parameters: parametersOf(name) });
  });

  // Eight bits that are asked to be four lose what four bits lose.
  const lossless = dtype === "int4" ? (["int4", "int8"] as const) : (["int8"] as const);

  it.each(lossless)("stays close to PyTorch in %s", async (asked) => {
    const decoder = await tinyDecoder(source, { root: graphs(), dtype: asked });
    for (const { tokens, logits } of reference.prompts) {
      decoder.truncate(0);
      expect(cosine(await decoder.append(tokens), logits.values)).toBeGreaterThan(0.98);
    }
  });

  it.each(lossless)("has in the graph in %s what the file says, bit by bit", async (asked) => {
    let products = 0;
    for await (const { read, blocks, expected } of blocksOf(name, asked)) {
      // The table and the head are quantized by hfms: they are plain numbers in the file.
      if (/embed_tokens|lm_head/.test(read)) continue;
      expect(blocks).toEqual(expected);
      products++;
    }
    // Of both layers q, k and v; the output; gate and up, which int8 keeps in fp32 in the last layer; down.
    const apart = name === "llama-gptq-apart" ? { int4: 14, int8: 12 } : { int4: 8, int8: 7 };
    expect(products).toBe(apart[asked]);
  });
});

describe.each(["llama-fp8", "llama-fp8-channels"])("%s", (name) => {
  it("is quantized by its size, like unquantized weights", async () => {
    const { source } = checkpoint(name);
    const { manifest } = await tinyGraph(source, { root: graphs(), dtype: "auto" });
    expect(manifest).toMatchObject({ dtype: "int8", parameters: parametersOf(name) });
    expect(manifest.dtypeReason).toMatch(/parameters: int8 stays within/);
  });
});

function checkpoint(name: string) {
  const found = goldens.find((golden) => golden.name === name);
  if (!found) throw new RangeError(`there is no golden ${name}`);
  const source = {
    ...{ model: `golden/${name}`, revision: "0".repeat(40), source: "local" as const },
    ...{ directory: found.directory, weights: "model.safetensors" },
  };
  return { source, reference: found.reference };
}

/** Weights of a llama of these sizes, whatever they are packed in. */
function parametersOf(name: string): number {
  const [hidden, inner, vocabulary, layers] = [64, 96, 80, 2];
  const kv = name === "llama-fp8" ? 16 : 32;
  const biases = name === "llama-awq" ? hidden + 2 * kv + hidden : 0;
  const layer = 2 * hidden * hidden + 2 * hidden * kv + 3 * hidden * inner + 2 * hidden + biases;
  return 2 * vocabulary * hidden + layers * layer + hidden;
}

/** Every matrix in blocks that the graph declares: the values of its blocks, and those that the file has for fp32. */
async function* blocksOf(name: string, dtype: "int4" | "int8") {
  const { source } = checkpoint(name);
  await using opened = await openWeights(path.join(source.directory, source.weights));
  const { architecture, config, weights } = await readModel(source, opened);
  const reads: { tensor: string; first: number; rows: number; format: BlockFormat }[] = [];
  const watched: ModelWeights = {
    ...weights,
    readBlocks(tensor, first, rows, format) {
      reads.push({ tensor, first, rows, format });
      return weights.readBlocks(tensor, first, rows, format);
    },
  };
  const g = new GraphBuilder();
  const format = matrixFormat(dtype, "decoder");
  architecture.build(g, architecture.parseConfig(config), { weights: watched, format, compute: "blocks" });
  for (const { stream } of g.layout().streams) {
    if (!/weight_q\d$/.test(stream.specs[0].name)) continue;
    reads.length = 0;
    const stored = await bytesOf(stream);
    const [, blocksPerRow] = stream.specs[0].shape;
    const { bits, blockSize, order } = reads[0].format;
    const cols = blocksPerRow * blockSize;
    const values = dequantizeBlocks({
      ...{ rows: stream.specs[0].shape[0], cols, bits, blockSize },
      data: stored[0],
      scales: new Float32Array(stored[1].buffer),
      zeroPoints: stored[2],
    });
    const expected: number[] = [];
    for (const { tensor, first, rows } of reads) {
      expected.push(...(await exactValues(weights, name, tensor, first, rows)));
    }
    const blocks = values.map((_, i) => {
      const column = i % cols;
      return order ? values[i - column + order.indexOf(column)] : values[i];
    });
    yield { read: reads[0].tensor, blocks, expected: Float32Array.from(expected) };
  }
}

/** compressed-tensors rounds values to the scales' dtype, which blocks don't: there they come from blocks of their own. */
async function exactValues(
  weights: ModelWeights,
  name: string,
  tensor: string,
  first: number,
  rows: number,
): Promise<Float32Array> {
  const values = await weights.read(tensor, first, rows);
  const layout = weights.storedBlocks?.(tensor);
  if (!/llama-w\da/.test(name) || !layout) return values;
  const blocks = await weights.readBlocks(tensor, first, rows, layout);
  const [, cols] = weights.shape(tensor);
  if (!blocks) throw new RangeError(`${tensor} does not fit its own layout`);
  const { bits: width, blockSize } = layout;
  const exact = dequantizeBlocks({ rows, cols, bits: width, blockSize, ...blocks });
  const bits = new Uint32Array(exact.slice().buffer);
  // Half of bfloat16's last place at most, so that the blocks are the file's.
  const rounded = new Uint32Array(values.slice().buffer);
  for (const [i, value] of rounded.entries()) expect(Math.abs(value - bits[i])).toBeLessThanOrEqual(0x8000);
  return exact;
}

async function bytesOf(stream: WeightStream): Promise<Uint8Array<ArrayBuffer>[]> {
  const pieces: Uint8Array[][] = stream.specs.map(() => []);
  for await (const chunk of stream.chunks()) for (const [i, piece] of chunk.entries()) pieces[i].push(piece);
  return pieces.map((parts) => new Uint8Array(Buffer.concat(parts)));
}
