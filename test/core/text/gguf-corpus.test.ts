import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tokenizerFromGguf } from "../../../src/core/text/gguf-tokenizer.js";
import { createTokenizer } from "../../../src/core/text/tokenizer.js";
import type { Tokenizer } from "../../../src/core/text/types.js";
import { gguf } from "../../../src/core/weights/gguf.js";
import type { MetadataValue } from "../../../src/core/weights/types.js";

/** A tokenizer in a GGUF file, and what its own tokenizer.json made of the corpus. Written by the fixture's make.py. */
interface Case {
  name: string;
  file: string;
  /** Keys that differ from the file's. */
  keys: Record<string, string | boolean>;
  /** Of the ids of each ten lines. */
  digests: string[];
  /** Ids of "a b" and "c" joined. */
  pair?: number[];
}

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../fixtures/gguf-tokenizers/${name}`, import.meta.url));
const unpacked = async (name: string) => gunzipSync(await readFile(fixture(name)));

const cases: Case[] = JSON.parse(await readFile(fixture("expected.json"), "utf8"));
const lines: string[] = JSON.parse((await unpacked("corpus.json.gz")).toString("utf8"));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "hfms-gguf-corpus-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function metadataOf({ file, keys }: Case): Promise<Map<string, MetadataValue>> {
  const target = path.join(folder, `${file}.gguf`);
  await writeFile(target, await unpacked(`${file}.gguf.gz`));
  await using opened = await gguf.open(target);
  return new Map([...opened.metadata, ...Object.entries(keys)]);
}

async function rebuilt(metadata: Map<string, MetadataValue>): Promise<Tokenizer> {
  const { tokenizerJson, tokenizerConfig } = tokenizerFromGguf(metadata);
  return createTokenizer(tokenizerJson, tokenizerConfig);
}

/** The tens of lines whose ids are not those of the digests. */
function wrongLines(tokenizer: Tokenizer, digests: string[]) {
  expect(digests).toHaveLength(lines.length / 10);
  return digests.flatMap((digest, ten) => {
    const texts = lines.slice(10 * ten, 10 * ten + 10);
    const ids = texts.map((line) => tokenizer.encode(line).join(",")).join("\n");
    const found = createHash("sha256").update(ids).digest("hex").slice(0, digest.length);
    return found === digest ? [] : [{ texts, ids }];
  });
}

describe("a tokenizer out of GGUF metadata", () => {
  it.each(cases)("gives $name the ids of its own tokenizer.json, for 1,000 lines", async (testCase) => {
    const tokenizer = await rebuilt(await metadataOf(testCase));
    expect(wrongLines(tokenizer, testCase.digests)).toEqual([]);
    if (testCase.pair) {
      const plain = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
      expect(tokenizer.join(plain("a b"), plain("c")).ids).toEqual(testCase.pair);
    }
  });

  it("takes tiktoken's ids for ranks where Kimi's file has no merges", async () => {
    const testCase = cases.find(({ name }) => name === "byte-level kimi-k2")!;
    const metadata = await metadataOf(testCase);
    metadata.delete("tokenizer.ggml.merges");
    expect(wrongLines(await rebuilt(metadata), testCase.digests)).toEqual([]);
  });
});
