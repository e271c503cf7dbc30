import { describe, expect, expectTypeOf, it } from "vitest";
import type { z } from "zod";
import { parseTask, pipelineTags } from "../../../src/core/skills/pipeline-tags.js";
import { faultsOf, type skillSchema, toJsonSchema } from "../../../src/core/skills/schema.js";
import type { Skill, SkillModel } from "../../../src/core/skills/types.js";

const speech: Skill = {
  name: "hf_whisper",
  title: "Whisper",
  description: "turns speech into text",
  aliases: ["whisper"],
  tasks: ["automatic-speech-recognition"],
  modelType: "whisper",
  route: "transformers.js",
  modalities: { input: ["audio"], output: ["text"] },
  models: [{ id: "openai/whisper-tiny", onnx: "onnx-community/whisper-tiny", parameters: 37760640 }],
  hardware: ["cpu", "webgpu"],
  license: "apache-2.0",
  options: { chunk_length_s: 30, return_timestamps: true },
  examples: ["hfms run whisper --file speech.wav"],
};

describe("the format of a skill", () => {
  it("is the type that readers use", () => {
    expectTypeOf<keyof z.infer<typeof skillSchema>>().toEqualTypeOf<keyof Skill>();
    expectTypeOf<keyof z.infer<typeof skillSchema>["models"][number]>().toEqualTypeOf<keyof SkillModel>();
    expectTypeOf<z.infer<typeof skillSchema>>().toExtend<Skill>();
  });

  it("carries speech, vision and multimodal tasks, with their exports and options", () => {
    const vision: Skill = {
      ...speech,
      name: "hf_detr",
      tasks: ["object-detection"],
      modelType: "detr",
      modalities: { input: ["image"], output: ["text"] },
      models: [{ id: "facebook/detr-resnet-50", onnx: "Xenova/detr-resnet-50", options: { threshold: 0.9 } }],
    };
    const multimodal: Skill = {
      ...speech,
      name: "hf_any",
      tasks: ["image-text-to-text", "any-to-any"],
      modalities: { input: ["text", "image", "audio", "video"], output: ["text", "image"] },
      options: { labels: ["cat", "dog"] },
    };
    for (const skill of [speech, vision, multimodal]) expect(faultsOf(skill)).toEqual([]);
  });

  it.each([
    ["an empty file", {}, "name: "],
    ["a Hub id with ..", { ...speech, models: [{ id: "a/..b" }] }, "models.0.id: a Hub id has no .."],
    [
      "a fraction of a parameter",
      { ...speech, models: [{ id: "a/b", parameters: 1.5 }] },
      "models.0.parameters: ",
    ],
    [
      "a package path that climbs",
      {
        ...speech,
        models: [
          {
            id: "a/b",
            packages: [
              {
                registry: "pypi",
                name: "p",
                version: "1.0",
                sha256: "0".repeat(64),
                path: "../../etc/passwd",
              },
            ],
          },
        ],
      },
      "models.0.packages.0.path: a path inside the archive has no ..",
    ],
    [
      "a package without a digest",
      {
        ...speech,
        models: [{ id: "a/b", packages: [{ registry: "pypi", name: "p", version: "1.0", path: "m" }] }],
      },
      "models.0.packages.0.sha256: ",
    ],
    ["an unknown device", { ...speech, hardware: ["cpu", "tpu"] }, "hardware.1: "],
    [
      "an unknown modality",
      { ...speech, modalities: { input: ["smell"], output: ["text"] } },
      "modalities.input.0: ",
    ],
    [
      "an example that is no command",
      { ...speech, examples: ["rm -rf /"] },
      "examples.0: an example is a command",
    ],
    ["an alias with a space", { ...speech, aliases: ["my alias"] }, "aliases.0: "],
  ])("refuses %s and names the field", (_, data, fault) => {
    expect(faultsOf(data).join("\n")).toContain(fault);
  });

  it("has a JSON Schema for editors", () => {
    const schema = toJsonSchema() as { properties: Record<string, unknown>; additionalProperties: boolean };
    expect(schema.additionalProperties).toBe(false);
    expect(Object.keys(schema.properties)).toContain("modelType");
  });
});

describe("the vocabulary of tasks", () => {
  it("is sorted and without doubles", () => {
    expect([...pipelineTags]).toEqual([...new Set(pipelineTags)].sort());
  });

  it("understands every tag, and other words for some", () => {
    for (const tag of pipelineTags) expect(parseTask(tag)).toBe(tag);
    expect(parseTask("Text Generation")).toBe("text-generation");
    expect(parseTask("ASR")).toBe("automatic-speech-recognition");
  });

  it.each([
    ["text-generaton", "text-generation"],
    ["object detect", "object-detection"],
    ["fillmask", "fill-mask"],
    ["constructor", ""],
  ])("suggests for %j what was meant", (typed, meant) => {
    expect(() => parseTask(typed)).toThrow(
      expect.objectContaining({ code: "invalid_request", hint: expect.stringContaining(meant) }),
    );
  });
});
