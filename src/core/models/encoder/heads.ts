import { z } from "zod";
import type { Activation } from "../../graph/blocks/activation.js";
import { type ClassifierHead, classifierHead, type Pooler } from "../../graph/blocks/classifier-head.js";
import type { Table } from "../../graph/blocks/embedding.js";
import { maskedLmHead, type TokenHead, tokenHead } from "../../graph/blocks/token-head.js";
import type { GraphBuilder, Value } from "../../graph/builder.js";
import type { BuildContext, ModelWeights } from "../../graph/model-weights.js";
import { classifierFields, classifierOf, labelCount, labelsOf } from "../classifier.js";
import { parseWith } from "../config.js";
import type { Shapes } from "../shapes.js";
import type { ClassifierInfo, EncoderInfo } from "../types.js";

/** The modules of the heads that a model_type's classes have. A head that is absent is not built. */
export interface HeadModules {
  /** …ForSequenceClassification */
  classifier?: ClassifierHead;
  /** …ForTokenClassification: the linear layer, or what stands before it, too. */
  tokens?: string | TokenHead;
  /** …ForQuestionAnswering: likewise. */
  spans?: string | TokenHead;
  /** …ForMaskedLM */
  mask?: MaskModules;
}

export interface MaskModules {
  transform?: {
    dense: string;
    /** The dense layer has a bias; by default it has. */
    biased?: boolean;
    activation: Activation;
    norm: string;
    normBias?: boolean;
    epsilon: number;
  };
  /** The output matrix; its weights are those of the table of tokens unless config.json says otherwise. */
  decoder: string;
  /** Where files keep its bias: first its own place, then that of a matrix which is not the table. */
  bias: readonly string[];
  /** A further matrix, [in, out], for the inputs that the table has no columns for. */
  rest?: string;
  /** Whether the matrix is the table where config.json says nothing. Default true. */
  tied?: boolean;
}

/** The head of a model, as its config.json names it. */
export type HeadSpec =
  | { task: "text-classification"; head: ClassifierHead; info: Omit<ClassifierInfo, "segments"> }
  | { task: "token-classification"; head: TokenHead; labels: string[] }
  | { task: "question-answering"; head: TokenHead }
  | { task: "fill-mask"; modules: MaskModules; tied: boolean };

const fields = z.looseObject({ ...classifierFields, tie_word_embeddings: z.boolean().nullish() });

/** Reads which head `architectures` names; undefined where it is none that the model_type has. */
export function readHead(raw: Record<string, unknown>, modules: HeadModules): HeadSpec | undefined {
  const config = parseWith(fields, raw);
  const { classifier, tokens, spans, mask } = modules;
  switch (headKind(config.architectures)) {
    case "classifier":
      return classifier && { task: "text-classification", head: classifier, info: classifierOf(config) };
    case "tokens":
      return tokens === undefined
        ? undefined
        : { task: "token-classification", head: tokenHeadOf(tokens), labels: labelsOf(config) };
    case "spans":
      return spans === undefined ? undefined : { task: "question-answering", head: tokenHeadOf(spans) };
    case "mask":
      return (
        mask && { task: "fill-mask", modules: mask, tied: config.tie_word_embeddings ?? mask.tied ?? true }
      );
    default:
      return undefined;
  }
}

/** Tasks of the head that `architectures` names. A classifier with one label gives a score, which is what ranking needs. */
export function headTasks(raw: Record<string, unknown>, modules: HeadModules): string[] {
  const { success, data } = fields.safeParse(raw);
  const kind = success ? headKind(data.architectures) : undefined;
  if (!data || !kind || modules[kind] === undefined) return [];
  if (kind !== "classifier") return [tasks[kind]];
  return labelCount(data) === 1 ? ["text-ranking", tasks[kind]] : [tasks[kind]];
}

const tasks = {
  classifier: "text-classification",
  tokens: "token-classification",
  spans: "question-answering",
  mask: "fill-mask",
} as const;

/** By the end of the class's name: the classes of kindred model_types stand for each other in files. */
function headKind(architectures: readonly string[] | null | undefined): keyof HeadModules | undefined {
  const [name = ""] = architectures ?? [];
  if (name.endsWith("ForSequenceClassification")) return "classifier";
  if (name.endsWith("ForTokenClassification")) return "tokens";
  if (/ForQuestionAnswering(Simple)?$/.test(name)) return "spans";
  if (/ForMaskedLM$|WithLMHeadModel$/.test(name)) return "mask";
  return undefined;
}

export function headShapes(head: HeadSpec | undefined, hidden: number): Shapes {
  switch (head?.task) {
    case "text-classification": {
      const { pooler, scores } = head.head;
      return { ...poolerShapes(pooler, hidden), [scores]: [head.info.labels.length, hidden] };
    }
    case "token-classification":
      return { ...poolerShapes(head.head.pooler, hidden), [head.head.scores]: [head.labels.length, hidden] };
    case "question-answering":
      return { ...poolerShapes(head.head.pooler, hidden), [head.head.scores]: [2, hidden] };
    case "fill-mask": {
      const { transform, decoder } = head.modules;
      if (!transform) return { [decoder]: [undefined, hidden] };
      return {
        [transform.dense]: [undefined, hidden],
        [transform.norm]: [undefined],
        [decoder]: [undefined, undefined],
      };
    }
    default:
      return {};
  }
}

function poolerShapes(pooler: Pooler | undefined, hidden: number): Shapes {
  if (!pooler) return {};
  return { [pooler.module]: [hidden, hidden], ...(pooler.norm && { [pooler.norm.module]: [hidden] }) };
}

function tokenHeadOf(modules: string | TokenHead): TokenHead {
  return typeof modules === "string" ? { scores: modules } : modules;
}

/** Whether the weights have the head. Models of sentences often name the class that they were trained from. */
export function hasHead(head: HeadSpec, weights: Pick<ModelWeights, "has">): boolean {
  if (head.task !== "fill-mask") return true;
  const { transform, decoder, bias } = head.modules;
  const own = [transform ? `${transform.dense}.weight` : `${decoder}.weight`, ...bias];
  return own.some((tensor) => weights.has(tensor));
}

/** Adds the head to last_hidden_state x [batch, sequence, hidden], and says what the runtime must know of it. */
export function buildHead(
  g: GraphBuilder,
  x: Value,
  head: HeadSpec | undefined,
  { hidden, word, segments, lengths }: { hidden: number; word: Table; segments: number; lengths?: Value },
  ctx: BuildContext,
): Pick<EncoderInfo, "classifier" | "tokenHead"> {
  if (!head || !hasHead(head, ctx.weights)) return {};
  if (head.task === "text-classification") {
    classifierHead(g, { x, lengths }, head.head, head.info.labels.length, ctx);
    return { classifier: { ...head.info, segments } };
  }
  if (head.task === "token-classification") {
    tokenHead(g, x, head.head, head.labels.length, ctx);
    return { tokenHead: { task: head.task, labels: head.labels } };
  }
  if (head.task === "question-answering") {
    tokenHead(g, x, head.head, 2, ctx);
    return { tokenHead: { task: head.task, segments } };
  }
  const { transform, decoder, bias, rest } = head.modules;
  const own = `${decoder}.weight`;
  const { vocabulary } = maskedLmHead(
    g,
    x,
    {
      ...(transform && {
        transform: {
          dense: transform.dense,
          biased: transform.biased,
          activation: transform.activation,
          norm: { module: transform.norm, bias: transform.normBias, epsilon: transform.epsilon },
        },
      }),
      decoder: !head.tied && ctx.weights.has(own) ? { tensor: own } : { tied: word },
      rest,
      bias: (head.tied ? bias : [...bias].reverse()).find((tensor) => ctx.weights.has(tensor)),
    },
    hidden,
    ctx,
  );
  return { tokenHead: { task: head.task, vocabulary } };
}
