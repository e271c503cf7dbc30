import { z } from "zod";
import { activationNames } from "../../graph/blocks/activation.js";
import { disentangledAttention, distancesOf } from "../../graph/blocks/disentangled-attention.js";
import { embedding, storeTableOf, type Table } from "../../graph/blocks/embedding.js";
import { linear, product, storeLinear } from "../../graph/blocks/linear.js";
import { storeTable } from "../../graph/blocks/matrix.js";
import { mlp, project } from "../../graph/blocks/mlp.js";
import { addLayerNorm, layerNorm } from "../../graph/blocks/norm.js";
import type { GraphBuilder, Value } from "../../graph/builder.js";
import type { BuildContext, MatrixRole } from "../../graph/model-weights.js";
import { count, positions } from "../config.js";
import { type EncoderInputs, encoderInputs } from "../encoder/embed.js";
import type { HeadModules } from "../encoder/heads.js";
import type { HiddenStates } from "../encoder/with-heads.js";
import type { Shapes } from "../shapes.js";

const attentionTypes = z.array(z.enum(["c2p", "p2c"]));

/** Fields of config.json that both versions have. */
export const debertaFields = {
  vocab_size: count,
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  intermediate_size: count,
  max_position_embeddings: positions.default(512),
  type_vocab_size: z.int().min(0).max(1000).default(0),
  layer_norm_eps: z.number().positive().default(1e-7),
  hidden_act: z.enum(activationNames).default("gelu"),
  pooler_hidden_act: z.enum(activationNames).default("gelu"),
  embedding_size: count.nullish(),
  relative_attention: z.literal(true),
  max_relative_positions: z.int().max(1_000_000).default(-1),
  position_biased_input: z.boolean().default(true),
  /** Also as one text: "p2c|c2p". */
  pos_att_type: z.preprocess(
    (value) =>
      typeof value === "string"
        ? value
            .toLowerCase()
            .split("|")
            .map((word) => word.trim())
        : (value ?? []),
    attentionTypes,
  ),
};

export type DebertaConfig = z.infer<z.ZodObject<typeof debertaFields>>;

interface Projection {
  tensors: string[];
  bias?: string[];
}

/** How the versions differ. */
export interface DebertaSpec {
  /** q, k and v of a layer. */
  content(layer: number): Projection;
  /** Their biases, joined, where no tensors have them like that. */
  contentBias?(layer: number): Promise<Float32Array>;
  /** What makes keys and queries of the table of distances; absent: what makes them of content. */
  keys?(layer: number): Projection;
  queries?(layer: number): Projection;
  /** Distances share so many logarithmic buckets on either side. */
  buckets?: number;
  /** The table of distances goes through a LayerNorm. */
  normed?: boolean;
  /** What stands behind the first layer: takes the embeddings, whose padding is zero, and the layer's output. */
  afterFirst?(g: GraphBuilder, embedded: Value, x: Value): Value;
}

export function debertaShapes(config: DebertaConfig): Shapes {
  const { hidden_size: hidden, intermediate_size: inner } = config;
  const width = config.embedding_size ?? hidden;
  return {
    "embeddings.word_embeddings": [undefined, width],
    "embeddings.position_embeddings": [undefined, width],
    "embeddings.token_type_embeddings": [undefined, width],
    "embeddings.embed_proj": [hidden, width],
    "embeddings.LayerNorm": [hidden],
    "encoder.rel_embeddings": [undefined, hidden],
    "encoder.layer.N.attention.output.dense": [hidden, hidden],
    "encoder.layer.N.attention.output.LayerNorm": [hidden],
    "encoder.layer.N.intermediate.dense": [inner, hidden],
    "encoder.layer.N.output.dense": [hidden, inner],
    "encoder.layer.N.output.LayerNorm": [hidden],
  };
}

/** The graph of either version up to last_hidden_state. */
export function debertaEncoder(
  g: GraphBuilder,
  config: DebertaConfig,
  spec: DebertaSpec,
  ctx: BuildContext,
): HiddenStates {
  const inputs = encoderInputs(g);
  const { hidden_size: hidden, num_attention_heads: heads, layer_norm_eps: epsilon } = config;
  const shape = { heads, kvHeads: heads, headDim: hidden / heads };
  const scale = (shape.headDim * (1 + config.pos_att_type.length)) ** -0.5;
  const norm = (module: string) => ({ weight: `${module}.weight`, bias: `${module}.bias`, epsilon });
  const of = (module: string, role: MatrixRole) => ({
    role,
    tensors: [`${module}.weight`],
    bias: [`${module}.bias`],
  });

  const words = storeTableOf(g, "word_embeddings", "embeddings.word_embeddings.weight", ctx);
  const embedded = embeddings(g, config, { ...inputs, words }, ctx);
  const relative = relativeTable(g, config, spec, ctx);
  const distances = distancesOf(
    g.at("distances"),
    relative,
    inputs.positionIds,
    config.max_position_embeddings,
  );

  let x = embedded;
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const module = `encoder.layer.${layer}`;
    const at = g.at(`layers.${layer}`);
    const attn = at.at("attn");
    const content = storeLinear(attn, "qkv_proj", { role: "qkv", ...spec.content(layer) }, ctx);
    const { contentBias } = spec;
    const qkvBias = contentBias
      ? storeTable(attn, attn.scope("qkv_proj.bias"), [3 * hidden], () => contentBias(layer))
      : content.bias;
    const projected = (scope: string, of: Value): Value =>
      product(attn.at(scope), of, content.matrix, { bias: qkvBias, compute: ctx.compute });
    const [q, k, v] = thirds(attn, projected("qkv_proj", x));
    const shared = spec.keys
      ? undefined
      : thirds(attn.at("positions"), projected("positions", relative.table));
    const table = (
      name: "keys" | "queries",
      type: "c2p" | "p2c",
      own: Value | undefined,
    ): Value | undefined => {
      if (!config.pos_att_type.includes(type)) return undefined;
      const project = spec[name];
      const rows =
        own ??
        linear(
          attn,
          name,
          relative.table,
          { role: "qkv", ...(project as NonNullable<typeof project>)(layer) },
          ctx,
        );
      return headsFirst(attn.at(name), rows, shape);
    };
    const options = {
      ...{ shape, lengths: inputs.lengths, distances, scale },
      keys: table("keys", "c2p", shared?.[1]),
      queries: table("queries", "p2c", shared?.[0]),
    };
    const attended = disentangledAttention(attn, [q, k, v], options);
    const out = project(
      attn,
      "output",
      attended,
      of(`${module}.attention.output.dense`, "attention_output"),
      ctx,
    );
    const middle = norm(`${module}.attention.output.LayerNorm`);
    ({ normed: x } = addLayerNorm(at, "attention.LayerNorm", x, out.y, out.bias, middle, ctx));
    const up = of(`${module}.intermediate.dense`, "mlp_up");
    const down = of(`${module}.output.dense`, "mlp_down");
    const { y, bias } = mlp(at.at("mlp"), x, { up, down, activation: config.hidden_act }, ctx);
    const last = norm(`${module}.output.LayerNorm`);
    ({ normed: x } = addLayerNorm(at, "output.LayerNorm", x, y, bias, last, ctx));
    if (layer === 0 && spec.afterFirst) {
      x = spec.afterFirst(g.at("conv"), real(g.at("conv"), embedded, inputs), x);
    }
  }
  x = g.node("Identity", [x], {}, "last_hidden_state");
  g.output(x, "float32", ["batch_size", "sequence_length", hidden]);
  return {
    ...{ x, hidden, lengths: inputs.lengths, word: words },
    segments: config.type_vocab_size,
    contextLength: config.max_position_embeddings,
  };
}

/** Heads of either version. */
export function debertaHeads(raw: Record<string, unknown>): HeadModules {
  const {
    pooler_hidden_act: pooling,
    hidden_act: activation,
    layer_norm_eps: epsilon,
    legacy,
  } = headFields.parse(raw);
  const before = legacy ? "cls.predictions.transform" : "lm_predictions.lm_head";
  return {
    classifier: { pooler: { module: "pooler.dense", activation: pooling }, scores: "classifier" },
    tokens: "classifier",
    spans: "qa_outputs",
    mask: {
      transform: { dense: `${before}.dense`, activation, norm: `${before}.LayerNorm`, epsilon },
      decoder: "cls.predictions.decoder",
      bias: legacy
        ? ["cls.predictions.bias", "cls.predictions.decoder.bias"]
        : ["lm_predictions.lm_head.bias"],
    },
  };
}

/** What heads need to know; what is wrong with it, the schema of the whole configuration says. */
const headFields = z.looseObject({
  pooler_hidden_act: z.enum(activationNames).catch("gelu"),
  hidden_act: z.enum(activationNames).catch("gelu"),
  layer_norm_eps: z.number().catch(1e-7),
  legacy: z.boolean().catch(true),
});

function embeddings(
  g: GraphBuilder,
  config: DebertaConfig,
  inputs: EncoderInputs & { words: Table },
  ctx: BuildContext,
): Value {
  const table = (name: string): Table => storeTableOf(g, name, `embeddings.${name}.weight`, ctx, "position");
  let x = embedding(g, "word_embeddings", inputs.inputIds, inputs.words);
  if (config.position_biased_input) {
    const name = "position_embeddings";
    x = g.node("Add", [x, embedding(g, name, inputs.positionIds, table(name))]);
  }
  if (config.type_vocab_size > 0) {
    const name = "token_type_embeddings";
    x = g.node("Add", [x, embedding(g, name, inputs.tokenTypeIds, table(name))]);
  }
  if ((config.embedding_size ?? config.hidden_size) !== config.hidden_size) {
    x = linear(g, "embed_proj", x, { role: "qkv", tensors: ["embeddings.embed_proj.weight"] }, ctx);
  }
  const module = "embeddings.LayerNorm";
  const norm = { weight: `${module}.weight`, bias: `${module}.bias`, epsilon: config.layer_norm_eps };
  return layerNorm(g, module, x, norm, ctx);
}

/** The table of distances, [2 · span, hidden]. All that is made of it is constant; the runtime computes it once. */
function relativeTable(g: GraphBuilder, config: DebertaConfig, spec: DebertaSpec, ctx: BuildContext) {
  const { hidden_size: hidden, max_relative_positions: most } = config;
  const longest = most < 1 ? config.max_position_embeddings : most;
  const span = spec.buckets ?? longest;
  const tensor = "encoder.rel_embeddings.weight";
  const stored = storeTable(g, g.scope("rel_embeddings"), [2 * span, hidden], () =>
    ctx.weights.read(tensor, 0, 2 * span),
  );
  const name = "encoder.LayerNorm";
  const norm = { weight: `${name}.weight`, bias: `${name}.bias`, epsilon: config.layer_norm_eps };
  const table = spec.normed ? layerNorm(g, "rel_embeddings.LayerNorm", stored, norm, ctx) : stored;
  return { table, span, ...(spec.buckets && { buckets: { maxDistance: longest } }) };
}

/** x [..., 3n] as three of [..., n]. */
function thirds(g: GraphBuilder, x: Value): [Value, Value, Value] {
  const [a, b, c] = g.nodes("Split", [x], { axis: -1, num_outputs: 3 }, [undefined, undefined, undefined]);
  return [a, b, c];
}

/** x [rows, heads · headDim] as [heads, rows, headDim]. */
function headsFirst(
  g: GraphBuilder,
  x: Value,
  { heads, headDim }: { heads: number; headDim: number },
): Value {
  const apart = g.node("Reshape", [x, g.constant("int64", [3], [0, heads, headDim])]);
  return g.node("Transpose", [apart], { perm: [1, 0, 2] });
}

/** x [batch, sequence, hidden] with zeros behind each row's length. */
function real(g: GraphBuilder, x: Value, { positionIds, lengths }: EncoderInputs): Value {
  const axis = (i: number): Value => g.constant("int64", [1], [i]);
  const ends = g.node("Unsqueeze", [g.node("Cast", [lengths], { to: INT64 }), axis(1)]);
  const inside = g.node("Unsqueeze", [g.node("Less", [positionIds, ends]), axis(2)]);
  return g.node("Where", [inside, x, g.constant("float32", [1], [0])]);
}

/** ONNX's number of the type (TensorProto.DataType). */
const INT64 = 7;
