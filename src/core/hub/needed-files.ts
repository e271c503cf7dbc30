import { HfmsError } from "../errors.js";
import type { RepoFile } from "../requests.js";
import { ggufParts } from "../weights/gguf-parts.js";
import { pickleOnly, refusePickle } from "./pickle-files.js";
import { safetensorsFiles } from "./safetensors-files.js";

export interface NeededFiles {
  format: "safetensors" | "gguf";
  /** Every file to fetch, weights included. */
  files: string[];
  weights: string[];
  /** The index that names the shards; its own content decides when it is given. */
  index?: string;
}

export interface NeededFilesOptions {
  /** The model's name, for messages. */
  id: string;
  files: readonly RepoFile[];
  /** Which GGUF: `Q8_0`. Without it safetensors go first, then GGUF in the order of `ggufOrder`. */
  quant?: string;
  /** Content of model.safetensors.index.json once it is here. */
  index?: string;
}

/**
 * GGUF number formats that hfms reads, best first: `auto` runs int8, which Q8_0 carries without loss worth naming and
 * with half of F16's bytes; the rest by what they keep of the weights. `Q4_K` stands for Q4_K_M and its kin, which mix it
 * with its neighbours: the larger mix goes first.
 */
export const ggufOrder = [
  "Q8_0",
  "BF16",
  "F16",
  "F32",
  "Q8_K",
  "Q6_K",
  "Q5_K",
  "Q5_1",
  "Q5_0",
  "Q4_K",
  "IQ4_NL",
  "IQ4_XS",
  "Q4_1",
  "Q4_0",
  "Q3_K",
  "Q2_K",
] as const;
const mixSizes = ["_XL", "_L", "_M", "", "_S"];
const readable = ggufOrder.join(", ");

/** Files beside the weights that a text model is run with; those that a repository lacks are not needed. */
const sideFiles = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "chat_template.jinja",
  "chat_template.json",
  "modules.json",
  "sentence_bert_config.json",
  "config_sentence_transformers.json",
];

/** Only read where there is no tokenizer.json. */
const vocabularyFiles = [
  "vocab.json",
  "vocab.txt",
  "merges.txt",
  "tokenizer.model",
  "spiece.model",
  "sentencepiece.bpe.model",
];

/** Which files of a repository a text model needs. Throws unsupported_model, saying what is there instead. */
export function neededFiles(options: NeededFilesOptions): NeededFiles {
  const paths = options.files.map((file) => file.path);
  const has = new Set(paths);
  const side = [
    ...sideFiles.filter((file) => has.has(file)),
    ...(has.has("tokenizer.json") ? [] : vocabularyFiles.filter((file) => has.has(file))),
    ...(has.has("modules.json") ? sentenceTransformerModules(options.id, paths) : []),
  ];
  const { id, quant, index: content } = options;
  const safetensors = quant ? undefined : safetensorsFiles(id, paths, content);
  const weights = safetensors ?? gguf(options, paths);
  if (weights.format === "safetensors" && !has.has("config.json")) {
    throw new HfmsError(
      "unsupported_model",
      `${options.id} has weights but no config.json to say what they are`,
      {
        hint: "pick a repository in the transformers layout",
      },
    );
  }
  const index = weights.index ? [weights.index] : [];
  return { ...weights, files: [...new Set([...side, ...index, ...weights.weights])] };
}

/** The weights of a model. */
export type Weights = Omit<NeededFiles, "files">;

function gguf({ id, quant }: NeededFilesOptions, paths: string[]): Weights {
  const files = paths.filter((file) => /\.gguf$/i.test(file) && !/(^|\/)(mmproj|imatrix)/i.test(file));
  // A split model goes by the name of its first part.
  const models = [...new Set(files.map((file) => ggufParts(file)[0]))];
  const chosen = quant
    ? models.find((file) => quantOf(file)?.toUpperCase() === quant.toUpperCase() && rankOf(quant) >= 0)
    : bestOf(models);
  if (chosen === undefined) throw unsupported(id, quant, paths, models);
  const parts = ggufParts(chosen);
  const missing = parts.find((part) => !files.includes(part));
  if (missing) {
    throw new HfmsError(
      "corrupt_file",
      `${id} lacks ${missing}, one of the ${parts.length} files of a model`,
      {
        hint: "take another GGUF of the repository, or another repository",
      },
    );
  }
  return { format: "gguf", weights: parts };
}

function bestOf(models: string[]): string | undefined {
  const ranked = models
    .map((file) => ({ file, rank: rankOf(quantOf(file) ?? "") }))
    .filter(({ rank }) => rank >= 0)
    .sort((a, b) => a.rank - b.rank);
  // A single file whose name tells nothing: its header will.
  const only = models.length === 1 && quantOf(models[0]) === undefined ? models[0] : undefined;
  return ranked[0]?.file ?? only;
}

/** Place in the order of preference; -1 for a format that is not read. */
function rankOf(quant: string): number {
  const [, format, mix] = /^(.*?_K)(_(?:XL|L|M|S))?$/.exec(quant.toUpperCase()) ?? [];
  const rank = (ggufOrder as readonly string[]).indexOf(format ?? quant.toUpperCase());
  // There is no file of Q8_K alone.
  if (rank < 0 || (format === "Q8_K" && !mix)) return -1;
  return rank * mixSizes.length + mixSizes.indexOf(mix ?? "");
}

/** The number format in a GGUF's name: `model-Q4_K_M.gguf`, `model.f16.gguf`. */
export function quantOf(file: string): string | undefined {
  return /(?:^|[-._/])((?:I?Q\d(?:_[A-Z0-9]+)*|B?F16|F32|MXFP4))(?=[-.][^/]*gguf$|\.gguf$)/i.exec(file)?.[1];
}

/** Folders that modules.json names: 1_Pooling, 2_Dense, 3_Normalize. Only a dense layer has weights. */
function sentenceTransformerModules(id: string, paths: string[]): string[] {
  const files = paths.filter((file) => /^\d+_[A-Za-z]+\/(config\.json|model\.safetensors)$/.test(file));
  const pickled = paths.find((file) => /^\d+_Dense\/pytorch_model\.bin$/.test(file));
  if (pickled && !files.includes(pickled.replace("pytorch_model.bin", "model.safetensors"))) {
    throw pickleOnly(`${id} has a layer in a pickle file (${pickled}) only`, id);
  }
  return files;
}

function unsupported(id: string, quant: string | undefined, paths: string[], models: string[]): HfmsError {
  const formats = [...new Set(models.map((file) => quantOf(file) ?? file))].join(", ");
  if (quant) {
    const found = models.some((file) => quantOf(file)?.toUpperCase() === quant.toUpperCase());
    const problem =
      found && rankOf(quant) < 0 ? "in a number format that hfms does not read" : "that it has not";
    return new HfmsError("unsupported_model", `${id}:${quant} asks for a GGUF ${problem}`, {
      hint: `it has ${formats || "no GGUF"}; hfms reads ${readable}`,
    });
  }
  if (models.length > 0) {
    return new HfmsError(
      "unsupported_model",
      `${id} has GGUF files only in formats hfms does not read: ${formats}`,
      {
        hint: `hfms reads ${readable}; look for a repository that has one, or the safetensors one`,
      },
    );
  }
  if (paths.includes("adapter_config.json")) {
    return new HfmsError("unsupported_model", `${id} is an adapter, not a whole model`, {
      hint: "run its base model, or a repository where the adapter is merged",
    });
  }
  refusePickle(id, paths);
  const unusual = paths.find((file) => file.endsWith(".safetensors"));
  const other =
    unusual ?? paths.find((file) => /\.(onnx|h5|msgpack|tflite|ot|xml)$|ggml[^/]*\.bin$/.test(file));
  const none = unusual ? "no weights in the transformers layout" : "no safetensors or GGUF weights";
  return new HfmsError("unsupported_model", `${id} has ${none}${other ? ` (it has ${other})` : ""}`, {
    hint: "hfms reads model.safetensors, its shards, and GGUF",
  });
}
