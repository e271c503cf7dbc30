import { HfmsError } from "../../errors.js";
import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { storeTable } from "./matrix.js";

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
    };

export interface RopeTables {
  cos: Value;
  sin: Value;
  rotaryDim: number;
  interleaved?: boolean;
}

/** Declares the tables for `positions` positions; GroupQueryAttention takes them as cos_cache and sin_cache. */
export function ropeTables(
  g: GraphBuilder,
  rope: Rope,
  positions: number,
  ctx: BuildContext,
  scope = "rope",
): RopeTables {
  const shape = [positions, rope.rotaryDim / 2];
  const table = (name: string, f: (angle: number) => number): Value =>
    storeTable(g, g.scope(`${scope}.${name}`), shape, async () => {
      const { scaling } = rope;
      const factors = scaling?.type === "factors" ? await ctx.weights.read(scaling.tensor) : undefined;
      return angles(inverseFrequencies(rope, factors), positions).map(f);
    });
  const sine = rope.reversed ? (angle: number) => -Math.sin(angle) : Math.sin;
  return {
    cos: table("cos", Math.cos),
    sin: table("sin", sine),
    rotaryDim: rope.rotaryDim,
    interleaved: rope.interleaved,
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

function inverseFrequencies({ theta, rotaryDim, scaling }: Rope, factors?: Float32Array): Float32Array {
  const half = rotaryDim / 2;
  const base = Float32Array.from({ length: half }, (_, i) => 1 / theta ** ((2 * i) / rotaryDim));
  if (!scaling) return base;
  if (scaling.type === "linear") return base.map((frequency) => frequency / scaling.factor);
  if (scaling.type === "factors") return base.map((frequency, i) => frequency / (factors as Float32Array)[i]);
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling;
  const longest = originalMaxPositions / lowFreqFactor;
  const shortest = originalMaxPositions / highFreqFactor;
  return base.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < shortest) return frequency;
    if (wavelength > longest) return frequency / factor;
    const smooth = (originalMaxPositions / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/** Reads config.json's rope fields, as old (`rope_theta`, `rope_scaling`) and new files (`rope_parameters`) have them. */
export function readRope(config: Record<string, unknown>, headDim: number): Rope {
  const parameters = (config.rope_parameters ?? config.rope_scaling ?? {}) as Record<string, unknown>;
  const number = (key: string, fallback?: number): number => {
    const value = parameters[key] ?? fallback;
    if (typeof value !== "number" || !(value > 0 && Number.isFinite(value))) {
      throw new HfmsError("corrupt_file", `config.json: rope parameter ${key} is ${JSON.stringify(value)}`);
    }
    return value;
  };
  const theta = number("rope_theta", (config.rope_theta as number | undefined) ?? 10_000);
  const rope = { theta, rotaryDim: headDim };
  const type = (parameters.rope_type ?? parameters.type ?? "default") as string;
  if (type === "default") return rope;
  if (type === "factors") return { ...rope, scaling: { type, tensor: parameters.tensor as string } };
  if (type === "linear") return { ...rope, scaling: { type, factor: number("factor") } };
  if (type === "llama3") {
    return {
      ...rope,
      scaling: {
        type,
        factor: number("factor"),
        lowFreqFactor: number("low_freq_factor"),
        highFreqFactor: number("high_freq_factor"),
        originalMaxPositions: number(
          "original_max_position_embeddings",
          config.original_max_position_embeddings as number | undefined,
        ),
      },
    };
  }
  throw new HfmsError("unsupported_model", `rope scaling "${type}" is not supported`, {
    hint: "hfms knows default, linear and llama3 scaling",
  });
}
