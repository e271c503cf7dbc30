import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Architecture } from "../src/core/models/types.ts";

const folder = path.join(import.meta.dirname, "..", "test", "golden");

interface Golden {
  modelType: string;
  class: string;
  /** What reference.json is of: decoder, encoder, classifier … */
  kind: string;
  dtype: string;
}

/** What the goldens prove, by `kind` in reference.json. */
const proofs: Record<string, string> = {
  decoder: "text generation",
  encoder: "hidden states, embeddings",
  classifier: "sequence classification",
  "token-classifier": "token classification",
  "question-answerer": "question answering",
  "masked-lm": "masked language model",
  "encoder-decoder": "generation from an input text",
  "source-texts": "generation from an input text",
};

/** Text of docs/model-types.md: what the goldens in test/golden prove of each model_type in the list. */
export async function provenTypes(
  architectures: Readonly<Record<string, () => Promise<Architecture>>>,
): Promise<string> {
  const goldens = [...goldensIn(folder), ...goldensIn(path.join(folder, "model-types"))];
  const rows: string[] = [];
  for (const type of Object.keys(architectures).sort()) {
    const own = goldens.filter(({ modelType }) => modelType === type);
    const { gguf } = await architectures[type]();
    const kinds = [...new Set(own.map(({ kind }) => proofs[kind] ?? kind))];
    const classes = [...new Set(own.map((golden) => golden.class))].sort();
    const dtypes = [...new Set(own.map(({ dtype }) => dtype))].sort();
    const cells = [`\`${type}\``, kinds.join(", "), classes.join(", "), dtypes.join(", "), gguf ? "yes" : ""];
    rows.push(`| ${cells.join(" | ")} |`);
  }
  return `${[
    "# Model types",
    `This file is made from the list in src/core/models/index.ts and the goldens in test/golden by \`npm run manifest\`: tiny models
with random weights, whose numbers PyTorch computed. A golden proves that the graph in fp32 gives PyTorch's logits within a
thousandth, and its greedy tokens; an encoder's embeddings have a cosine of at least 0.99999 with PyTorch's. \`stored as\` is
the number format of the weights in the goldens' files. What stands under \`GGUF\` is also read from llama.cpp's files.`,
    `| model_type | proven for | classes | stored as | GGUF |\n| --- | --- | --- | --- | --- |\n${rows.join("\n")}`,
    `${rows.length} types.`,
  ].join("\n\n")}\n`;
}

function goldensIn(directory: string): Golden[] {
  const found: Golden[] = [];
  for (const name of readdirSync(directory)) {
    const at = path.join(directory, name);
    if (!existsSync(path.join(at, "config.json")) || !existsSync(path.join(at, "reference.json"))) continue;
    const config = JSON.parse(readFileSync(path.join(at, "config.json"), "utf8"));
    const { kind } = JSON.parse(readFileSync(path.join(at, "reference.json"), "utf8"));
    found.push({
      modelType: config.text_config?.model_type ?? config.model_type,
      class: config.architectures?.[0] ?? "",
      kind,
      dtype: config.torch_dtype ?? config.dtype ?? "float32",
    });
  }
  return found;
}
