import { z } from "zod";
import { experts } from "../../graph/blocks/experts.js";
import { type Linear, linear } from "../../graph/blocks/linear.js";
import { clampedMlp, gatedMlp } from "../../graph/blocks/mlp.js";
import { count } from "../config.js";
import { ggufNumber } from "../gguf.js";
import { type Part, slabPart } from "../parts.js";
import type { Shapes } from "../shapes.js";
import type { GgufMapping } from "../types.js";
import { llamaGguf } from "./llama-like.js";
import type { DecoderSpec, LayerSpec, OwnMlpSpec } from "./spec.js";

/** Modules of a gated MLP: gate and up, or one that has the rows of both. */
interface MlpModules {
  inner: number;
  gateUp: string[];
  down: string;
}

/** A mixture of gated MLPs, and perhaps one that every token goes to. */
interface Mixture {
  hidden: number;
  count: number;
  perToken: number;
  router: string;
  /** Router and experts have biases. */
  bias?: boolean;
  /**
   * Of each row of gate and up by turns: gate · sigmoid(alpha · gate) · (up + 1), where gate is at most `limit`, and up
   * within it. Absent: silu(gate) · up.
   */
  clamped?: { alpha: number; limit: number };
  /** A token's shares add up to 1. */
  normalized: boolean;
  expert(index: number): MlpModules;
  /** Modules that the file has the experts' modules in, one matrix behind the other; perhaps each [in, out]. */
  slabs?: { gateUp: string[]; down: string; transposed?: boolean };
  /** Of all tokens; `gate` says by a sigmoid how much of it is taken. */
  shared?: MlpModules & { gate: string };
}

/** Which layers are mixtures: all; or every `decoder_sparse_step`th one that `mlp_only_layers` does not name. */
export const sparseFields = {
  num_experts: count.max(4096),
  num_experts_per_tok: count,
  moe_intermediate_size: count,
  norm_topk_prob: z.boolean().default(false),
  decoder_sparse_step: count.default(1),
  mlp_only_layers: z.array(z.int().nonnegative()).nullish(),
};

/** What GGUF says of the mixtures of the models that have the usual names. */
export function mixtureGguf(
  name: string,
  { normalized, inner }: { normalized: boolean; inner: "intermediate_size" | "moe_intermediate_size" },
): GgufMapping {
  return llamaGguf(name, {
    config: (metadata) => ({
      num_experts: ggufNumber(metadata, `${name}.expert_count`),
      num_experts_per_tok: ggufNumber(metadata, `${name}.expert_used_count`),
      [inner]:
        metadata.get(`${name}.expert_feed_forward_length`) ?? metadata.get(`${name}.feed_forward_length`),
      shared_expert_intermediate_size: metadata.get(`${name}.expert_shared_feed_forward_length`),
      norm_topk_prob: normalized,
    }),
    tensors: {
      "blk.N.ffn_gate_inp": "layers.N.mlp.gate",
      "blk.N.ffn_gate_exps": "layers.N.mlp.experts.gate_proj",
      "blk.N.ffn_up_exps": "layers.N.mlp.experts.up_proj",
      "blk.N.ffn_down_exps": "layers.N.mlp.experts.down_proj",
      "blk.N.ffn_gate_inp_shexp": "layers.N.mlp.shared_expert_gate",
      "blk.N.ffn_gate_shexp": "layers.N.mlp.shared_expert.gate_proj",
      "blk.N.ffn_up_shexp": "layers.N.mlp.shared_expert.up_proj",
      "blk.N.ffn_down_shexp": "layers.N.mlp.shared_expert.down_proj",
    },
  });
}

/** Whether Qwen's layer of this index is a mixture. */
export function isSparse(
  {
    decoder_sparse_step: step,
    mlp_only_layers: dense,
  }: { decoder_sparse_step: number; mlp_only_layers?: number[] | null },
  index: number,
): boolean {
  return !dense?.includes(index) && (index + 1) % step === 0;
}

/** Experts and router under the names that most models have; `scope` is the MLP's in a layer. */
export function usualMixture(
  { name }: LayerSpec,
  {
    inner,
    scope = "mlp",
    ...of
  }: Pick<Mixture, "hidden" | "count" | "perToken" | "normalized"> & {
    inner: number;
    scope?: string;
  },
): Mixture {
  const at = `${name}.${scope}`;
  return {
    ...of,
    router: `${at}.gate`,
    // As GGUF has them.
    slabs: { gateUp: [`${at}.experts.gate_proj`, `${at}.experts.up_proj`], down: `${at}.experts.down_proj` },
    expert(index) {
      const expert = `${at}.experts.${index}`;
      return { inner, gateUp: [`${expert}.gate_proj`, `${expert}.up_proj`], down: `${expert}.down_proj` };
    },
  };
}

/** Experts and router where the file has all experts' matrices in one tensor; `at` is the scope of the graph's modules. */
export function slabMixture(
  at: string,
  { inner, ...of }: Omit<Mixture, "expert"> & { inner: number },
): Mixture {
  const expert = (index: number) => ({
    inner,
    gateUp: [`${at}.experts.${index}.gate_up_proj`],
    down: `${at}.experts.${index}.down_proj`,
  });
  return { ...of, expert };
}

/** The modules of a spec's mixtures that the files have inside others. */
export function mixtureParts({ layers }: DecoderSpec): Record<string, Part> {
  return Object.assign({}, ...layers.map(({ mlp }) => (mlp.kind === "own" ? mlp.parts : undefined)));
}

/** The mixture as a layer's MLP; SwiGLU. */
export function mixtureMlp(of: Mixture): OwnMlpSpec {
  const { hidden, shared } = of;
  return {
    kind: "own",
    build(g, x, ctx) {
      // What an expert sees is a few tokens: turning its matrices into floats would cost more than it saves.
      const few = { ...ctx, compute: "blocks" as const };
      const y = experts(
        g,
        x,
        {
          ...of,
          router: { tensor: `${of.router}.weight`, ...(of.bias && { bias: `${of.router}.bias` }) },
          expert(at, index, rows) {
            const modules = of.expert(index);
            const made = linearsOf(modules, of.bias);
            return of.clamped
              ? clampedMlp(at, rows, { ...made, ...of.clamped, inner: modules.inner }, few)
              : gatedMlp(at, rows, made, few);
          },
        },
        ctx,
      );
      if (!shared) return { y };
      const at = g.at("shared_expert");
      const all = gatedMlp(at, x, linearsOf(shared), ctx).y;
      const gate = linear(at, "gate", x, { role: "classifier", tensors: [`${shared.gate}.weight`] }, ctx);
      return { y: g.node("Add", [y, g.node("Mul", [all, g.node("Sigmoid", [gate])])]) };
    },
    shapes: {
      [of.router]: [of.count, hidden],
      ...Object.assign(
        {},
        ...Array.from({ length: of.count }, (_, index) => mlpShapes(of.expert(index), hidden)),
      ),
      ...(shared && { [shared.gate]: [1, hidden], ...mlpShapes(shared, hidden) }),
    },
    parts: partsOf(of),
  };
}

function partsOf({ hidden, count, slabs, expert }: Mixture): Record<string, Part> | undefined {
  if (!slabs) return undefined;
  const { gateUp, down, transposed } = slabs;
  const parts: Record<string, Part> = {};
  for (let index = 0; index < count; index++) {
    const modules = expert(index);
    const rows = gateUp.length === 1 ? 2 * modules.inner : modules.inner;
    for (const [i, module] of modules.gateUp.entries())
      parts[module] = slabPart(gateUp[i], index, rows, transposed);
    parts[modules.down] = slabPart(down, index, hidden, transposed);
  }
  return parts;
}

function linearsOf({ gateUp, down }: MlpModules, bias = false) {
  const of = (role: "mlp_up" | "mlp_down", modules: string[]): Linear => ({
    role,
    tensors: modules.map((module) => `${module}.weight`),
    ...(bias && { bias: modules.map((module) => `${module}.bias`) }),
  });
  return { gateUp: of("mlp_up", gateUp), down: of("mlp_down", [down]), activation: "silu" as const };
}

function mlpShapes({ inner, gateUp, down }: MlpModules, hidden: number): Shapes {
  const rows = gateUp.length === 1 ? 2 * inner : inner;
  return { ...Object.fromEntries(gateUp.map((module) => [module, [rows, hidden]])), [down]: [hidden, inner] };
}
