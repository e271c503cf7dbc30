import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { provenTypes } from "../../../build/proven-types.js";
import { architectures } from "../../../src/core/models/index.js";

it("docs/model-types.md says what the goldens prove", async () => {
  const text = readFileSync(new URL("../../../docs/model-types.md", import.meta.url), "utf8");
  expect(text, "run `npm run manifest`").toBe(await provenTypes(architectures));
});

it("every architecture has a golden", async () => {
  const rows = (await provenTypes(architectures)).split("\n").filter((line) => line.startsWith("| `"));
  expect(rows.filter((row) => row.split(" | ")[1] === "")).toEqual([]);
});
