import { HfmsError } from "../../errors.js";
import { encoderAttention, windowBias } from "../../graph/blocks/encoder-attention.js";
import type { GraphBuilder, Value } from "../../graph/builder.js";
import type { BuildContext } from "../../graph/model-weights.js";
import { encoderInputs } from "../encoder/embed.js";
import type { HiddenStates } from "../encoder/with-heads.js";
import { buildLayers, linearOf, ropesOf } from "./build.js";
import { embed } from "./embed.js";
import type { AttentionSpec, LayersSpec } from "./spec.js";

/** The graph of a spec's layers over whole texts, without a cache: its output is last_hidden_state. */
export function buildHiddenStates(g: GraphBuilder, spec: LayersSpec, ctx: BuildContext): HiddenStates {
  const inputs = encoderInputs(g);
  const { x, table, segments, contextLength } = embed(g, spec, inputs, ctx);
  const ropes = ropesOf(g, spec, contextLength, ctx);
  const windows = new Map<number, Value>();
  const windowOf = (reach: number): Value => {
    const bias = windows.get(reach) ?? windowBias(g.at(`window.${reach}`), inputs.positionIds, reach);
    windows.set(reach, bias);
    return bias;
  };
  const both = spec.sees === "both";
  const states = buildLayers(g, x, {
    spec,
    attention: (at, _, of, read) => {
      checkAttention(of);
      const { qkv, rope, norms, rotateFirst, scale, softcap, window } = of;
      return encoderAttention(
        at,
        read,
        {
          ...{ norms, rotateFirst, scale, softcap, shape: of, lengths: inputs.lengths },
          qkv: linearOf(qkv, "qkv"),
          rope: rope === undefined ? undefined : ropes[rope],
          ...(both ? { bias: window === undefined ? undefined : windowOf(window) } : { causal: { window } }),
        },
        ctx,
      );
    },
    ctx,
  });
  const output = g.node("Identity", [states], {}, "last_hidden_state");
  g.output(output, "float32", ["batch_size", "sequence_length", spec.hidden]);
  return { x: output, hidden: spec.hidden, lengths: inputs.lengths, word: table, segments, contextLength };
}

function checkAttention({ alibi, clip, sinks }: AttentionSpec): void {
  if (alibi === undefined && clip === undefined && sinks === undefined) return;
  throw new HfmsError("unsupported_model", "this model_type can generate text here, but not make embeddings");
}
