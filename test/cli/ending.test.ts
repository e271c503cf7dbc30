import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { golden } from "../golden/reference.js";
import { hfms, outcome, program, root, temporaryHome, testEnvironment } from "./hfms.js";

const home = temporaryHome();
const model = golden("bert-mean").directory;

/** A program that waits for more lines: it can only end by what is done to it. */
async function waiting() {
  const child = spawn(process.execPath, [program, "embed", "--model", model], {
    env: testEnvironment(home()),
  });
  const ended = outcome(child);
  child.stdin.write("a cat\n");
  await Promise.race([new Promise((resolve) => child.stdout.once("data", resolve)), ended]);
  return { child, ended };
}

describe("a command", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends at %s with exit code %d, and says that it stopped", async (signal, code) => {
    const { child, ended } = await waiting();
    child.kill(signal);
    expect(await ended).toMatchObject({ code, stderr: expect.stringMatching(/^stopped\n/) });
  });

  it("ends in the middle of an answer too, with what it has said so far on stdout", async () => {
    const args = ["run", golden("llama-gqa").directory, "--raw", "--temperature", "1", "--verbose", "The"];
    const child = spawn(process.execPath, [program, ...args], { env: testEnvironment(home()) });
    const ended = outcome(child);
    await Promise.race([new Promise((resolve) => child.stdout.once("data", resolve)), ended]);
    child.kill("SIGINT");
    const { code, stdout } = await ended;
    // A tiny model may be faster than the signal.
    expect([0, 130]).toContain(code);
    expect(stdout).toMatch(/\n$/);
  });

  it("ends quietly with 0 when the reader of its output has gone", async () => {
    const script = `"$0" "$1" --help | head -1; echo "codes: \${PIPESTATUS[*]}"; "$0" "$1" discover --json | head -1 > /dev/null; echo "codes: \${PIPESTATUS[*]}"`;
    const shell = spawn("bash", ["-c", script, process.execPath, program], { env: testEnvironment(home()) });
    const { stdout, stderr } = await outcome(shell);
    expect(stdout.match(/codes: 0 0/g)).toHaveLength(2);
    expect(stderr).toBe("");
  });

  it.skipIf(!existsSync("/dev/full"))("says that the disk is full under its output", async () => {
    for (const words of ["--help", "list --json", "discover"]) {
      const script = `"$0" "$1" ${words} > /dev/full`;
      const shell = spawn("bash", ["-c", script, process.execPath, program], {
        env: testEnvironment(home()),
      });
      const { code, stderr } = await outcome(shell);
      expect(stderr).toBe("error: standard output can't be written: no space left on the disk\n");
      expect(code).toBe(6);
    }
  });

  it("ends while it waits for a reader that left in the middle of a stream", async () => {
    const { child, ended } = await waiting();
    child.stdin.on("error", () => {});
    child.stdout.destroy();
    for (let i = 0; i < 50 && child.exitCode === null; i++) {
      child.stdin.write("a dog\n");
      await delay(50);
    }
    expect(await ended).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("messages", () => {
  it("are coloured where FORCE_COLOR asks for it, and plain into a pipe", async () => {
    const args = ["run", "hi", "--top-k", "x"];
    expect((await hfms(home(), args)).stderr).not.toContain("\u001b[");
    expect((await hfms(home(), args, { env: { FORCE_COLOR: "1" } })).stderr).toContain("\u001b[31m");
  });

  it("show the stack of an unexpected error only with --debug or HFMS_DEBUG", async () => {
    const broken = path.join(home(), "broken");
    await mkdir(path.join(broken, "commands"), { recursive: true });
    const pjson = {
      name: "broken",
      version: "1.0.0",
      type: "module",
      oclif: { bin: "broken", commands: "./commands" },
    };
    await writeFile(path.join(broken, "package.json"), JSON.stringify(pjson));
    await writeFile(
      path.join(broken, "commands", "boom.js"),
      "export default { run() { throw new TypeError('a bug'); }, flags: {}, args: {} };",
    );
    const main = pathToFileURL(path.join(root, "dist/cli/main.js")).href;
    const script = `const { main } = await import("${main}"); await main({ root: new URL("${pathToFileURL(broken)}/") });`;
    const boom = (args: string[], env: Record<string, string> = {}) =>
      outcome(
        spawn(process.execPath, ["--input-type=module", "-e", script, "program", "boom", ...args], {
          env: testEnvironment(home(), env),
        }),
      );
    const plain = await boom([]);
    expect(plain.stderr).toMatch(
      /^error: something went wrong that hfms did not expect: a bug\nhint: .*--debug/,
    );
    expect(plain.stderr).not.toMatch(/^ {4}at /m);
    expect(plain.code).toBe(1);
    for (const shown of [await boom(["--debug"]), await boom([], { HFMS_DEBUG: "1" })]) {
      expect(shown.stderr).toMatch(/^TypeError: a bug\n {4}at .*boom\.js/m);
      expect(shown.code).toBe(1);
    }
  });
});

it("runs from the sources through bin/dev.js", async () => {
  const child = spawn(process.execPath, [path.join(root, "bin/dev.js"), "rm", "--help"], {
    env: testEnvironment(home()),
  });
  const { code, stdout, stderr } = await outcome(child);
  expect(stdout).toContain("hfms rm MODELS...");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});
