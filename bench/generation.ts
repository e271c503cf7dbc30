import { type Dtype, type Engine, type GenerateEvent, PromptMaker } from "hfms";

export interface Generation {
  model: string;
  dtype: Dtype;
  prompt: string;
  /** Tokens to make. */
  tokens: number;
}

export type Done = Extract<GenerateEvent, { type: "done" }>;

/** One greedy generation through the engine, as a user gets it: sampled, detokenized and read event by event. */
export async function generate(engine: Engine, { model, dtype, prompt, tokens }: Generation): Promise<Done> {
  for await (const event of engine.generate({
    model,
    dtype,
    prompt,
    raw: true,
    maxTokens: tokens,
    temperature: 0,
    ignoreEos: true,
    speculation: false,
  })) {
    if (event.type !== "done") continue;
    if (event.tokens.length !== tokens) {
      throw new Error(`the model stopped after ${event.tokens.length} of ${tokens} tokens`);
    }
    return event;
  }
  throw new Error("the engine ended without a result");
}

/** Prompts of exact lengths by the model's own tokenizer, each of them new, so that nothing computed before is reused. */
export function promptMaker(engine: Engine, choice: Pick<Generation, "model" | "dtype">): PromptMaker {
  return new PromptMaker((texts) => engine.tokenize({ ...choice, texts }), 0);
}
