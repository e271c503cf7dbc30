import { spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Manifest } from "../../build/command-reference.js";
import { golden } from "../golden/reference.js";
import { type HubServer, startHubServer } from "../hub-server.js";
import { type Outcome, outcome, program, root, temporaryHome, testEnvironment } from "./hfms.js";

const home = temporaryHome();
let hub: HubServer;

/** Examples that ask a question when they are started from a terminal, and what they end with without one. */
const interactive: Record<string, number> = { "hfms rm smollm2": 2, "hfms keys revoke laptop": 2 };
/** Examples that go on until somebody stops them. */
const endless = /^hfms serve(?!.*--print-config)/;

const { commands } = JSON.parse(await readFile(path.join(root, "oclif.manifest.json"), "utf8")) as Manifest;
// Models are removed last.
const examples = Object.values(commands)
  .toSorted((a, b) => Number(a.examples[0].includes(" rm ")) - Number(b.examples[0].includes(" rm ")))
  .flatMap((command) =>
    command.examples.map((text) => [text.replaceAll("<%= config.bin %>", "hfms")] as [string]),
  );

const person = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
};
const weather = {
  name: "get_weather",
  description: "Tells the weather of a city.",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

beforeAll(async () => {
  // The examples' models, with tiny weights.
  hub = await startHubServer({
    repositories: [
      { id: "HuggingFaceTB/SmolLM2-135M-Instruct", files: golden("llama-gqa").directory },
      { id: "sentence-transformers/all-MiniLM-L6-v2", files: golden("bert-mean").directory },
      { id: "cross-encoder/ms-marco-MiniLM-L6-v2", files: golden("bert-ranker").directory },
      { id: "openai-community/gpt2", files: golden("gpt2-bare").directory },
      { id: "google-t5/t5-small", files: golden("t5-unigram").directory },
    ],
  });
  await mkdir(path.join(home(), "bin"));
  await writeFile(
    path.join(home(), "bin", "hfms"),
    `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`,
    {
      mode: 0o755,
    },
  );
  await writeFile(path.join(home(), "person.json"), JSON.stringify(person));
  await writeFile(path.join(home(), "tools.json"), JSON.stringify([{ type: "function", function: weather }]));
  for (const file of ["notes.txt", "question.txt", "sentences.txt"]) {
    await writeFile(path.join(home(), file), "A cat sat on the mat.\nA dog ran after the ball.\n");
  }
});
afterAll(() => hub.close());

function shell(command: string): Promise<Outcome> {
  const env = testEnvironment(home(), {
    HF_HUB_OFFLINE: "0",
    HF_ENDPOINT: hub.url,
    // Others may use the port of the examples.
    HF_SERVER_PORT: "0",
  });
  const child = spawn("bash", ["-c", command], {
    env: { ...env, PATH: `${path.join(home(), "bin")}:${env.PATH}` },
    cwd: home(),
  });
  child.stdin.end("Why is the sky blue?\n");
  if (endless.test(command)) {
    child.stderr.on("data", (text) => String(text).includes("listening on") && child.kill("SIGTERM"));
  }
  return outcome(child);
}

describe("every example of the help", () => {
  it.each(examples)("%s", async (command) => {
    const { code, stdout, stderr } = await shell(command);
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({
      code: interactive[command] ?? 0,
      stderr: code === 0 ? "" : expect.any(String),
    });
    if (code === 0 && !command.includes("--output") && !endless.test(command)) expect(stdout).toMatch(/\S/);
    if (command.endsWith("--json")) expect(() => JSON.parse(stdout)).not.toThrow();
  });
});
