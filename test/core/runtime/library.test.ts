import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const run = promisify(execFile);
const providers = path.resolve("dist/core/runtime/providers.js");

describe("the runtime's library", () => {
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(path.join(os.tmpdir(), "hfms-home-"));
  });
  afterAll(() => rm(home, { recursive: true, force: true }));

  const script = (code: string) =>
    run(process.execPath, ["--expose-gc", "--input-type=module", "-e", code], {
      env: { ...process.env, HOME: home, XDG_CACHE_HOME: path.join(home, ".cache") },
    });

  it("stays loaded when memory is collected between two calls", async () => {
    const { stdout } = await script(`
      import { executionProviders, runtimeDevices } from ${JSON.stringify(providers)};
      runtimeDevices();
      for (let i = 0; i < 5; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); }
      console.log(executionProviders().includes("CPUExecutionProvider"), runtimeDevices().length > 0);
    `);
    expect(stdout.trim()).toBe("true true");
  });

  it("leaves no telemetry in the user's home", async () => {
    await script(`
      import { runtimeDevices } from ${JSON.stringify(providers)};
      runtimeDevices();
    `);
    expect(await readdir(home, { recursive: true })).toEqual([]);
  });
});
