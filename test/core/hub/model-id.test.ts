import path from "node:path";
import { describe, expect, it } from "vitest";
import { HfmsError } from "../../../src/core/errors.js";
import { isSafeFilePath, parseModelId, repositoryFolder } from "../../../src/core/hub/model-id.js";
import fc from "../../property.js";

describe("the name of a model", () => {
  it.each([
    ["gpt2", { id: "gpt2" }],
    ["HuggingFaceTB/SmolLM2-135M-Instruct", { id: "HuggingFaceTB/SmolLM2-135M-Instruct" }],
    ["org/name@v1.0", { id: "org/name", revision: "v1.0" }],
    ["org/name@refs/pr/1", { id: "org/name", revision: "refs/pr/1" }],
    ["org/name:Q8_0", { id: "org/name", quant: "Q8_0" }],
    ["org/name@main:q4_0", { id: "org/name", revision: "main", quant: "q4_0" }],
  ])("%s is understood", (text, parts) => expect(parseModelId(text)).toEqual(parts));

  it.each([
    "",
    "/",
    "a/b/c",
    "../etc",
    "org/..",
    "org/na--me",
    "-org/name",
    "org/.name",
    "org/name.git",
    "a b",
    "ü/x",
  ])("%j is none", (text) => {
    expect(() => parseModelId(text)).toThrow(expect.objectContaining({ code: "model_not_found" }));
  });

  it.each([
    "org/name@../x",
    "org/name@a//b",
    "org/name@.hidden",
    "org/name@x.lock",
    "org/name@a b",
    "org/name@a\\b",
  ])("%j has no possible revision", (text) => {
    expect(() => parseModelId(text)).toThrow(expect.objectContaining({ code: "revision_not_found" }));
  });

  it("never becomes a folder outside of the cache", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."./\\@:-a\0") })), (text) => {
        try {
          const { id, revision = "main" } = parseModelId(text);
          expect(path.dirname(path.resolve("/cache", repositoryFolder(id)))).toBe("/cache");
          expect(path.resolve("/refs", revision).startsWith("/refs/")).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(HfmsError);
        }
      }),
    );
  });
});

describe("a file name that a server gives", () => {
  it("is used only when it stays inside its folder, on every system", () => {
    const unit = fc.constantFrom(..."./\\:aC\0\n ");
    fc.assert(
      fc.property(fc.string({ unit }), (name) => {
        if (!isSafeFilePath(name)) return;
        expect(path.posix.resolve("/root", name).startsWith("/root/")).toBe(true);
        expect(path.win32.resolve("D:\\root", name).startsWith("D:\\root\\")).toBe(true);
      }),
    );
    expect(isSafeFilePath("1_Pooling/config.json")).toBe(true);
    expect(isSafeFilePath("..a/b..c/.d")).toBe(true);
  });
});
