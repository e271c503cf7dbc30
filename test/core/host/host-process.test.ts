import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { embed, generate } from "../../engine-sandbox.js";
import { collect } from "../../tiny-model.js";
import { temporaryFolder } from "../hub/sandbox.js";
import { bert, expected, greedy, hostedEngines, patience } from "./hosted-engine.js";

const hosted = hostedEngines();

describe("the process of a host", () => {
  it("ends when the engine's process dies", async () => {
    const root = path.join(import.meta.dirname, "..", "..", "..");
    const file = (name: string) => JSON.stringify(pathToFileURL(path.join(root, name)).href);
    const config = { HF_HOME: await temporaryFolder(), HF_HUB_OFFLINE: "1" };
    const program = `
      import { readConfig } from ${file("src/core/config.ts")};
      import { Engine } from ${file("src/core/engine.ts")};
      const engine = await Engine.open(readConfig(${JSON.stringify(config)}), { isolation: "process" });
      for await (const _ of engine.load(${JSON.stringify({ model: greedy.model, dtype: "fp32" })}));
      const [{ pid }] = await engine.ps();
      process.stdout.write(pid + "\\n");
      setInterval(() => {}, 1000);`;
    const sources = pathToFileURL(path.join(root, "bin", "sources.js")).href;
    const args = ["--import", sources, "--input-type=module", "--eval", program];
    const parent = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void parent.kill("SIGKILL"));
    const [line] = await once(parent.stdout.setEncoding("utf8"), "data");
    const pid = Number(line);
    expect(isThere(pid)).toBe(true);
    parent.kill("SIGKILL");
    await vi.waitUntil(() => !isThere(pid), patience);
  });

  it("is said not to answer while it hangs, and is ended all the same", async () => {
    const engine = await hosted();
    await collect(engine.load(greedy));
    const [{ pid, memory }] = await engine.ps();
    expect(memory).toBeGreaterThan(0);
    process.kill(pid as number, "SIGSTOP");
    const [hanging] = await engine.ps();
    expect(hanging).toMatchObject({ pid, unresponsive: true });
    process.kill(pid as number, "SIGCONT");
    expect((await generate(engine, { ...greedy, maxTokens: 3 })).tokens).toEqual(expected(3));
    process.kill(pid as number, "SIGSTOP");
    await engine[Symbol.asyncDispose]();
    expect(isThere(pid as number)).toBe(false);
  });

  it("leaves the signals of the terminal to its parent", async () => {
    const engine = await hosted();
    await collect(engine.load(greedy));
    const [{ pid }] = await engine.ps();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.kill(pid as number, signal);
    expect((await generate(engine, { ...greedy, maxTokens: 3 })).tokens).toEqual(expected(3));
    expect((await engine.ps())[0].pid).toBe(pid);
  });

  it("does no more work than is read", async () => {
    const engine = await hosted();
    let given = 0;
    function* texts() {
      for (; given < 20_000; given++) yield `text ${given}`;
    }
    const events = engine.embed({ model: bert.directory, input: texts() });
    for (;;) {
      const { value } = await events.next();
      if (value?.type === "embedding") break;
    }
    // Others go on meanwhile, and show that the host has nothing else to do.
    await embed(engine, { model: bert.directory, input: ["other"] });
    const now = given;
    await embed(engine, { model: bert.directory, input: ["another"] });
    expect(given).toBe(now);
    expect(given).toBeLessThan(5000);
    await events.return(undefined);
  });

  it("gives a loading up that nobody waits for any more, and begins anew for the next one", async () => {
    const engine = await hosted();
    const controller = new AbortController();
    const stopped = generate(engine, greedy, controller.signal);
    const failure = expect(stopped).rejects.toMatchObject({ code: "aborted" });
    await vi.waitUntil(async () => (await engine.ps()).some(({ pid }) => pid !== undefined), patience);
    controller.abort();
    await failure;
    expect((await generate(engine, { ...greedy, maxTokens: 3 })).tokens).toEqual(expected(3));
    await vi.waitUntil(async () => (await engine.ps()).length === 1, patience);
  });

  it("tokenizes", async () => {
    const engine = await hosted();
    const { model, prompt } = greedy;
    const [ready, tokens] = (await collect(engine.tokenize({ model, texts: [prompt] }))).slice(-2);
    expect(ready).toMatchObject({ type: "ready", contextLength: expect.any(Number) });
    if (tokens.type !== "tokens") expect.unreachable(tokens.type);
    const done = await generate(engine, { ...greedy, maxTokens: 1 });
    expect(tokens.ids).toHaveLength(done.usage.prompt_tokens);
    const back = await collect(engine.detokenize({ model, tokens: [tokens.ids], skipSpecialTokens: true }));
    expect(back.at(-1)).toEqual({ type: "detokenized", index: 0, text: prompt });
  });
});

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
