import type { Dtype, Engine, GenerateEvent } from "hfms";
import { madeText, seededRandom } from "./text.ts";

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
    logitBias: NEVER_STOP,
  })) {
    if (event.type !== "done") continue;
    if (event.tokens.length !== tokens) {
      throw new Error(`the model stopped after ${event.tokens.length} of ${tokens} tokens`);
    }
    return event;
  }
  throw new Error("the engine ended without a result");
}

/** SmolLM2's <|endoftext|> and <|im_end|>: a run that ends early measures something else. */
const NEVER_STOP = { 0: -100, 2: -100 };

/** A text of exactly so many tokens, by the model's own tokenizer. */
export async function promptOf(engine: Engine, model: string, dtype: Dtype, tokens: number): Promise<string> {
  const words = madeText(tokens, seededRandom(tokens)).split(" ");
  const count = async (prompt: string): Promise<number> =>
    (await generate(engine, { model, dtype, prompt, tokens: 1 })).usage.prompt_tokens;
  let text = words.slice(0, Math.floor(tokens * 0.7)).join(" ");
  for (let left = words.length - Math.floor(tokens * 0.7); left >= 0; left--) {
    const missing = tokens - (await count(text));
    if (missing === 0) return text;
    if (missing < 0) text = text.split(" ").slice(0, missing).join(" ");
    // " the" is one token.
    else text += " the".repeat(missing);
  }
  throw new Error(`no text of ${tokens} tokens was found`);
}
