import { z } from "zod";
import { HfmsError } from "../../errors.js";

/** What config.json's `quantization_config` says of the weights. */
export type Quantization =
  | { method: "gptq"; bits: 4 | 8; groupSize: number; zeroPointsLessOne: boolean }
  | { method: "awq"; groupSize: number }
  | { method: "fp8"; scale: "weight_scale" | "weight_scale_inv"; block?: [number, number] }
  | { method: "compressed-tensors"; block?: [number, number] }
  | { method: "mxfp4" };

const FIELD = "quantization_config";

const size = z.int().positive().max(1_000_000);
const groupSize = z.union([z.literal(-1), size]);
const block = z.tuple([size, size]).nullish();

const schemas = {
  gptq: z.looseObject({
    bits: z.union([z.literal(4), z.literal(8)]),
    group_size: groupSize.default(128),
    // gptq_p differs from the second version in 3, 5, 6 and 7 bits alone.
    checkpoint_format: z.enum(["gptq", "gptq_v2", "gptq_p"]).nullish(),
  }),
  awq: z.looseObject({
    bits: z.literal(4).optional(),
    w_bit: z.literal(4).optional(),
    group_size: groupSize.optional(),
    q_group_size: groupSize.optional(),
    version: z.string().toLowerCase().pipe(z.literal("gemm")).nullish(),
  }),
  fp8: z.looseObject({ weight_block_size: block }),
  "compressed-tensors": z.looseObject({
    format: z.enum(["float-quantized", "int-quantized", "naive-quantized", "pack-quantized", "dense"]),
    config_groups: z
      .record(z.string(), z.looseObject({ weights: z.looseObject({ block_structure: block }).nullish() }))
      .nullish(),
    sparsity_config: z.looseObject({ format: z.literal("dense").nullish() }).nullish(),
  }),
} as const;

/** Methods whose weights hfms has no form for, and what they are. */
const refused: Record<string, string> = {
  aqlm: "additive codebooks",
  bitnet: "ternary weights",
  bitsandbytes: "bitsandbytes' NF4, FP4 or int8",
  eetq: "EETQ's int8",
  fp_quant: "FP4 with rotations",
  higgs: "vector grids",
  hqq: "HQQ's blocks",
  modelopt: "ModelOpt's FP8 or NVFP4",
  nvfp4: "NVFP4",
  quanto: "Quanto's blocks",
  quark: "Quark's formats",
  spqr: "sparse outliers",
  torchao: "torchao's pickled layouts",
  vptq: "vector codebooks",
};

/** Reads and checks the field; undefined where the weights are plain numbers. Throws unsupported_model naming what is at fault. */
export function readQuantization(config: Record<string, unknown>): Quantization | undefined {
  const raw = config[FIELD] ?? undefined;
  if (raw === undefined) {
    // MLX writes its own field, for arrays that only it can read.
    if (isObject(config.quantization)) throw unreadable("quantization", "MLX's blocks");
    return undefined;
  }
  if (!isObject(raw)) throw wrong(FIELD, raw, "it must be an object");
  const method = methodOf(raw);
  switch (method) {
    case "gptq": {
      const { bits, group_size, checkpoint_format } = parse("gptq", raw);
      return {
        method,
        bits,
        groupSize: group_size,
        zeroPointsLessOne: (checkpoint_format ?? "gptq") === "gptq",
      };
    }
    case "awq": {
      const { group_size, q_group_size } = parse("awq", raw);
      return { method, groupSize: group_size ?? q_group_size ?? 128 };
    }
    case "fbgemm_fp8":
      return { method: "fp8", scale: "weight_scale" };
    case "fp8": {
      const { weight_block_size } = parse("fp8", raw);
      return { method, scale: "weight_scale_inv", block: weight_block_size ?? undefined };
    }
    case "mxfp4":
      return { method };
    case "compressed-tensors": {
      const { config_groups } = parse("compressed-tensors", raw);
      const blocks = Object.values(config_groups ?? {}).map((group) => group.weights?.block_structure);
      return { method, block: blocks.find((of) => of) ?? undefined };
    }
    default: {
      const what = typeof method === "string" ? (refused[method] ?? "another form of numbers") : undefined;
      if (what === undefined) throw wrong(`${FIELD}.quant_method`, method, "it must be a name");
      throw unreadable(`${FIELD}.quant_method`, what, String(method));
    }
  }
}

/** What checkpoints call the same thing by other names. */
function methodOf(raw: Record<string, unknown>): unknown {
  const method = raw.quant_method;
  if (method === "auto-round" || method === "intel/auto-round") {
    if (/gptq/.test(String(raw.packing_format))) return "gptq";
    if (/awq/.test(String(raw.packing_format))) return "awq";
  }
  // bitsandbytes' first releases named no method.
  if (method === undefined && (raw.load_in_4bit !== undefined || raw.load_in_8bit !== undefined))
    return "bitsandbytes";
  return method;
}

function parse<M extends keyof typeof schemas>(
  method: M,
  raw: Record<string, unknown>,
): z.infer<(typeof schemas)[M]> {
  const result = schemas[method].safeParse(raw);
  if (result.success) return result.data as z.infer<(typeof schemas)[M]>;
  const [issue] = result.error.issues;
  const field = [FIELD, ...issue.path].join(".");
  const value = issue.path.reduce<unknown>((at, key) => (isObject(at) ? at[key as string] : undefined), raw);
  throw wrong(field, value, issue.message);
}

function wrong(field: string, value: unknown, what: string): HfmsError {
  return new HfmsError("unsupported_model", `config.json: ${field} is ${JSON.stringify(value)}: ${what}`, {
    hint: "take the same model in another format: GPTQ or AWQ of 4 bits, fp8, GGUF, or unquantized",
    param: field,
  });
}

function unreadable(field: string, what: string, method?: string): HfmsError {
  const value = method === undefined ? "there" : JSON.stringify(method);
  return new HfmsError("unsupported_model", `config.json: ${field} is ${value}: hfms does not read ${what}`, {
    hint: "take the model that this one was made from (`base_model` on its page), which hfms quantizes itself (--dtype int4), or its GPTQ, AWQ, fp8 or GGUF version",
    param: field,
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
