import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { storeTable } from "./matrix.js";
import { attentionFactor, inverseFrequencies } from "./rope-frequencies.js";

/**
 * Rotary position embeddings. Source of the formulas: transformers, modeling_rope_utils.py. The graph gets tables of
 * cosines and sines, [positions, rotaryDim / 2] each.
 */
export interface Rope {
  theta: number;
  /** Rotated components of a head, the first ones; even. */
  rotaryDim: number;
  /** Neighbours rotate together (GPT-J); by default a component rotates with the one half of rotaryDim behind it (GPT-NeoX). */
  interleaved?: boolean;
  /** Rotation goes the other way round. */
  reversed?: boolean;
  scaling?: RopeScaling;
}

export type RopeScaling =
  | { type: "linear"; factor: number }
  /** A divisor for each frequency, as GGUF's rope_freqs tensor holds them. */
  | { type: "factors"; tensor: string }
  | {
      type: "llama3";
      factor: number;
      lowFreqFactor: number;
      highFreqFactor: number;
      originalMaxPositions: number;
    }
  | {
      type: "yarn";
      factor: number;
      betaFast: number;
      betaSlow: number;
      originalMaxPositions: number;
      /** The ramp begins and ends at whole pairs. */
      truncate: boolean;
      attentionFactor: number;
    }
  /** Divisors for texts up to the original length, and others for all of a text that is longer. */
  | {
      type: "longrope";
      short: RopeFactors;
      long: RopeFactors;
      originalMaxPositions: number;
      attentionFactor: number;
    };

/** A number for each pair of components, or the tensor that holds them. */
export type RopeFactors = readonly number[] | { tensor: string };

export interface RopeTables {
  cos: Value;
  sin: Value;
  rotaryDim: number;
  interleaved?: boolean;
  /** Rows from here on are those of texts longer than this; position 0 of such a text has this row. */
  longFrom?: number;
}

/**
 * Declares the tables for `positions` positions; GroupQueryAttention takes them as cos_cache and sin_cache. Longrope has
 * two tables, and the length of the whole text says which is its own: the short one stands before the long one.
 */
export function ropeTables(
  g: GraphBuilder,
  rope: Rope,
  positions: number,
  ctx: BuildContext,
  scope = "rope",
): RopeTables {
  const { scaling } = rope;
  const longFrom =
    scaling?.type === "longrope" && scaling.originalMaxPositions < positions
      ? scaling.originalMaxPositions
      : undefined;
  const shape = [positions + (longFrom ?? 0), rope.rotaryDim / 2];
  const factor = attentionFactor(rope);
  const read = (tensor: string) => ctx.weights.read(tensor);
  const table = (name: string, f: (angle: number) => number): Value =>
    storeTable(g, g.scope(`${scope}.${name}`), shape, async () => {
      const all = angles(await inverseFrequencies(rope, read), shape[0]);
      if (longFrom !== undefined) {
        const long = angles(await inverseFrequencies(rope, read, { long: true }), positions);
        all.set(long, longFrom * shape[1]);
      }
      return all.map((angle) => factor * f(angle));
    });
  const sine = rope.reversed ? (angle: number) => -Math.sin(angle) : Math.sin;
  return {
    cos: table("cos", Math.cos),
    sin: table("sin", sine),
    rotaryDim: rope.rotaryDim,
    interleaved: rope.interleaved,
    longFrom,
  };
}

/** x [batch, sequence, heads · headDim] with every head rotated to its position; positions [batch, sequence]. */
export function rotated(
  g: GraphBuilder,
  x: Value,
  positions: Value,
  rope: RopeTables,
  { heads, headDim }: { heads: number; headDim: number },
): Value {
  return g.node("RotaryEmbedding", [x, positions, rope.cos, rope.sin], {
    num_heads: heads,
    rotary_embedding_dim: rope.rotaryDim === headDim ? 0 : rope.rotaryDim,
    ...(rope.interleaved && { interleaved: 1 }),
  });
}

/** position · frequency, [positions, frequencies]; PyTorch multiplies in float32, and so does this. */
function angles(frequencies: Float32Array, positions: number): Float32Array {
  const count = frequencies.length;
  const values = new Float32Array(positions * count);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < count; i++) values[position * count + i] = position * frequencies[i];
  }
  return values;
}
