import { HfmsError } from "../../errors.js";
import type { Rope, RopeFactors, RopeScaling } from "./rope.js";

/** What a model has where its config.json says nothing. */
interface RopeDefaults {
  theta?: number;
  /** The share of a head's components that rotates. */
  partial?: number;
  /** Which layers: new files may have parameters for each of their types. */
  layerType?: string;
}

/**
 * Reads config.json's rope fields, as old (`rope_theta`, `rope_scaling`, `partial_rotary_factor`) and new files
 * (`rope_parameters`, for all layers or by layer type) have them. Throws corrupt_file or unsupported_model naming the
 * parameter.
 */
export function readRope(
  config: Record<string, unknown>,
  headDim: number,
  { theta = 10_000, partial = 1, layerType }: RopeDefaults = {},
): Rope {
  const all = (config.rope_scaling ?? config.rope_parameters ?? {}) as Record<string, unknown>;
  const nested = layerType === undefined ? undefined : all[layerType];
  const parameters = (typeof nested === "object" ? (nested ?? {}) : all) as Record<string, unknown>;
  const read = reader(parameters);
  const share = read.number(
    "partial_rotary_factor",
    (config.partial_rotary_factor as number | undefined) ?? partial,
  );
  const rotaryDim = Math.trunc(headDim * share);
  if (rotaryDim % 2 !== 0 || rotaryDim === 0 || rotaryDim > headDim) {
    throw new HfmsError(
      "unsupported_model",
      `config.json: partial_rotary_factor ${share} rotates ${rotaryDim} of ${headDim} components`,
      { param: "partial_rotary_factor" },
    );
  }
  const rope = {
    theta: read.number("rope_theta", (config.rope_theta as number | undefined) ?? theta),
    rotaryDim,
  };
  const scaling = readScaling(parameters, config, rotaryDim);
  return scaling ? { ...rope, scaling } : rope;
}

function readScaling(
  parameters: Record<string, unknown>,
  config: Record<string, unknown>,
  rotaryDim: number,
): RopeScaling | undefined {
  const { number, optional, factors } = reader(parameters);
  const original = () =>
    number(
      "original_max_position_embeddings",
      (config.original_max_position_embeddings ?? config.max_position_embeddings) as number | undefined,
    );
  // Some files leave the factor to the two lengths.
  const factor = () => optional("factor") ?? (config.max_position_embeddings as number) / original();
  const type = (parameters.rope_type ?? parameters.type ?? "default") as string;
  switch (type) {
    case "default":
    // Three axes of positions for images; those of text are all the same.
    case "mrope":
    // Frequencies change with the length of a text that is longer than max_position_embeddings. Here none is.
    case "dynamic":
      return undefined;
    case "factors":
      return { type, tensor: parameters.tensor as string };
    case "linear":
      return { type, factor: number("factor") };
    case "llama3":
      return {
        type,
        factor: number("factor"),
        lowFreqFactor: number("low_freq_factor"),
        highFreqFactor: number("high_freq_factor"),
        originalMaxPositions: original(),
      };
    case "yarn":
      return {
        type,
        factor: factor(),
        betaFast: optional("beta_fast") ?? 32,
        betaSlow: optional("beta_slow") ?? 1,
        originalMaxPositions: original(),
        truncate: parameters.truncate !== false,
        attentionFactor: optional("attention_factor") ?? yarnAttention(factor(), optional),
      };
    case "su":
    case "longrope":
      return {
        type: "longrope",
        short: factors("short_factor", rotaryDim / 2),
        long: factors("long_factor", rotaryDim / 2),
        originalMaxPositions: original(),
        attentionFactor: optional("attention_factor") ?? longAttention(factor(), original()),
      };
    default:
      throw new HfmsError("unsupported_model", `config.json: rope_type is ${shown(type)}`, {
        hint: "hfms knows default, linear, dynamic, llama3, yarn and longrope scaling",
        param: "rope_type",
      });
  }
}

function yarnAttention(factor: number, optional: (key: string) => number | undefined): number {
  const growth = (weight: number) => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  const [weight, all] = [optional("mscale"), optional("mscale_all_dim")];
  return weight && all ? growth(weight) / growth(all) : growth(1);
}

function longAttention(factor: number, original: number): number {
  return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
}

/** Checked values out of a group of parameters. */
function reader(parameters: Record<string, unknown>) {
  const wrong = (key: string, value: unknown = parameters[key]): HfmsError =>
    new HfmsError("corrupt_file", `config.json: rope parameter ${key} is ${shown(value)}`, { param: key });
  const isPositive = (value: unknown): value is number =>
    typeof value === "number" && value > 0 && Number.isFinite(value);
  const number = (key: string, fallback?: number): number => {
    const value = parameters[key] ?? fallback;
    if (!isPositive(value)) throw wrong(key, value);
    return value;
  };
  const optional = (key: string): number | undefined => {
    const value = parameters[key];
    // 0 stands for none in some files.
    return value === undefined || value === null || value === 0 ? undefined : number(key);
  };
  const factors = (key: string, count: number): RopeFactors => {
    const value = parameters[key];
    if (typeof value === "string") return { tensor: value };
    if (!Array.isArray(value) || value.length !== count || !value.every(isPositive)) throw wrong(key);
    return value;
  };
  return { number, optional, factors };
}

/** A value as JSON, cut where it would fill the screen. */
function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "missing").slice(0, 200);
}
