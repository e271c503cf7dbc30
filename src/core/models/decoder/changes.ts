import type { Activation } from "../../graph/blocks/activation.js";
import type { HeadNorms } from "../../graph/blocks/head-norm.js";
import type { DecoderSpec, NormSpec } from "./spec.js";

/** Makes the norms of another kind; their modules stay. */
export function setNorms(spec: DecoderSpec, kind: Omit<NormSpec, "module">): void {
  const changed = (norm: NormSpec | undefined): NormSpec | undefined =>
    norm && { module: norm.module, ...kind };
  spec.norm = changed(spec.norm);
  for (const { norms } of spec.layers) {
    norms.attention = changed(norms.attention);
    norms.mlp = changed(norms.mlp);
  }
}

/** Norms of what attention and MLP give, and none of what they read. */
export function setOutputNorms(spec: DecoderSpec): void {
  for (const layer of spec.layers) {
    const norm = layer.norms.mlp as NormSpec;
    layer.norms = {
      attentionOutput: norm,
      mlpOutput: { ...norm, module: `${layer.name}.post_feedforward_layernorm` },
    };
  }
}

/** One module has the rows of gate and up. */
export function setFusedGateUp(spec: DecoderSpec): void {
  for (const { name, mlp } of spec.layers)
    if (mlp.kind === "gated") mlp.gateUp = { modules: [`${name}.mlp.gate_up_proj`] };
}

/** down(act(up x)) in the place of the gated MLP. */
export function setPlainMlp(
  spec: DecoderSpec,
  { modules = ["up_proj", "down_proj"], activation }: { modules?: string[]; activation: Activation },
): void {
  for (const layer of spec.layers) {
    if (layer.mlp.kind === "own") continue;
    const [up, down] = modules.map((module) => ({ modules: [`${layer.name}.mlp.${module}`] }));
    layer.mlp = { kind: "plain", inner: layer.mlp.inner, up, down, activation };
  }
}

/** Norms q and k of every layer; the modules stand beside q_proj. */
export function setHeadNorms(
  spec: DecoderSpec,
  { modules = ["q_norm", "k_norm"], ...norms }: Omit<HeadNorms, "query" | "key"> & { modules?: string[] },
): void {
  for (const { name, attention } of spec.layers) {
    const [query, key] = modules.map((module) => [`${name}.self_attn.${module}.weight`]);
    attention.norms = { ...norms, query, key };
  }
}
