import type { BlockFormat, MatrixFormat, MatrixRole } from "./graph/model-weights.js";
import type { Dtype } from "./requests.js";

export type ConcreteDtype = Exclude<Dtype, "auto">;

export interface DtypeChoice {
  dtype: ConcreteDtype;
  /** One plain sentence: why. */
  reason: string;
}

/** Above this many parameters 4-bit rounding costs little and memory counts; below, int8 keeps a small model's mind. */
const INT4_FROM = 3_000_000_000;

/** Above this many parameters an encoder-decoder has no room in fp32 on small machines. */
const INT8_FROM = 1_000_000_000;

/**
 * Picks the weights' number format. What speaks for it was measured: on SmolLM2-135M int8 in blocks of 32 costs 0.5 %
 * perplexity, int4 6.5 %. On a GGUF's Q4_K and Q5_K blocks int8 adds less than 1 % to the rounding error that
 * they have; int4 makes it half as large again, and two and a half times as large.
 */
export function chooseDtype(
  requested: Dtype,
  model: {
    kind: "decoder" | "encoder" | "encoder-decoder";
    parameters: number;
    matrixDtypes: ReadonlySet<string>;
    /** Bits of the blocks that the file has already, and that the graph can keep (GPTQ, AWQ). */
    blockBits?: 4 | 8;
  },
): DtypeChoice {
  if (requested !== "auto") return { dtype: requested, reason: "asked for" };
  if (model.kind === "encoder") return { dtype: "fp32", reason: "encoders run in fp32, PyTorch's numbers" };
  const size = describeParameters(model.parameters);
  if (model.kind === "encoder-decoder") {
    return model.parameters < INT8_FROM
      ? {
          dtype: "fp32",
          reason: "models with an encoder run in fp32, PyTorch's numbers; int8 was not measured",
        }
      : {
          dtype: "int8",
          reason: `${size} parameters: in fp32 they would take ${Math.round((4 * model.parameters) / 1e9)} GB`,
        };
  }
  if (model.matrixDtypes.size === 1 && model.matrixDtypes.has("Q4_0")) {
    return { dtype: "int4", reason: "the file's Q4_0 blocks are int4 blocks already, nothing is lost" };
  }
  if (model.blockBits) {
    return {
      dtype: model.blockBits === 4 ? "int4" : "int8",
      reason: `the file's ${model.blockBits}-bit blocks are kept as they are`,
    };
  }
  const fileBits = bitsOfFile(model.matrixDtypes);
  if (fileBits > 4 && fileBits <= 8) {
    return { dtype: "int8", reason: `the file's weights have ${fileBits} bits or more, which int8 keeps` };
  }
  if (model.parameters >= INT4_FROM)
    return { dtype: "int4", reason: `${size} parameters: int4 loses little at this size` };
  return {
    dtype: "int8",
    reason: `${size} parameters: int8 stays within 1 % of fp32's perplexity, int4 would not`,
  };
}

/**
 * Bits of a GGUF's quantized matrices, from their types' names: Q5_K, IQ4_XS. A mix is named after its smallest (Q4_K_M has
 * Q6_K too). 32 where nothing is quantized.
 */
function bitsOfFile(matrixDtypes: ReadonlySet<string>): number {
  return Math.min(32, ...[...matrixDtypes].map((dtype) => Number(/^I?Q(\d)_/.exec(dtype)?.[1] ?? 32)));
}

/**
 * What has eight bits where the rest has four. The table and the head decide which token wins. Of the layers' matrices,
 * qkv and mlp_down win most for each byte: on SmolLM2-135M they take int4 from +20 % perplexity to +7 % in half of the
 * layers, for a tenth more bytes (+3 % in all of them, for a fifth more).
 */
const eightBits: ReadonlySet<MatrixRole> = new Set([
  "embedding",
  "lm_head",
  "last_mlp_up",
  "sensitive_qkv",
  "sensitive_mlp_down",
]);

/** Which format each kind of matrix gets. A row that its blocks don't divide stays in fp32. */
export function matrixFormat(
  dtype: ConcreteDtype,
  kind: "decoder" | "encoder",
): (role: MatrixRole, columns: number, stored?: BlockFormat) => MatrixFormat {
  return (role, columns, stored) => {
    if (dtype === "fp32" || role === "position") return { bits: 32 };
    // It decides everything and runs once for a whole text.
    if (role === "classifier") return { bits: 32 };
    // An encoder only looks rows up in its table: nothing would be faster, and a little would be lost.
    if (kind === "encoder" && role === "embedding") return { bits: 32 };
    const blockSize = columns % 32 === 0 ? 32 : columns % 16 === 0 ? 16 : undefined;
    if (!blockSize) return { bits: 32 };
    // The runtime rounds activations to int8 as well. A quarter of what that does to SmolLM2's logits is done in this one
    // matrix, which is an eightieth of the model.
    if (role === "last_mlp_up" && dtype === "int8") return { bits: 32 };
    // Ids choose rows of the table, and of the head's best tokens: neither can have zero points or another order.
    const whole = role === "embedding" || role === "lm_head";
    if (stored && !whole && stored.bits === (dtype === "int8" ? 8 : 4)) return stored;
    // In eight bits there is room for the codes and their zero points, with the same scales: nothing is rounded.
    if (stored && !whole && dtype === "int8" && stored.bits === 4) {
      return { ...stored, bits: 8, zeroPoints: false };
    }
    return { bits: dtype === "int8" || eightBits.has(role) ? 8 : 4, blockSize };
  };
}

export function describeParameters(parameters: number): string {
  if (parameters >= 1e9) return `${(parameters / 1e9).toFixed(1)}B`;
  if (parameters >= 1e6) return `${Math.round(parameters / 1e6)}M`;
  return `${Math.ceil(parameters / 1e3)}k`;
}
