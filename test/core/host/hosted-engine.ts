import { onTestFinished } from "vitest";
import type { Config } from "../../../src/core/config.js";
import { Engine } from "../../../src/core/engine.js";
import { engineHome } from "../../engine-sandbox.js";
import { golden } from "../../golden/reference.js";

const llama = golden("llama-gqa");
const bias = golden("llama-bias");
export const bert = golden("bert-mean");

const options = { raw: true, temperature: 0, dtype: "fp32" } as const;
export const greedy = { ...options, model: llama.directory, prompt: llama.reference.prompts[1].text };
export const otherGreedy = { ...options, model: bias.directory, prompt: bias.reference.prompts[1].text };

/** How long a test waits for what must happen: the machine may do much else. */
export const patience = { timeout: 30_000, interval: 20 };

/** PyTorch's tokens behind the prompts. */
export const expected = (count: number) => llama.reference.prompts[1].greedy.slice(0, count);
export const otherTokens = (count: number) => bias.reference.prompts[1].greedy.slice(0, count);

/** Engines with a process for each model, over one home for the file; each goes when its test ends. */
export function hostedEngines(): (config?: Partial<Config>) => Promise<Engine> {
  const home = engineHome();
  return async (config = {}) => {
    const engine = await Engine.open({ ...home(), ...config }, { isolation: "process" });
    onTestFinished(() => engine[Symbol.asyncDispose]());
    return engine;
  };
}
