import { HfmsError } from "../errors.js";
import { nestedDefaults } from "./nested-defaults.js";
import type { Architecture } from "./types.js";

/**
 * THE list: every architecture that hfms builds graphs for, by config.json's `model_type`. Each is loaded when a model
 * needs it; there are too many to read them all at every start.
 */
export const architectures: Record<string, () => Promise<Architecture>> = {
  albert: async () => (await import("./albert.js")).albert as Architecture,
  apertus: async () => (await import("./apertus.js")).apertus as Architecture,
  arcee: async () => (await import("./arcee.js")).arcee as Architecture,
  bart: async () => (await import("./bart.js")).bart as Architecture,
  bert: async () => (await import("./bert.js")).bert as Architecture,
  big_bird: async () => (await import("./big-bird.js")).bigBird as Architecture,
  biogpt: async () => (await import("./biogpt.js")).biogpt as Architecture,
  bitnet: async () => (await import("./bitnet.js")).bitnet as Architecture,
  blenderbot: async () => (await import("./blenderbot.js")).blenderbot as Architecture,
  "blenderbot-small": async () => (await import("./blenderbot-small.js")).blenderbotSmall as Architecture,
  bloom: async () => (await import("./bloom.js")).bloom as Architecture,
  camembert: async () => (await import("./camembert.js")).camembert as Architecture,
  codegen: async () => (await import("./codegen.js")).codegen as Architecture,
  cohere: async () => (await import("./cohere.js")).cohere as Architecture,
  cohere2: async () => (await import("./cohere2.js")).cohere2 as Architecture,
  "data2vec-text": async () => (await import("./data2vec-text.js")).data2vecText as Architecture,
  deberta: async () => (await import("./deberta.js")).deberta as Architecture,
  "deberta-v2": async () => (await import("./deberta-v2.js")).debertaV2 as Architecture,
  distilbert: async () => (await import("./distilbert.js")).distilbert as Architecture,
  dpr: async () => (await import("./dpr.js")).dpr as Architecture,
  electra: async () => (await import("./electra.js")).electra as Architecture,
  ernie: async () => (await import("./ernie.js")).ernie as Architecture,
  ernie4_5: async () => (await import("./ernie4-5.js")).ernie45 as Architecture,
  esm: async () => (await import("./esm.js")).esm as Architecture,
  eurobert: async () => (await import("./eurobert.js")).eurobert as Architecture,
  exaone4: async () => (await import("./exaone4.js")).exaone4 as Architecture,
  falcon: async () => (await import("./falcon.js")).falcon as Architecture,
  flaubert: async () => (await import("./flaubert.js")).flaubert as Architecture,
  gemma: async () => (await import("./gemma.js")).gemma as Architecture,
  gemma2: async () => (await import("./gemma2.js")).gemma2 as Architecture,
  gemma3_text: async () => (await import("./gemma3-text.js")).gemma3Text as Architecture,
  glm: async () => (await import("./glm.js")).glm as Architecture,
  glm4: async () => (await import("./glm4.js")).glm4 as Architecture,
  gpt2: async () => (await import("./gpt2.js")).gpt2 as Architecture,
  gpt_bigcode: async () => (await import("./gpt-bigcode.js")).gptBigcode as Architecture,
  gpt_neo: async () => (await import("./gpt-neo.js")).gptNeo as Architecture,
  gpt_neox: async () => (await import("./gpt-neox.js")).gptNeox as Architecture,
  gpt_oss: async () => (await import("./gpt-oss.js")).gptOss as Architecture,
  gptj: async () => (await import("./gptj.js")).gptj as Architecture,
  granite: async () => (await import("./granite.js")).granite as Architecture,
  granitemoe: async () => (await import("./granitemoe.js")).granitemoe as Architecture,
  granitemoehybrid: async () => (await import("./granitemoehybrid.js")).granitemoehybrid as Architecture,
  gte: async () => (await import("./gte.js")).gte as Architecture,
  helium: async () => (await import("./helium.js")).helium as Architecture,
  hunyuan_v1_dense: async () => (await import("./hunyuan-v1-dense.js")).hunyuanV1Dense as Architecture,
  ibert: async () => (await import("./ibert.js")).ibert as Architecture,
  internlm3: async () => (await import("./internlm3.js")).internlm3 as Architecture,
  jina_embeddings_v3: async () => (await import("./jina-embeddings-v3.js")).jinaEmbeddingsV3 as Architecture,
  layoutlm: async () => (await import("./layoutlm.js")).layoutlm as Architecture,
  llama: async () => (await import("./llama.js")).llama as Architecture,
  m2m_100: async () => (await import("./m2m-100.js")).m2m100 as Architecture,
  marian: async () => (await import("./marian.js")).marian as Architecture,
  mbart: async () => (await import("./mbart.js")).mbart as Architecture,
  ministral: async () => (await import("./ministral.js")).ministral as Architecture,
  ministral3: async () => (await import("./ministral3.js")).ministral3 as Architecture,
  mistral: async () => (await import("./mistral.js")).mistral as Architecture,
  mixtral: async () => (await import("./mixtral.js")).mixtral as Architecture,
  mobilebert: async () => (await import("./mobilebert.js")).mobilebert as Architecture,
  modernbert: async () => (await import("./modernbert.js")).modernbert as Architecture,
  "modernbert-decoder": async () =>
    (await import("./modernbert-decoder.js")).modernbertDecoder as Architecture,
  mpnet: async () => (await import("./mpnet.js")).mpnet as Architecture,
  mpt: async () => (await import("./mpt.js")).mpt as Architecture,
  mt5: async () => (await import("./mt5.js")).mt5 as Architecture,
  mvp: async () => (await import("./mvp.js")).mvp as Architecture,
  nanochat: async () => (await import("./nanochat.js")).nanochat as Architecture,
  nemotron: async () => (await import("./nemotron.js")).nemotron as Architecture,
  new: async () => (await import("./new.js")).newModel as Architecture,
  nomic_bert: async () => (await import("./nomic-bert.js")).nomicBert as Architecture,
  olmo: async () => (await import("./olmo.js")).olmo as Architecture,
  olmo2: async () => (await import("./olmo2.js")).olmo2 as Architecture,
  olmo3: async () => (await import("./olmo3.js")).olmo3 as Architecture,
  olmoe: async () => (await import("./olmoe.js")).olmoe as Architecture,
  "openai-gpt": async () => (await import("./openai-gpt.js")).openaiGpt as Architecture,
  opt: async () => (await import("./opt.js")).opt as Architecture,
  pegasus: async () => (await import("./pegasus.js")).pegasus as Architecture,
  persimmon: async () => (await import("./persimmon.js")).persimmon as Architecture,
  phi: async () => (await import("./phi.js")).phi as Architecture,
  phi3: async () => (await import("./phi3.js")).phi3 as Architecture,
  plbart: async () => (await import("./plbart.js")).plbart as Architecture,
  qwen2: async () => (await import("./qwen2.js")).qwen2 as Architecture,
  qwen2_moe: async () => (await import("./qwen2-moe.js")).qwen2Moe as Architecture,
  qwen3: async () => (await import("./qwen3.js")).qwen3 as Architecture,
  qwen3_moe: async () => (await import("./qwen3-moe.js")).qwen3Moe as Architecture,
  rembert: async () => (await import("./rembert.js")).rembert as Architecture,
  roberta: async () => (await import("./roberta.js")).roberta as Architecture,
  "roberta-prelayernorm": async () =>
    (await import("./roberta-prelayernorm.js")).robertaPrelayernorm as Architecture,
  roformer: async () => (await import("./roformer.js")).roformer as Architecture,
  seed_oss: async () => (await import("./seed-oss.js")).seedOss as Architecture,
  smollm3: async () => (await import("./smollm3.js")).smollm3 as Architecture,
  splinter: async () => (await import("./splinter.js")).splinter as Architecture,
  stablelm: async () => (await import("./stablelm.js")).stablelm as Architecture,
  starcoder2: async () => (await import("./starcoder2.js")).starcoder2 as Architecture,
  t5: async () => (await import("./t5.js")).t5 as Architecture,
  umt5: async () => (await import("./umt5.js")).umt5 as Architecture,
  vaultgemma: async () => (await import("./vaultgemma.js")).vaultgemma as Architecture,
  xglm: async () => (await import("./xglm.js")).xglm as Architecture,
  xlm: async () => (await import("./xlm.js")).xlm as Architecture,
  "xlm-roberta": async () => (await import("./xlm-roberta.js")).xlmRoberta as Architecture,
  "xlm-roberta-xl": async () => (await import("./xlm-roberta-xl.js")).xlmRobertaXl as Architecture,
  jais2: async () => (await import("./jais2.js")).jais2 as Architecture,
  hyperclovax: async () => (await import("./hyperclovax.js")).hyperclovax as Architecture,
};

/** Throws unsupported_model naming the type. */
export async function architectureOf(modelType: unknown): Promise<Architecture> {
  if (typeof modelType === "string" && Object.hasOwn(architectures, modelType)) {
    return architectures[modelType]();
  }
  const count = Object.keys(architectures).length;
  throw new HfmsError("unsupported_model", `model_type ${JSON.stringify(modelType)} is not supported`, {
    hint: `hfms builds graphs for ${count} others; \`hfms discover --runnable\` lists models that work`,
    param: "model",
  });
}

/** GGUF's `general.architecture` where it is not the model_type. Source: llama.cpp, src/llama-arch.cpp. */
const ggufNames: Record<string, string> = {
  "command-r": "cohere",
  "hunyuan-dense": "hunyuan_v1_dense",
  gemma3: "gemma3_text",
  gptneox: "gpt_neox",
  phi2: "phi",
  qwen2moe: "qwen2_moe",
  qwen3moe: "qwen3_moe",
  starcoder: "gpt_bigcode",
};

/** The model_type of a GGUF file's `general.architecture`. */
export function modelTypeOfGguf(architecture: unknown): unknown {
  return (typeof architecture === "string" && ggufNames[architecture]) || architecture;
}

/** Models of custom code that call themselves by another one's model_type, by that and their kind of positions. */
const ownTypes: Record<string, string | undefined> = {
  "xlm-roberta rotary": "jina_embeddings_v3",
};

/**
 * The configuration of a model's text: that of its language model, where config.json is of a model for several kinds of
 * input and has one inside.
 */
export function textConfig(config: Record<string, unknown>): Record<string, unknown> {
  const own = ownTypes[`${config.model_type} ${config.position_embedding_type}`];
  if (own) return { ...config, model_type: own };
  const { model_type: type, text_config: inner } = config;
  if (typeof type === "string" && Object.hasOwn(architectures, type)) return config;
  if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return config;
  const { tie_word_embeddings, eos_token_id } = config;
  return {
    ...nestedDefaults[String((inner as Record<string, unknown>).model_type)],
    ...(tie_word_embeddings !== undefined && { tie_word_embeddings }),
    ...(eos_token_id !== undefined && { eos_token_id }),
    ...inner,
  };
}
