import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { golden } from "../golden/reference.js";
import { hfms, type Outcome, outcome, program, temporaryHome, testEnvironment } from "./hfms.js";

const home = temporaryHome();
const model = golden("llama-gqa").directory;

interface Serving extends AsyncDisposable {
  url: string;
  child: ReturnType<typeof spawn>;
  ended: Promise<Outcome>;
  /** Waits for a text on stderr. */
  until(pattern: RegExp): Promise<void>;
}

/** A server on a free port, when it listens. */
async function serving(args: string[] = [], env: Record<string, string> = {}): Promise<Serving> {
  const child = spawn(process.execPath, [program, "serve", "--port", "0", ...args], {
    env: testEnvironment(home(), env),
    cwd: home(),
  });
  let shown = "";
  child.stderr.on("data", (text) => {
    shown += text;
  });
  const ended = outcome(child);
  const until = async (pattern: RegExp) => {
    while (!pattern.test(shown)) {
      const more = new Promise((resolve) => child.stderr.once("data", resolve));
      const over = await Promise.race([more, ended.then(() => "ended")]);
      if (over === "ended" && !pattern.test(shown)) throw new Error(`it never said ${pattern}: ${shown}`);
    }
  };
  await until(/listening on +(http:\/\/\S+)/);
  return {
    url: /listening on +(http:\/\/[^\s"]+)/.exec(shown)![1],
    child,
    ended,
    until,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** A request whose body is only half there: it is answered when the rest comes, and until then the server waits. */
async function halfRequest(url: string): Promise<{ finish(): Promise<string>; [Symbol.dispose](): void }> {
  const { hostname, port } = new URL(url);
  const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hi" }], max_tokens: 4 });
  const head = [
    "POST /v1/chat/completions HTTP/1.1",
    `host: ${hostname}`,
    "content-type: application/json",
    `content-length: ${body.length}`,
  ];
  const socket = connect(Number(port), hostname).setEncoding("utf8");
  let answer = "";
  socket.on("data", (text) => {
    answer += text;
  });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => {});
  socket.write(`${head.join("\r\n")}\r\n\r\n${body.slice(0, 10)}`);
  const status = async () => (await fetch(`${url}/status`)).text();
  await expect.poll(status, { timeout: 10_000 }).toContain("/v1/chat/completions");
  return {
    async finish() {
      socket.write(body.slice(10));
      await closed;
      return answer;
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

describe("hfms serve", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "says where it listens, answers, and ends with 0 at %s",
    async (signal) => {
      await using server = await serving();
      expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
      expect((await fetch(`${server.url}/health`)).status).toBe(200);
      server.child.kill(signal);
      expect(await server.ended).toMatchObject({
        code: 0,
        stdout: "",
        stderr: expect.stringMatching(/base URL http:\S+\/v1[\s\S]*\nstopping\n$/),
      });
    },
  );

  it("loads the models that are named before it is ready", async () => {
    await using server = await serving([model]);
    await server.until(/loaded \S+ \(\w+, cpu\)/);
    expect((await fetch(`${server.url}/ready`)).status).toBe(200);
  });

  it("ends with the error of a model that can't be loaded", async () => {
    const { code, stderr } = await hfms(home(), ["serve", "--port", "0", "no-such-model"]);
    expect(stderr).toContain('no skill, alias or folder is named "no-such-model"');
    expect(code).toBe(3);
  });

  it("lets requests end after the first signal, and is not ready for new ones", async () => {
    await using server = await serving([model, "--drain-timeout", "1m"]);
    await server.until(/loaded/);
    using request = await halfRequest(server.url);
    server.child.kill("SIGTERM");
    await server.until(/stopping: 1 answer may go on for 60 s/);
    expect((await fetch(`${server.url}/ready`)).status).toBe(503);
    expect(await request.finish()).toMatch(/^HTTP\/1\.1 200 [\s\S]*"finish_reason"/);
    expect((await server.ended).code).toBe(0);
  });

  it("ends requests when the time for that is over", async () => {
    await using server = await serving(["--drain-timeout", "200ms"]);
    using _request = await halfRequest(server.url);
    server.child.kill("SIGINT");
    await server.until(/Ctrl-C again ends at once/);
    expect((await server.ended).code).toBe(0);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends at once at a second signal: %s, %d", async (signal, code) => {
    await using server = await serving(["--drain-timeout", "1h"]);
    using _request = await halfRequest(server.url);
    server.child.kill("SIGTERM");
    await server.until(/stopping: 1 answer may go on/);
    server.child.kill(signal);
    expect((await server.ended).code).toBe(code);
  });

  it("prints its address as JSON for programs, and JSON alone in a log of JSON", async () => {
    await using server = await serving(["--json", "--log-format", "json"]);
    await fetch(`${server.url}/health`);
    server.child.kill("SIGTERM");
    const { stdout, stderr } = await server.ended;
    expect(JSON.parse(stdout)).toEqual({ url: server.url, urls: [server.url] });
    for (const line of stderr.trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("msg");
  });

  it("asks for a key as soon as there is one, and refuses it when it is revoked", async () => {
    const keyFile = ["--key-file", path.join(home(), "keys.json")];
    await using server = await serving(keyFile);
    const status = async (key?: string) => {
      const headers: Record<string, string> = key ? { authorization: `Bearer ${key}` } : {};
      return (await fetch(`${server.url}/status`, { headers })).status;
    };
    expect(await status()).toBe(200);
    const { stdout } = await hfms(home(), ["keys", "create", "--name", "ci", ...keyFile]);
    const key = stdout.trim();
    const soon = { timeout: 10_000 };
    await expect.poll(() => status(), soon).toBe(401);
    expect(await status(key)).toBe(200);
    await hfms(home(), ["keys", "revoke", "ci", "--yes", ...keyFile]);
    await expect.poll(() => status(key), soon).toBe(401);
    expect(await status()).toBe(401);
    server.child.kill("SIGTERM");
    const { stderr } = await server.ended;
    expect(stderr).not.toContain(key);
  });

  it("listens for other machines only with a key or --insecure", async () => {
    const args = ["--host", "0.0.0.0"];
    const { code, stderr } = await hfms(home(), ["serve", "--port", "0", ...args]);
    expect(stderr).toMatch(
      /^error: host 0\.0\.0\.0 lets other machines in.*\nhint: .*hfms keys create.*--insecure/,
    );
    expect(code).toBe(2);
    for (const allowed of [["--insecure"], ["--api-key", "a-long-enough-key"]]) {
      await using server = await serving([...args, ...allowed]);
      server.child.kill("SIGTERM");
      const ended = await server.ended;
      expect(ended.code).toBe(0);
      expect(ended.stderr).not.toContain("a-long-enough-key");
    }
  });

  it("says that its port is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as { port: number };
    const { code, stderr } = await hfms(home(), ["serve", "--port", String(port)]);
    other.close();
    expect(stderr).toContain(`port ${port}`);
    expect(code).toBe(13);
  });

  it("does not start with a broken key file", async () => {
    const keyFile = path.join(home(), "broken.json");
    await writeFile(keyFile, "[]", { mode: 0o600 });
    const { code, stderr } = await hfms(home(), ["serve", "--port", "0", "--key-file", keyFile]);
    expect(stderr).toContain(`the key file ${keyFile} is broken`);
    expect(code).toBe(2);
  });
});

describe("hfms serve --print-config", () => {
  const env = { HF_SERVER_API_KEYS: "first-secret,second-secret", HF_SERVER_MAX_ITEMS: "9" };
  const args = ["serve", "smollm2", "--print-config", "--preset", "production", "--drain-timeout", "5s"];

  it("shows every value and where it came from, but no key", async () => {
    const { code, stdout, stderr } = await hfms(home(), args, { env, cwd: home() });
    expect(stdout).toMatch(/^preset +production$/m);
    expect(stdout).toMatch(/^drainTimeout +5s +--drain-timeout +HF_SERVER_DRAIN_TIMEOUT$/m);
    expect(stdout).toMatch(/^apiKeys +2 keys +HF_SERVER_API_KEYS/m);
    expect(stdout).toMatch(/^maxItems +9 +HF_SERVER_MAX_ITEMS/m);
    expect(stdout).toMatch(/^models +smollm2 +arguments/m);
    expect(stdout).toMatch(/^logFormat +json +preset production/m);
    expect(stdout).toMatch(/^port +8000 +default/m);
    expect(stdout).not.toContain("secret");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  it("prints one JSON document with --json", async () => {
    const { stdout } = await hfms(home(), [...args, "--json"], { env, cwd: home() });
    const { preset, settings } = JSON.parse(stdout);
    expect(preset).toBe("production");
    expect(settings).toContainEqual({
      name: "drainTimeout",
      shown: "5s",
      value: 5000,
      origin: "--drain-timeout",
      flag: "--drain-timeout",
      env: "HF_SERVER_DRAIN_TIMEOUT",
    });
    expect(stdout).not.toContain("secret");
  });

  it("reads a config file of TypeScript", async () => {
    const file = path.join(home(), "own.config.ts");
    await writeFile(file, "const port: number = 9000;\nexport default { port };\n");
    const { stdout, stderr } = await hfms(home(), ["serve", "--print-config", "--config", file]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^port +9000 +\S*own\.config\.ts/m);
  });

  it.each([
    [
      "a flag",
      ["--drain-timeout", "30"],
      {},
      /drainTimeout can't be "30" \(from --drain-timeout\)\nhint: it is a duration/,
    ],
    ["a variable", [], { HF_SERVER_PORT: "http" }, /port can't be "http" \(from HF_SERVER_PORT\)/],
    [
      "a variable's name",
      [],
      { HF_SERVER_PROT: "1" },
      /unknown setting HF_SERVER_PROT.*\nhint: did you mean HF_SERVER_PORT\?/,
    ],
    ["a choice", ["--log-level", "loud"], {}, /--log-level can't be "loud"/],
  ])("names what is wrong with %s", async (_, more, variables, message) => {
    const { code, stdout, stderr } = await hfms(home(), ["serve", "--print-config", ...more], {
      env: variables as Record<string, string>,
    });
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});
