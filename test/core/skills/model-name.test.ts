import { describe, expect, it } from "vitest";
import { HfmsError } from "../../../src/core/errors.js";
import { type ModelName, parseModelName } from "../../../src/core/skills/model-name.js";
import fc from "../../property.js";

function refusal(typed: string): HfmsError {
  try {
    parseModelName(typed);
  } catch (error) {
    expect(error).toBeInstanceOf(HfmsError);
    return error as HfmsError;
  }
  throw new Error(`${JSON.stringify(typed)} was accepted`);
}

describe("a model's name", () => {
  const understood: [string, ModelName][] = [
    ["gpt2", { kind: "name", name: "gpt2" }],
    ["  hf_gpt2 ", { kind: "name", name: "hf_gpt2" }],
    ["smollm2:360m", { kind: "name", name: "smollm2", tag: "360m" }],
    ["llama3.2@main:q4_0", { kind: "name", name: "llama3.2", revision: "main", tag: "q4_0" }],
    ["org/name", { kind: "hub", id: "org/name" }],
    ["org/name@v1.0", { kind: "hub", id: "org/name", revision: "v1.0" }],
    ["org/name@refs/pr/3", { kind: "hub", id: "org/name", revision: "refs/pr/3" }],
    [
      "Org-1/Model.GGUF_2@feature/x:Q4_K_M",
      { kind: "hub", id: "Org-1/Model.GGUF_2", revision: "feature/x", quant: "Q4_K_M" },
    ],
    ["org/name:Q8_0", { kind: "hub", id: "org/name", quant: "Q8_0" }],
    ["https://huggingface.co/org/name", { kind: "hub", id: "org/name" }],
    ["https://huggingface.co/org/name?library=transformers", { kind: "hub", id: "org/name" }],
    ["huggingface.co/org/name/tree/refs/pr/1", { kind: "hub", id: "org/name", revision: "refs/pr/1" }],
    ["hf.co/org/name:Q4_0", { kind: "hub", id: "org/name", quant: "Q4_0" }],
    ["https://huggingface.co/gpt2/", { kind: "name", name: "gpt2" }],
    ["./model", { kind: "directory", path: "./model" }],
    ["../models/mine", { kind: "directory", path: "../models/mine" }],
    ["/srv/models/mine", { kind: "directory", path: "/srv/models/mine" }],
    ["~/models/mine", { kind: "directory", path: "~/models/mine" }],
    ["models/", { kind: "directory", path: "models/" }],
    [".", { kind: "directory", path: "." }],
    ["models/llama/mine", { kind: "directory", path: "models/llama/mine" }],
    ["C:\\models\\mine", { kind: "directory", path: "C:\\models\\mine" }],
    ["d:/models/mine", { kind: "directory", path: "d:/models/mine" }],
    [".\\mine", { kind: "directory", path: ".\\mine" }],
    ["\\\\server\\share\\mine", { kind: "directory", path: "\\\\server\\share\\mine" }],
    ["model.gguf", { kind: "gguf", path: "model.gguf" }],
    ["models/Model.Q4_1.GGUF", { kind: "gguf", path: "models/Model.Q4_1.GGUF" }],
    ["~/model.gguf", { kind: "gguf", path: "~/model.gguf" }],
    ["C:\\models\\model.gguf", { kind: "gguf", path: "C:\\models\\model.gguf" }],
    ["/my models/model 1.gguf", { kind: "gguf", path: "/my models/model 1.gguf" }],
  ];
  it.each(understood)("understands %j", (typed, expected) => {
    expect(parseModelName(typed)).toEqual(expected);
  });

  const refused: [string, RegExp][] = [
    ["", /empty/],
    ["   ", /empty/],
    ["a\nb", /control character/],
    ["org/na me", /"na me" may have letters/],
    ["org/../name", /begin a path with/],
    ["org/..", /may not begin or end/],
    ["-org/name", /may not begin or end/],
    ["org/a--b", /may not have/],
    ["org/name.git", /\.git/],
    ["org/name@", /no revision/],
    ["org/name@../../etc", /no branch, tag or commit/],
    ["org/name@/etc", /no branch, tag or commit/],
    ["org/name:", /nothing stands after the colon/],
    ["org/name:a/b", /./],
    ["https://example.com/org/name", /only addresses of the Hub/],
    ["https://example.com/model.gguf", /only addresses of the Hub/],
    ["https://huggingface.co/datasets/org/name", /one of the datasets/],
    ["https://huggingface.co/org/name/resolve/main/model.gguf", /address of a file: give org\/name/],
    [`org/${"x".repeat(97)}`, /longer than 96/],
    ["x".repeat(5000), /longer than 4096/],
  ];
  it.each(refused)("refuses %j and says why", (typed, reason) => {
    const error = refusal(typed);
    expect(error.code).toBe("invalid_request");
    expect(error.message).toMatch(reason);
    expect(error.param).toBe("model");
  });

  const nasty = fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .array(
        fc.constantFrom(
          "org",
          "name",
          "/",
          "..",
          ".",
          "@",
          ":",
          "\\",
          "~",
          "C:",
          ".gguf",
          "https://",
          "hf.co/",
          " ",
        ),
      )
      .map((parts) => parts.join("")),
  );

  it("never throws anything but invalid_request, and what it accepts stays inside its folder", () => {
    fc.assert(
      fc.property(nasty, (typed) => {
        let name: ModelName;
        try {
          name = parseModelName(typed);
        } catch (error) {
          expect(error).toBeInstanceOf(HfmsError);
          expect((error as HfmsError).code).toBe("invalid_request");
          return;
        }
        const parts =
          name.kind === "name"
            ? [name.name, name.tag, name.revision]
            : name.kind === "hub"
              ? [name.id, name.quant, name.revision]
              : [];
        for (const part of parts) {
          if (part === undefined) continue;
          expect(part).not.toMatch(/\.\.|\\|^\/|\/$|\/\/|[\s:@]/);
          expect(part).not.toBe("");
        }
        if (name.kind === "hub") expect(name.id.split("/")).toHaveLength(2);
        if (name.kind === "directory" || name.kind === "gguf") expect(name.path).toBe(typed.trim());
      }),
      { numRuns: 2000 },
    );
  });

  const word = fc.stringMatching(/^[A-Za-z0-9_]{1,20}$/);
  it("takes apart what was put together", () => {
    fc.assert(
      fc.property(word, word, fc.option(word), fc.option(word), (org, name, revision, quant) => {
        const typed = `${org}/${name}${revision ? `@${revision}` : ""}${quant ? `:${quant}` : ""}`;
        expect(parseModelName(typed)).toEqual({
          kind: "hub",
          id: `${org}/${name}`,
          ...(revision ? { revision } : {}),
          ...(quant ? { quant } : {}),
        });
      }),
    );
  });
});
