import { describe, expect, it } from "vitest";
import { HfmsError } from "../../../src/core/errors.js";
import { neededFiles, quantOf } from "../../../src/core/hub/needed-files.js";
import fc from "../../property.js";

function needed(paths: string[], options: { quant?: string; index?: string } = {}) {
  return neededFiles({ id: "acme/model", files: paths.map((path) => ({ path, size: 1 })), ...options });
}

function refusal(paths: string[], quant?: string): HfmsError {
  try {
    needed(paths, { quant });
  } catch (error) {
    if (error instanceof HfmsError) return error;
  }
  throw new Error("was not refused");
}

const INDEX = "model.safetensors.index.json";
const SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

describe("the files that a text model needs", () => {
  it("are configuration, tokenizer and one kind of weights", () => {
    const plan = needed([
      ".gitattributes",
      "README.md",
      "chat_template.jinja",
      "config.json",
      "flax_model.msgpack",
      "generation_config.json",
      "merges.txt",
      "model.safetensors",
      "onnx/model.onnx",
      "pytorch_model.bin",
      "special_tokens_map.json",
      "tf_model.h5",
      "tokenizer.json",
      "tokenizer_config.json",
      "vocab.json",
    ]);
    expect(plan).toEqual({
      format: "safetensors",
      weights: ["model.safetensors"],
      files: [
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "chat_template.jinja",
        "model.safetensors",
      ],
    });
  });

  it("include the vocabulary where there is no tokenizer.json", () => {
    expect(needed(["config.json", "merges.txt", "vocab.json", "model.safetensors"]).files).toEqual([
      "config.json",
      "vocab.json",
      "merges.txt",
      "model.safetensors",
    ]);
  });

  it("include the modules of sentence-transformers", () => {
    const paths = ["1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"];
    const plan = needed([
      ...paths,
      "2_Dense/pytorch_model.bin",
      "config.json",
      "modules.json",
      "model.safetensors",
    ]);
    expect(plan.files).toEqual(["config.json", "modules.json", ...paths, "model.safetensors"]);
    expect(plan.weights).toEqual(["model.safetensors"]);
  });

  it("are, of a sharded model, the shards that the index names", () => {
    const shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    const paths = ["config.json", "model.safetensors.index.json", ...shards, "extra-00001.safetensors"];
    expect(needed(paths)).toMatchObject({ weights: shards, index: "model.safetensors.index.json" });
    const index = JSON.stringify({
      weight_map: { a: "extra-00001.safetensors", b: shards[0], c: shards[0] },
    });
    expect(needed(paths, { index }).weights).toEqual(["extra-00001.safetensors", shards[0]]);
  });

  it("can't be told from an index that is damaged or names what is not there", () => {
    const paths = ["config.json", "model.safetensors.index.json", "model-00001-of-00001.safetensors"];
    for (const index of ["", "[]", "{}", '{"weight_map":{}}', '{"weight_map":{"a":"../../etc/passwd"}}']) {
      expect(() => needed(paths, { index })).toThrow(expect.objectContaining({ code: "corrupt_file" }));
    }
  });

  it("are one GGUF, by what its format keeps of the weights", () => {
    const formats =
      "Q8_0 BF16 F16 F32 Q8_K_XL Q6_K Q5_K_M Q5_K_S Q5_1 Q5_0 Q4_K_XL Q4_K_L Q4_K_M Q4_K_S IQ4_NL IQ4_XS Q4_1 Q4_0 Q3_K_L Q3_K_M Q3_K_S Q2_K";
    const best = formats.split(" ").map((format) => `m-${format}.gguf`);
    const order: string[] = [];
    for (let left = [...best].sort(); left.length > 0; left = left.filter((file) => file !== order.at(-1))) {
      order.push(needed([...left, "m-IQ2_XS.gguf", "m-TQ1_0.gguf"]).weights[0]);
    }
    expect(order).toEqual(best);
  });

  it("are all parts of a split GGUF", () => {
    const parts = ["Q8_0/m-Q8_0-00001-of-00002.gguf", "Q8_0/m-Q8_0-00002-of-00002.gguf"];
    expect(needed(["m-Q4_K_M.gguf", ...parts.toReversed()])).toEqual({
      format: "gguf",
      weights: parts,
      files: parts,
    });
    expect(needed(["m-Q4_K_M.gguf", ...parts], { quant: "q4_k_m" }).weights).toEqual(["m-Q4_K_M.gguf"]);
    expect(needed(["ggml-model-00001-of-00001.gguf"]).weights).toHaveLength(1);
  });

  it("can't be parts of a GGUF of which one is not there", () => {
    expect(refusal(["m-Q8_0-00001-of-00003.gguf", "m-Q8_0-00003-of-00003.gguf"])).toMatchObject({
      code: "corrupt_file",
      message: "acme/model lacks m-Q8_0-00002-of-00003.gguf, one of the 3 files of a model",
    });
  });

  it("are the GGUF that was asked for, also beside safetensors", () => {
    const paths = ["config.json", "model.safetensors", "m-q4_0.gguf", "m-q8_0.gguf", "mmproj-Q4_0.gguf"];
    expect(needed(paths, { quant: "Q4_0" }).weights).toEqual(["m-q4_0.gguf"]);
    expect(needed(paths).weights).toEqual(["model.safetensors"]);
  });

  it("are the only GGUF when its name does not say its format", () => {
    expect(needed(["ggml-model.gguf"]).weights).toEqual(["ggml-model.gguf"]);
  });
});

describe("what can't be run is refused before it is downloaded", () => {
  it.each([
    [
      "pickle files",
      ["config.json", "pytorch_model.bin"],
      "has its weights in pickle files only (pytorch_model.bin)",
    ],
    [
      "pickle files in parts",
      [
        "config.json",
        "pytorch_model-00001-of-00002.bin",
        "pytorch_model.bin.index.json",
        "training_args.bin",
      ],
      "pickle files only (pytorch_model-00001-of-00002.bin)",
    ],
    ["a checkpoint of Lightning", ["config.json", "last.ckpt"], "pickle files only (last.ckpt)"],
    ["a pickle file in a folder", ["original/consolidated.00.pth"], "only (original/consolidated.00.pth)"],
    [
      "OpenVINO's format, whose .bin is no pickle",
      ["config.json", "openvino_model.bin", "openvino_model.xml"],
      "no safetensors or GGUF weights (it has openvino_model.xml)",
    ],
    ["GGML's format of before GGUF", ["ggml-model-q4_0.bin"], "weights (it has ggml-model-q4_0.bin)"],
    [
      "Mistral's own layout",
      ["config.json", "consolidated.safetensors"],
      "no weights in the transformers layout (it has consolidated.safetensors)",
    ],
    [
      "files of which none is the model",
      ["config.json", "a.safetensors", "b.safetensors"],
      "several safetensors files and none is model.safetensors: a.safetensors, b.safetensors",
    ],
    ["shards without an index", ["config.json", ...SHARDS], `no ${INDEX} that says what is where`],
    ["an adapter", ["adapter_config.json", "adapter_model.safetensors"], "is an adapter, not a whole model"],
    [
      "an ONNX export",
      ["config.json", "onnx/model.onnx"],
      "no safetensors or GGUF weights (it has onnx/model.onnx)",
    ],
    ["nothing at all", ["README.md"], "acme/model has no safetensors or GGUF weights"],
    ["weights without config.json", ["model.safetensors"], "no config.json"],
    [
      "GGUF in formats we don't read",
      ["m.IQ3_M.gguf", "m.IQ2_XS.gguf"],
      "formats hfms does not read: IQ3_M, IQ2_XS",
    ],
    [
      "a dense layer in a pickle file",
      [
        "config.json",
        "model.safetensors",
        "modules.json",
        "2_Dense/config.json",
        "2_Dense/pytorch_model.bin",
      ],
      "has a layer in a pickle file (2_Dense/pytorch_model.bin) only",
    ],
  ])("%s", (_, paths, message) => {
    expect(refusal(paths)).toMatchObject({
      code: "unsupported_model",
      message: expect.stringContaining(message),
    });
  });

  it("pickle files with the reason and the ways around them", () => {
    const { hint } = refusal(["config.json", "pytorch_model.bin"]);
    for (const part of [
      "can run any code",
      "--revision refs/pr/1",
      "safetensors or GGUF",
      "safetensors/convert",
    ]) {
      expect(hint).toContain(part);
    }
    const files = [{ path: "pytorch_model.bin", size: 1 }];
    expect(() => neededFiles({ id: "/models/acme", files })).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("safe_serialization=True") }),
    );
  });

  it("with what there is instead, when a GGUF was asked for", () => {
    expect(refusal(["m.Q4_K_M.gguf", "m.Q8_0.gguf"], "Q5_0")).toMatchObject({
      message: "acme/model:Q5_0 asks for a GGUF that it has not",
      hint: expect.stringContaining("it has Q4_K_M, Q8_0;"),
    });
    expect(refusal(["m.IQ1_S.gguf"], "iq1_s").message).toContain(
      "in a number format that hfms does not read",
    );
    expect(refusal(["model.safetensors"], "Q8_0").hint).toContain("it has no GGUF");
  });

  it("and nothing else than the error table's words comes out, whatever a repository lists", () => {
    const part = fc.constantFrom(
      "model",
      "config",
      ".safetensors",
      ".json",
      ".index",
      ".gguf",
      "Q8_0",
      "-",
      "/",
      "a",
    );
    const name = fc.array(part, { maxLength: 6 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.array(name), fc.option(fc.string(), { nil: undefined }), (paths, index) => {
        try {
          const plan = needed(paths, { index });
          expect(plan.files.every((file) => paths.includes(file))).toBe(true);
          expect(plan.weights.length).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toBeInstanceOf(HfmsError);
        }
      }),
    );
  });
});

describe("the number format in the name of a GGUF", () => {
  it.each([
    ["SmolLM2-135M-Instruct.Q4_1.gguf", "Q4_1"],
    ["smollm2-135m-instruct-q8_0.gguf", "q8_0"],
    ["Llama-3.2-1B-Instruct-Q4_K_M.gguf", "Q4_K_M"],
    ["model-f16.gguf", "f16"],
    ["model.BF16.gguf", "BF16"],
    ["Qwen3-IQ4_XS.gguf", "IQ4_XS"],
    ["F32/model-F32.gguf", "F32"],
    ["Q8_0.gguf", "Q8_0"],
    ["gpt-oss-MXFP4.gguf", "MXFP4"],
    ["ggml-model.gguf", undefined],
    ["phi-Q4.safetensors", undefined],
  ])("%s", (file, quant) => expect(quantOf(file)).toBe(quant));
});
