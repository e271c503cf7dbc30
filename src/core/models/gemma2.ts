import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { gemmaGguf, gemmaSchema, gemmaSpec, ggufScoreSize, setGemmaNorms } from "./decoder/gemma-like.js";
import { layerFields, layerTypesOf, setLayerTypes } from "./decoder/layer-types.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const LARGEST_LAYERS = 46;

const schema = gemmaSchema({
  ...layerFields,
  sliding_window: layerFields.sliding_window.default(4096),
  query_pre_attn_scalar: z.number().positive().default(256),
  attn_logit_softcapping: z.number().positive().nullable().default(50),
  final_logit_softcapping: z.number().positive().nullable().default(30),
});

/** The spec of Gemma 2; without norms behind attention and MLP it is VaultGemma's. */
export function gemma2Spec(raw: Record<string, unknown>, { outputs }: { outputs: boolean }): DecoderSpec {
  const config = parseWith(schema, raw);
  const spec = gemmaSpec(config, readRope(raw, config.head_dim));
  setGemmaNorms(spec, { outputs });
  const types = layerTypesOf(config, (index) => index % 2 === 1);
  setLayerTypes(spec, types, config.sliding_window, ({ attention }) => {
    attention.scale = config.query_pre_attn_scalar ** -0.5;
    attention.softcap = config.attn_logit_softcapping ?? undefined;
  });
  spec.head.softcap = config.final_logit_softcapping ?? undefined;
  return spec;
}

/** Gemma 2: norms on both sides, soft caps, windows in every second layer. Source: transformers, models/gemma2. */
export const gemma2: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "gemma2",
  parseConfig: (raw) => gemma2Spec(raw, { outputs: true }),

  gguf: gemmaGguf("gemma2", (metadata) => ({
    sliding_window: metadata.get("gemma2.attention.sliding_window"),
    attn_logit_softcapping: metadata.get("gemma2.attn_logit_softcapping"),
    final_logit_softcapping: metadata.get("gemma2.final_logit_softcapping"),
    query_pre_attn_scalar: ggufScoreSize(metadata, "gemma2", LARGEST_LAYERS),
  })),
};
