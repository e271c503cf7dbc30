import { type Dtype, type Engine, type GenerateEvent, type OutputFormat, PromptMaker } from "hfms";

export interface Generation {
  model: string;
  dtype: Dtype;
  prompt: string;
  /** Tokens to make. */
  tokens: number;
  format?: OutputFormat;
}

export type Done = Extract<GenerateEvent, { type: "done" }>;

/** Called for each piece of text: tokens that it holds, and when it came (performance.now). */
export type OnPiece = (tokens: number, at: number) => void;

/** One greedy generation through the engine, as a user gets it: sampled, detokenized and read event by event. */
export async function generate(
  engine: Engine,
  { tokens, ...generation }: Generation,
  onPiece?: OnPiece,
  signal?: AbortSignal,
): Promise<Done> {
  // What has a format ends where the format does.
  const ignoreEos = generation.format === undefined;
  for await (const event of engine.generate(
    { ...generation, raw: true, maxTokens: tokens, temperature: 0, ignoreEos, speculation: false },
    signal,
  )) {
    if (event.type === "text") onPiece?.(event.tokens.length, performance.now());
    if (event.type !== "done") continue;
    if (event.tokens.length !== tokens) {
      throw new Error(`the model stopped after ${event.tokens.length} of ${tokens} tokens`);
    }
    return event;
  }
  throw new Error("the engine ended without a result");
}

export interface Streams {
  /** Tokens per second of all streams together, from the moment when the last of the prompts has its first token. */
  generation: number;
  /** Tokens per second that were computed, prompts and answers, over the whole time. */
  whole: number;
  /** Milliseconds until every stream has its first token. */
  firstMs: number;
}

/** Greedy generations that are asked for at the same moment, a request for each prompt. */
export async function generateTogether(
  engine: Engine,
  { prompts, ...generation }: Omit<Generation, "prompt"> & { prompts: string[] },
): Promise<Streams> {
  const start = performance.now();
  const pieces: { tokens: number; at: number }[] = [];
  const firsts: number[] = [];
  const done = await Promise.all(
    prompts.map((prompt, stream) =>
      generate(engine, { ...generation, prompt }, (tokens, at) => {
        firsts[stream] ??= at;
        pieces.push({ tokens, at });
      }),
    ),
  );
  const end = performance.now();
  // Steps that the first streams took while the last prompt was computed count on neither side.
  const prompted = Math.max(...firsts);
  const made = done.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const before = pieces.filter(({ at }) => at <= prompted).reduce((sum, { tokens }) => sum + tokens, 0);
  // The first token of each comes out of its prompt's own run: nothing was computed for it but that.
  const computed = made - done.length + done.reduce((sum, { usage }) => sum + usage.prompt_tokens, 0);
  return {
    generation: ((made - before) * 1000) / (end - prompted),
    whole: (computed * 1000) / (end - start),
    firstMs: prompted - start,
  };
}

/** Prompts of exact lengths by the model's own tokenizer, each of them new, so that nothing computed before is reused. */
export function promptMaker(engine: Engine, choice: Pick<Generation, "model" | "dtype">): PromptMaker {
  return new PromptMaker((texts) => engine.tokenize({ ...choice, texts }), 0);
}
