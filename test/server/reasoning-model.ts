import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll } from "vitest";
import { golden } from "../golden/reference.js";
import { type Serving, serving } from "./serving.js";

/** A server for the tests of a group, and the folder of its model: a golden whose template opens with its thoughts. */
export function reasoningServing(): () => { server: Serving; model: string } {
  let model: string;
  let server: Serving;
  beforeAll(async () => {
    model = await mkdtemp(path.join(os.tmpdir(), "hfms-reasons-"));
    await cp(golden("llama-gqa").directory, model, { recursive: true });
    const file = path.join(model, "tokenizer_config.json");
    const config = JSON.parse(await readFile(file, "utf8"));
    config.chat_template +=
      "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% else %}<think>{% endif %}";
    await writeFile(file, JSON.stringify(config));
    server = await serving({ config: { models: [model] } });
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await rm(model, { recursive: true, force: true });
  });
  return () => ({ server, model });
}
