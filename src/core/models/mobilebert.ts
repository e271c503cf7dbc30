import { z } from "zod";
import { type Activation, activationNames, biasedActivate } from "../graph/blocks/activation.js";
import { embedding, storeTableOf } from "../graph/blocks/embedding.js";
import { multiHeadAttention } from "../graph/blocks/encoder-attention.js";
import { linear, product, storeLinear } from "../graph/blocks/linear.js";
import { storeVector } from "../graph/blocks/matrix.js";
import type { GraphBuilder, Value } from "../graph/builder.js";
import type { BuildContext, MatrixRole } from "../graph/model-weights.js";
import { count, parseWith, positions } from "./config.js";
import { bertHeads } from "./encoder/bert-like.js";
import { type EncoderInputs, encoderInputs } from "./encoder/embed.js";
import {
  buildHead,
  type HeadModules,
  type HeadSpec,
  hasHead,
  headShapes,
  headTasks,
  readHead,
} from "./encoder/heads.js";
import type { Shapes } from "./shapes.js";
import type { Architecture } from "./types.js";

const schema = z
  .looseObject({
    vocab_size: count,
    hidden_size: count.default(512),
    num_hidden_layers: count.default(24),
    num_attention_heads: count.default(4),
    intermediate_size: count.default(512),
    max_position_embeddings: positions.default(512),
    embedding_size: count.default(128),
    intra_bottleneck_size: count.default(128),
    num_feedforward_networks: count.default(4),
    hidden_act: z.enum(activationNames).default("relu"),
    classifier_activation: z.boolean().default(true),
    normalization_type: z.literal("no_norm").default("no_norm"),
    trigram_input: z.literal(true).default(true),
    use_bottleneck: z.literal(true).default(true),
    use_bottleneck_attention: z.literal(false).default(false),
    key_query_shared_bottleneck: z.literal(true).default(true),
  })
  .refine((config) => config.intra_bottleneck_size % config.num_attention_heads === 0, {
    path: ["num_attention_heads"],
    message: "it must divide intra_bottleneck_size",
  });

type Config = z.infer<typeof schema> & { head?: HeadSpec };

/**
 * MobileBERT: wide hidden states, narrow layers, and scales in place of norms. Source: transformers,
 * models/mobilebert/modeling_mobilebert.py.
 */
export const mobilebert: Architecture<Config> = {
  modelType: "mobilebert",
  tasks: ["feature-extraction", "sentence-similarity"],
  prefixes: ["mobilebert."],
  headTasks(raw, weights) {
    const head = weights && readHead(raw, heads(raw));
    return head && !hasHead(head, weights) ? [] : headTasks(raw, heads(raw));
  },

  parseConfig: (raw) => ({ ...parseWith(schema, raw), head: readHead(raw, heads(raw)) }),
  shapes: (config) => ({ ...shapes(config), ...headShapes(config.head, config.hidden_size) }),

  build(g, config, ctx) {
    const inputs = encoderInputs(g);
    const word = storeTableOf(g, "word_embeddings", "embeddings.word_embeddings.weight", ctx);
    const tables = {
      position: storeTableOf(
        g,
        "position_embeddings",
        "embeddings.position_embeddings.weight",
        ctx,
        "position",
      ),
      type: storeTableOf(
        g,
        "token_type_embeddings",
        "embeddings.token_type_embeddings.weight",
        ctx,
        "position",
      ),
    };
    const near = neighbours(g.at("trigram"), embedding(g, "word_embeddings", inputs.inputIds, word), inputs);
    let x = linear(
      g,
      "embedding_transformation",
      near,
      linearOf(["embeddings.embedding_transformation"], "mlp_up"),
      ctx,
    );
    x = g.node("Add", [x, embedding(g, "position_embeddings", inputs.positionIds, tables.position)]);
    x = g.node("Add", [x, embedding(g, "token_type_embeddings", inputs.tokenTypeIds, tables.type)]);
    x = scaled(g, "embeddings.LayerNorm", x, undefined, "embeddings.LayerNorm", ctx);
    for (let i = 0; i < config.num_hidden_layers; i++) {
      const as = i === config.num_hidden_layers - 1 ? "last_hidden_state" : undefined;
      x = layer(g.at(`layers.${i}`), `encoder.layer.${i}`, x, { config, lengths: inputs.lengths, as }, ctx);
    }
    g.output(x, "float32", ["batch_size", "sequence_length", config.hidden_size]);
    const segments = tables.type.rows;
    const built = buildHead(g, x, config.head, { hidden: config.hidden_size, word, segments }, ctx);
    return {
      kind: "encoder",
      hiddenSize: config.hidden_size,
      vocabularySize: word.rows,
      contextLength: Math.min(config.max_position_embeddings, tables.position.rows),
      ...built,
    };
  },
};

function heads(raw: Record<string, unknown>): HeadModules {
  const { classifier, mask, ...rest } = bertHeads({ hidden_act: "relu", ...raw });
  return {
    ...rest,
    classifier: raw.classifier_activation === false ? { scores: "classifier" } : classifier,
    mask: mask && { ...mask, rest: "cls.predictions.dense" },
  };
}

function shapes(config: Config): Shapes {
  const { hidden_size: hidden, embedding_size: size, intermediate_size: inner } = config;
  const narrow = config.intra_bottleneck_size;
  const at = "encoder.layer.N";
  return {
    "embeddings.word_embeddings": [undefined, size],
    "embeddings.position_embeddings": [undefined, hidden],
    "embeddings.token_type_embeddings": [undefined, hidden],
    "embeddings.embedding_transformation": [hidden, 3 * size],
    "embeddings.LayerNorm": [hidden],
    [`${at}.bottleneck.input.dense`]: [narrow, hidden],
    [`${at}.bottleneck.attention.dense`]: [narrow, hidden],
    [`${at}.attention.self.query`]: [narrow, narrow],
    [`${at}.attention.self.key`]: [narrow, narrow],
    [`${at}.attention.self.value`]: [narrow, hidden],
    [`${at}.attention.output.dense`]: [narrow, narrow],
    [`${at}.intermediate.dense`]: [inner, narrow],
    [`${at}.output.dense`]: [narrow, inner],
    [`${at}.output.bottleneck.dense`]: [hidden, narrow],
  };
}

/**
 * x [batch, sequence, size] between what follows and what precedes it: [batch, sequence, 3 · size]. There is nothing
 * beyond the ends of a row; its padding is no token.
 *
 *   x → Where(position < length, x, 0) → Pad → Slice (next) | x | Slice (previous) → Concat
 */
function neighbours(g: GraphBuilder, x: Value, { positionIds, lengths }: EncoderInputs): Value {
  const int64 = (...values: number[]): Value => g.constant("int64", [values.length], values);
  const length = g.node("Unsqueeze", [g.node("Cast", [lengths], { to: INT64 }), int64(1)]);
  const real = g.node("Unsqueeze", [g.node("Less", [positionIds, length]), int64(2)]);
  const tokens = g.node("Where", [real, x, g.constant("float32", [], [0])]);
  const padded = g.node("Pad", [tokens, int64(0, 1, 0, 0, 1, 0)]);
  const next = g.node("Slice", [padded, int64(2), int64(END), int64(1)]);
  const previous = g.node("Slice", [padded, int64(0), int64(-2), int64(1)]);
  return g.node("Concat", [next, tokens, previous], { axis: 2 });
}

/** ONNX's number of the type (TensorProto.DataType). */
const INT64 = 7;
/** Slice stops where the axis does. */
const END = 2 ** 31 - 1;

/**
 * One layer on x [batch, sequence, hidden], all but its ends narrow.
 *
 *   x → bottleneck(input) ─────────────────────────────────────┐
 *     → bottleneck(attention) → q | k ─┐                       │
 *     → v ─────────────────────── MultiHeadAttention → dense → scale → MLPs → dense → scale(+ x)
 */
function layer(
  g: GraphBuilder,
  name: string,
  x: Value,
  { config, lengths, as }: { config: Config; lengths: Value; as?: string },
  ctx: BuildContext,
): Value {
  const heads = config.num_attention_heads;
  const shape = { heads, kvHeads: heads, headDim: config.intra_bottleneck_size / heads };
  const dense = (scope: string, input: Value, modules: string[], role: MatrixRole): Value =>
    linear(
      g,
      scope,
      input,
      linearOf(
        modules.map((module) => `${name}.${module}`),
        role,
      ),
      ctx,
    );
  const norm = (scope: string, y: Value, residual: Value | undefined, module: string, out?: string): Value =>
    scaled(g, scope, y, residual, `${name}.${module}`, ctx, out);
  const bottleneck = (part: string): Value =>
    norm(
      `bottleneck.${part}.LayerNorm`,
      dense(`bottleneck.${part}`, x, [`bottleneck.${part}.dense`], "mlp_up"),
      undefined,
      `bottleneck.${part}.LayerNorm`,
    );
  const narrow = bottleneck("input");
  const qk = dense(
    "attn/qk_proj",
    bottleneck("attention"),
    ["attention.self.query", "attention.self.key"],
    "qkv",
  );
  const [q, k] = g.nodes("Split", [qk], { axis: -1, num_outputs: 2 }, [undefined, undefined]);
  const v = dense("attn/v_proj", x, ["attention.self.value"], "qkv");
  const attended = multiHeadAttention(g.at("attn"), [q, k, v], { shape, lengths });
  const output = dense("attn/output", attended, ["attention.output.dense"], "attention_output");
  let y = norm("attention.LayerNorm", output, narrow, "attention.output.LayerNorm");
  const mlps = Array.from({ length: config.num_feedforward_networks - 1 }, (_, i) => `ffn.${i}.`);
  for (const module of [...mlps, ""]) {
    const up = linearOf([`${name}.${module}intermediate.dense`], "mlp_up");
    const inner = activated(g, `${module}up_proj`, y, up, config.hidden_act, ctx);
    const down = dense(`${module}down_proj`, inner, [`${module}output.dense`], "mlp_down");
    y = norm(`${module}output.LayerNorm`, down, y, `${module}output.LayerNorm`);
  }
  const wide = dense("bottleneck.output", y, ["output.bottleneck.dense"], "mlp_down");
  return norm("bottleneck.output.LayerNorm", wide, x, "output.bottleneck.LayerNorm", as);
}

/** (x + residual) · w + b: what stands in the norms' places. */
function scaled(
  g: GraphBuilder,
  name: string,
  x: Value,
  residual: Value | undefined,
  module: string,
  ctx: BuildContext,
  as?: string,
): Value {
  const [weight, bias] = ["weight", "bias"].map((part) =>
    storeVector(g, `${g.scope(name)}.${part}`, [`${module}.${part}`], ctx),
  );
  const at = g.at(name);
  const sum = residual ? at.node("Add", [x, residual]) : x;
  return at.node("Add", [at.node("Mul", [sum, weight]), bias], {}, as);
}

function activated(
  g: GraphBuilder,
  name: string,
  x: Value,
  of: ReturnType<typeof linearOf>,
  activation: Activation,
  ctx: BuildContext,
): Value {
  const { matrix, bias } = storeLinear(g, name, of, ctx);
  const at = g.at(name);
  return biasedActivate(at, product(at, x, matrix, { compute: ctx.compute }), bias, activation);
}

function linearOf(modules: string[], role: MatrixRole) {
  return {
    role,
    tensors: modules.map((module) => `${module}.weight`),
    bias: modules.map((module) => `${module}.bias`),
  };
}
