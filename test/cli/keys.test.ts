import { readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { hfms, temporaryHome } from "./hfms.js";
import { hasTerminal, openTerminal } from "./terminal-session.js";

const home = temporaryHome();
const inHome = (name: string) => path.join(home(), name);

describe("hfms keys", () => {
  it("makes, lists and revokes keys, and shows each only once", async () => {
    const made = await hfms(home(), ["keys", "create", "--name", "laptop"]);
    expect(made.stdout).toMatch(/^hfms_[\dA-Za-z]{43}\n$/);
    expect(made.stderr).toMatch(/^note: key laptop \(infer\): it is shown this once\n$/);
    expect(made.code).toBe(0);

    const listed = await hfms(home(), ["keys", "list"]);
    expect(listed.stdout).toMatch(
      new RegExp(`^laptop +[\\da-f]{8} +${made.stdout.slice(0, 9)}… +infer +just now +never$`, "m"),
    );
    expect(listed.stdout).not.toContain(made.stdout.trim());

    const revoked = await hfms(home(), ["keys", "revoke", "laptop", "--yes"]);
    expect(revoked).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^revoked laptop \([\da-f]{8}\)\n$/),
    });
    const none = await hfms(home(), ["keys", "list"]);
    expect(none).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("no API keys") });
  });

  it("keeps them beside the Hub's token, for their owner alone", async () => {
    const made = await hfms(home(), ["keys", "create"]);
    const file = inHome("hfms-keys.json");
    expect(await readFile(file, "utf8")).not.toContain(made.stdout.trim());
    if (process.platform !== "win32") expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("prints one JSON document with --json", async () => {
    const args = ["--key-file", inHome("json.json"), "--json"];
    const made = await hfms(home(), ["keys", "create", "--name", "ci", "--scope", "admin", ...args]);
    const key = JSON.parse(made.stdout);
    expect(key).toEqual({
      key: expect.stringMatching(/^hfms_/),
      id: expect.any(String),
      name: "ci",
      hint: `${key.key.slice(0, 9)}…`,
      scopes: ["admin"],
      created: expect.any(String),
      file: inHome("json.json"),
    });
    expect(made.stderr).toBe("");
    const { key: _, file, ...stored } = key;
    const listed = await hfms(home(), ["keys", "list", ...args]);
    expect(JSON.parse(listed.stdout)).toEqual({ file, keys: [stored] });
    const revoked = await hfms(home(), ["keys", "revoke", key.id, "--yes", ...args]);
    expect(JSON.parse(revoked.stdout)).toEqual({ revoked: [stored] });
  });

  it("works on the file that the server is configured to take", async () => {
    await writeFile(inHome("hfms.config.json"), JSON.stringify({ keyFile: "configured.json" }));
    const { stdout } = await hfms(home(), ["keys", "list", "--json"], { cwd: home() });
    expect(JSON.parse(stdout)).toEqual({ file: inHome("configured.json"), keys: [] });
  });

  it.each([
    ["a key that is not there", ["revoke", "nobody", "--yes"], 2, /there is no key "nobody"/],
    ["a revocation that nobody confirms", ["revoke", "nobody"], 2, /nobody is there to confirm.*\n.*--yes/],
    ["a revocation of nothing", ["revoke"], 2, /KEYS is missing\n.*hfms keys revoke --help/],
    ["a scope that there is not", ["create", "--scope", "root"], 2, /--scope can't be "root"/],
    ["a mistyped command", ["crate"], 2, /unknown command "keys crate"\n.*`hfms keys create`/],
    [
      "a mistyped flag",
      ["create", "--nam", "x"],
      2,
      /unknown flag --nam\n.*`--name`.*`hfms keys create --help`/,
    ],
  ])("refuses %s", async (_, args, code, message) => {
    const { stderr, ...rest } = await hfms(home(), ["keys", ...args]);
    expect(stderr).toMatch(message);
    expect(rest).toEqual({ code, stdout: "" });
  });

  it.skipIf(!hasTerminal)("asks on a terminal before it revokes", async () => {
    const keyFile = ["--key-file", inHome("asked.json")];
    await hfms(home(), ["keys", "create", "--name", "ci", ...keyFile]);
    for (const [answer, left] of [
      ["n", 1],
      ["y", 0],
    ] as const) {
      await using terminal = openTerminal(home(), ["keys", "revoke", "ci", ...keyFile]);
      await terminal.until(/Revoke ci \(hfms_\w{4}…\)\?/);
      await terminal.type(`${answer}\r`);
      expect((await terminal.ended).code).toBe(0);
      const { stdout } = await hfms(home(), ["keys", "list", "--json", ...keyFile]);
      expect(JSON.parse(stdout).keys).toHaveLength(left);
    }
  });

  it("leads to its commands", async () => {
    for (const args of [["keys"], ["keys", "--help"], ["help", "keys"]]) {
      const { code, stdout } = await hfms(home(), args);
      for (const command of ["keys create", "keys list", "keys revoke"]) expect(stdout).toContain(command);
      expect(code).toBe(0);
    }
  });
});
