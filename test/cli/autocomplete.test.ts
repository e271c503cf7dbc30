import { spawn } from "node:child_process";
import { expect, it } from "vitest";
import { hfms, outcome, temporaryHome, testEnvironment } from "./hfms.js";

const home = temporaryHome();

it("completes commands and flags in bash, after the set-up that the documentation names", async () => {
  const made = await hfms(home(), ["autocomplete", "--refresh-cache"]);
  expect(made.code).toBe(0);
  const script = await hfms(home(), ["autocomplete", "script", "bash"]);
  expect(script.stdout).toContain("HFMS_AC_BASH_SETUP_PATH=");

  const session = `${script.stdout}
    COMP_WORDS=(hfms em); COMP_CWORD=1; _hfms_autocomplete; echo "\${COMPREPLY[@]}"
    COMP_WORDS=(hfms run --temp); COMP_CWORD=2; _hfms_autocomplete; echo "\${COMPREPLY[@]}"
    COMP_WORDS=(hfms list --j); COMP_CWORD=2; _hfms_autocomplete; echo "\${COMPREPLY[@]}"`;
  const shell = spawn("bash", ["--norc", "-c", session], { env: testEnvironment(home()) });
  const { stdout, stderr } = await outcome(shell);
  expect(stderr).toBe("");
  expect(stdout.trim().split("\n")).toEqual(["embed", "--temperature", "--json"]);
});

it("knows zsh and PowerShell too", async () => {
  for (const shell of ["zsh", "powershell"]) {
    const { code, stdout } = await hfms(home(), ["autocomplete", shell]);
    expect(stdout).toContain("hfms autocomplete");
    expect(code).toBe(0);
  }
});
