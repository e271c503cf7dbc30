import { closeSync, copyFileSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import path from "node:path";
import { seededRandom } from "./text.ts";

const HIDDEN = 2048;
const INTERMEDIATE = 8192;
const HEADS = 32;
const KV_HEADS = 8;
const HEAD = HIDDEN / HEADS;
const VOCABULARY = 128_256;
/** Random numbers that the matrices are cut from. */
const POOL = 1 << 22;

type Tensor = [name: string, shape: number[]];

/**
 * Writes a checkpoint with the shapes of Llama 3.2 1B and random weights in bf16, as about so many parameters: 16 layers
 * are 1.24 billion. Returns the bytes of its weights. The tokenizer is a tiny one, of the tests.
 */
export function writeRandomLlama(folder: string, parameters: number): number {
  const perLayer = layerTensors(0).reduce((sum, [, shape]) => sum + elements(shape), 0);
  const layers = Math.max(1, Math.round((parameters - VOCABULARY * HIDDEN) / perLayer));
  const tensors: Tensor[] = [
    ["model.embed_tokens.weight", [VOCABULARY, HIDDEN]],
    ...Array.from({ length: layers }, (_, layer) => layerTensors(layer)).flat(),
    ["model.norm.weight", [HIDDEN]],
  ];
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "config.json"), JSON.stringify(configOf(layers)));
  const golden = path.join(import.meta.dirname, "..", "test", "golden", "llama-gqa");
  for (const file of ["tokenizer.json", "tokenizer_config.json"])
    copyFileSync(path.join(golden, file), path.join(folder, file));
  return writeSafetensors(path.join(folder, "model.safetensors"), tensors);
}

function layerTensors(layer: number): Tensor[] {
  const matrices: Tensor[] = [
    ["self_attn.q_proj", [HIDDEN, HIDDEN]],
    ["self_attn.k_proj", [KV_HEADS * HEAD, HIDDEN]],
    ["self_attn.v_proj", [KV_HEADS * HEAD, HIDDEN]],
    ["self_attn.o_proj", [HIDDEN, HIDDEN]],
    ["mlp.gate_proj", [INTERMEDIATE, HIDDEN]],
    ["mlp.up_proj", [INTERMEDIATE, HIDDEN]],
    ["mlp.down_proj", [HIDDEN, INTERMEDIATE]],
    ["input_layernorm", [HIDDEN]],
    ["post_attention_layernorm", [HIDDEN]],
  ];
  return matrices.map(([name, shape]) => [`model.layers.${layer}.${name}.weight`, shape]);
}

function configOf(layers: number): Record<string, unknown> {
  return {
    model_type: "llama",
    hidden_size: HIDDEN,
    intermediate_size: INTERMEDIATE,
    num_hidden_layers: layers,
    num_attention_heads: HEADS,
    num_key_value_heads: KV_HEADS,
    vocab_size: VOCABULARY,
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-5,
    rope_theta: 500_000,
    tie_word_embeddings: true,
    hidden_act: "silu",
    eos_token_id: 2,
  };
}

function writeSafetensors(file: string, tensors: Tensor[]): number {
  let size = 0;
  const header = tensors.map(([name, shape]) => {
    const start = size;
    size += elements(shape) * 2;
    return [name, { dtype: "BF16", shape, data_offsets: [start, size] }];
  });
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const out = openSync(file, "w");
  writeSync(out, Buffer.concat([length, text]));
  const random = seededRandom(1);
  const pool = bellCurve(random);
  const ones = new Uint16Array(HIDDEN).fill(0x3f80);
  for (const [, shape] of tensors) {
    if (shape.length === 1) writeSync(out, ones);
    let at = Math.floor(random() * POOL);
    for (let left = shape.length === 1 ? 0 : elements(shape); left > 0; at = 0) {
      const part = pool.subarray(at, at + left);
      writeSync(out, part);
      left -= part.length;
    }
  }
  closeSync(out);
  return size;
}

/** Normally distributed numbers in bf16, as weights are at the start of a training. */
function bellCurve(random: () => number): Uint16Array {
  const values = new Float32Array(POOL);
  for (let i = 0; i < POOL; i += 2) {
    const radius = 0.02 * Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    values[i] = radius * Math.cos(angle);
    values[i + 1] = radius * Math.sin(angle);
  }
  return Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16);
}

function elements(shape: number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
