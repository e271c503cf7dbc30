import type { JsonSchema } from "../../requests.js";
import type { AnswerCursor, Reading } from "../answer-cursor.js";
import type { Tokenizer } from "../types.js";

export type ToolCallFormatName = "hermes" | "llama3" | "mistral" | "gemma" | "phi" | "deepseek" | "json";

/** What tells a model's notation. */
export interface ModelTraits {
  /** Text of its chat template, the one for tools where there are several. */
  template?: string;
  tokenizer: Pick<Tokenizer, "tokenToId">;
  /** config.json's model_type. */
  modelType: string;
}

/** Models that write their calls alike. */
export interface ToolCallFamily {
  /** The notation by the template's own words; undefined where the template is of another family. */
  ofTemplate(model: ModelTraits & { template: string }): ToolCallFormat | undefined;
  /** By what else is known, where no template told. */
  ofModel(model: ModelTraits): ToolCallFormat | undefined;
}

/** How a model writes its calls. */
export interface ToolCallFormat {
  name: ToolCallFormatName;
  /** Texts that can begin a call wherever they stand. */
  starts: readonly string[];
  /** The same, but only as the first thing on a line. */
  lineStarts?: readonly string[];
  /** Special tokens of the notation: a detokenizer must write them out. */
  tokens: readonly string[];
  /** Reads the calls that stand at one of the starts. False where there is none, or where one breaks. */
  read(calls: CallReader): Reading<boolean>;
  /** How calls are written where the grammar writes them. The arguments are JSON in all formats. */
  notation: CallNotation;
  /** Characters of an id; `call_` goes before 24 of them. */
  idLength: 9 | 24;
}

export interface CallNotation {
  /** Before the first call, between two, and after the last one. */
  before: string;
  separator: string;
  after: string;
  /** Around the arguments of a call. */
  callBefore(name: string): string;
  callAfter: string;
  /** The model was trained to make one call at a time. */
  single?: boolean;
}

/** What a format reads from, and what it tells about the calls that it finds. */
export interface CallReader {
  cursor: AnswerCursor;
  /** Was the function offered? */
  knows(name: string): boolean;
  /** Schema of an argument, where the function says one. */
  schemaOf(name: string, argument: string): JsonSchema | undefined;
  /** A call begins: its id and name are sent. */
  begin(name: string): void;
  /** A piece of the JSON text of the arguments. */
  write(json: string): void;
  /** The call is complete. */
  end(): void;
  /** What was read up to here belongs to complete calls and is no text of the answer. */
  commit(): void;
}
