import path from "node:path";
import { expect, it } from "vitest";
import { golden } from "../golden/reference.js";
import { hfms, temporaryHome } from "./hfms.js";

const home = temporaryHome();
const { directory } = golden("llama-gqa");

it("exports a model as a folder, once", async () => {
  const to = path.join(home(), "exported");
  const first = await hfms(home(), ["export", directory, "--to", to, "--dtype", "fp32", "--json"]);
  const { files, dtype } = JSON.parse(first.stdout);
  expect(dtype).toBe("fp32");
  expect(files.map((file: { path: string }) => file.path)).toContain("onnx/model.onnx_data");
  const second = await hfms(home(), ["export", directory, "--to", to]);
  expect(second.code).toBe(2);
  expect(second.stderr).toMatch(/^error: .+exported is there already\nhint: name a folder/m);
});

it("measures what number formats cost a model", async () => {
  const { stdout } = await hfms(home(), ["info", directory, "--quality"]);
  expect(stdout).toMatch(/^quality beside fp32, 500 positions of a fixed English text$/m);
  expect(stdout).toMatch(/^int8 +\d+ kB +[\d.]+ → [\d.]+ +[+-][\d.]+ % +[\d.]+ % +0\.9\d\d\d/m);
});
