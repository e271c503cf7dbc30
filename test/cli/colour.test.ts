import { describe, expect, it } from "vitest";
import { hfms, temporaryHome } from "./hfms.js";
import { hasTerminal, openTerminal } from "./terminal-session.js";

const home = temporaryHome();
const esc = "\u001b[";

describe("colour", () => {
  it("is not sent into pipes and files", async () => {
    for (const args of [["--help"], ["run", "--help"], ["hardware"], ["run"]]) {
      const { stdout, stderr } = await hfms(home(), args);
      expect(stdout + stderr).not.toContain(esc);
    }
  });

  it("is sent there when FORCE_COLOR says so", async () => {
    const { stdout } = await hfms(home(), ["--help"], { env: { FORCE_COLOR: "1" } });
    expect(stdout).toContain(`${esc}1mTRY${esc}22m`);
    const { stderr } = await hfms(home(), ["run"], { env: { FORCE_COLOR: "1" } });
    expect(stderr).toContain(`${esc}31m`);
  });

  it("is not forced by FORCE_COLOR=0", async () => {
    const { stdout } = await hfms(home(), ["--help"], { env: { FORCE_COLOR: "0" } });
    expect(stdout).not.toContain(esc);
  });

  it.skipIf(!hasTerminal)(
    "is there on a terminal, but not where NO_COLOR or TERM=dumb forbid it",
    async () => {
      const shown = async (env: Record<string, string>) => {
        await using session = openTerminal(home(), ["--help"], env);
        return (await session.ended).stdout;
      };
      expect(await shown({})).toContain(`${esc}1mTRY${esc}22m`);
      expect(await shown({ NO_COLOR: "1" })).not.toContain(esc);
      expect(await shown({ TERM: "dumb" })).not.toContain(esc);
    },
  );
});
