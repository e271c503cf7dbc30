import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { errorTable } from "../../src/core/index.js";

it("documents every error code with its exit code", async () => {
  const text = await readFile(new URL("../../docs/exit-codes.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\|\s+(\d+) \| `(\w+)`\s+\| \S.* \|$/gm)].map(([, exit, code]) => [
    code,
    Number(exit),
  ]);
  const table = Object.entries(errorTable).map(([code, { exit }]) => [code, exit]);
  // A program that SIGTERM ends has a code of its own.
  expect(rows).toEqual([...table, ["aborted", 143]]);
});
