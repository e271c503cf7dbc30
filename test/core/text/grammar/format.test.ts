import { describe, expect, it } from "vitest";
import type { OutputFormat } from "../../../../src/core/requests.js";
import { formatExpression } from "../../../../src/core/text/grammar/format.js";
import { compileGrammar, GrammarVocabulary } from "../../../../src/core/text/grammar/index.js";
import { loadTokenizer } from "../../../../src/core/text/tokenizer.js";
import fc from "../../../property.js";
import { fixture } from "../fixture.js";
import { allowedTokens, randomAnswer, randomNumbers, recognizer, vocabularyOf } from "./walk.js";

const model = await vocabularyOf("llama-gqa");
const matches = (format: OutputFormat) => recognizer(formatExpression(format));
const grammar = (source: string): OutputFormat => ({ type: "grammar", grammar: source });

describe("a regular expression", () => {
  const patterns = [
    "[a-c]{2,3}-\\d+",
    "(foo|ba[rz])*",
    "a.c",
    "^\\w+$",
    "(a|ab)(c|bcd)(d*)",
    "[^a-z\\s]{0,5}?",
    "\\u00e9|\\u{1F600}|\\x41",
    "(?:x|(?<name>y))+?z?",
    "^$|^a$",
    "[\\]\\-\\\\]+",
    "\\p{Lu}\\p{Ll}*",
    "(a?)",
  ];

  it.each(patterns)("matches the whole texts that the language's own does: %s", (pattern) => {
    const own = new RegExp(`^(?:${pattern})$`, "u");
    const ours = matches({ type: "regex", pattern });
    const letters = fc.constantFrom(..."abcdfoorzxy-01 AÉé\\]\n😀_Ä");
    const texts = fc.oneof(
      fc.array(letters, { maxLength: 6 }).map((list) => list.join("")),
      fc.stringMatching(own),
    );
    fc.assert(
      fc.property(texts, (text) => ours(text) === own.test(text)),
      { seed: 3, numRuns: 300 },
    );
  });

  it.each([
    ["a(?=b)", "look-around"],
    ["(a)\\1", "back references"],
    ["a\\b", "word borders"],
    ["(a", '")"'],
    ["a)", "no partner"],
    ["[a", '"]"'],
    ["*a", "nothing to repeat"],
    ["a{3,2}", "wrong order"],
    ["[b-a]", "wrong order"],
    ["\\p{Nothing}", "property"],
  ])("%s is refused: %s", (pattern, reason) => {
    expect(() => matches({ type: "regex", pattern })).toThrow(reason);
  });
});

describe("a grammar in EBNF", () => {
  it("has rules that call themselves, groups, classes, counts and comments", () => {
    const sum = matches(
      grammar(`# sums
        root ::= term (op term)*
        op ::= " "? [-+*/] " "?
        term ::= number
               | "(" root ")"   # any depth
        number ::= [0-9]{1,3} ("." [0-9]+)?
      `),
    );
    for (const text of ["1", "12+3", "(1 + 2.5)*3", "((((7))))"]) expect(sum(text), text).toBe(true);
    for (const text of ["", "1+", "1234", "(1", "1..2", "1  + 2"]) expect(sum(text), text).toBe(false);
  });

  it("may go on behind a call at the end of a rule without end", () => {
    const same = matches(grammar('root ::= "a" root "b" | ""'));
    expect(same(`${"a".repeat(300)}${"b".repeat(300)}`)).toBe(true);
    expect(same(`${"a".repeat(300)}${"b".repeat(299)}`)).toBe(false);
  });

  it.each([
    ['root ::= "a', "a literal is not closed (line 1, column 12)"],
    ['root ::= "a"\nother ::= thing', 'there is no rule "thing" (line 2, column 11)'],
    ['other ::= "a"', 'there is no rule "root"'],
    ['root ::= root "a" | "b"', 'the rule "root" calls itself before it has read a character'],
    ['root ::= "" x? root', "before it has read a character"],
    ['root ::= "a" root', "no answer can have this format"],
    ["root ::= (a", "(line 1, column"],
    ["= nonsense", "a rule must begin with its name (line 1, column 1)"],
  ])("%s is refused: %s", (source, reason) => {
    expect(() => matches(grammar(source.includes("x?") ? `${source}\nx ::= "x"` : source))).toThrow(reason);
  });
});

describe("formats", () => {
  it("of choices allow these texts and no other ones", () => {
    const words = fc.uniqueArray(fc.string({ unit: "grapheme", maxLength: 5 }), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(words, fc.string({ maxLength: 5 }), (choices, other) => {
        const ours = matches({ type: "choice", choices });
        return choices.every(ours) && ours(other) === choices.includes(other);
      }),
      { seed: 5, numRuns: 60 },
    );
  });

  it("of free text end before the first of the words", () => {
    const letters = fc.array(fc.constantFrom(..."ab<x>é"), { maxLength: 12 }).map((list) => list.join(""));
    const words = fc.array(
      letters.filter((word) => word !== ""),
      { maxLength: 3 },
    );
    fc.assert(
      fc.property(words, letters, (until, text) => {
        const free = matches({ type: "free_text", until });
        return free(text) === !until.some((word) => text.includes(word));
      }),
      { seed: 6, numRuns: 200 },
    );
  });

  const call: OutputFormat = {
    type: "sequence",
    parts: [
      { type: "text", text: "<call>" },
      {
        type: "any_of",
        options: [
          {
            type: "json_schema",
            schema: {
              type: "object",
              properties: { n: { const: "f" }, a: { type: "integer" } },
              required: ["n", "a"],
            },
          },
          {
            type: "json_schema",
            schema: { type: "object", properties: { n: { const: "g" } }, required: ["n"] },
          },
        ],
      },
      { type: "text", text: "</call>" },
    ],
  };

  it("are put together: text, then calls with a separator between them", () => {
    const answer = matches({
      type: "sequence",
      parts: [
        { type: "free_text", until: ["<call>"] },
        { type: "repeat", part: call, min: 0, max: 2, separator: "\n" },
      ],
    });
    const [f, g] = ['<call>{"n":"f", "a":-3}</call>', '<call>{"n":"g"}</call>'];
    for (const text of ["", "hello <cal", f, `first: ${f}\n${g}`, `${g}\n${g}`])
      expect(answer(text), text).toBe(true);
    for (const text of [`${f}${g}`, `${f}\n`, `${g}\n${g}\n${g}`, "<call>", "<call>{}</call>", `${f} bye`]) {
      expect(answer(text), text).toBe(false);
    }
  });

  it("repeat a part as often as they say, however often that is", () => {
    for (const [min, max] of [
      [0, 2],
      [3, 3],
      [2, undefined],
      [0, 5000],
    ] as const) {
      for (const part of [
        { type: "text", text: "ab" },
        grammar('root ::= "a" root? "b"'),
      ] as OutputFormat[]) {
        const repeated = matches({ type: "repeat", part, min, max, separator: "," });
        for (let count = 0; count < 7; count++) {
          const fits = count >= min && count <= (max ?? count);
          expect(repeated(Array(count).fill("ab").join()), `${count} of ${min} to ${max}`).toBe(fits);
        }
      }
    }
  });

  it.each<[OutputFormat, string]>([
    [{ type: "choice", choices: [] }, "at least one"],
    [{ type: "any_of", options: [] }, "at least one"],
    [{ type: "free_text", until: [""] }, "empty"],
    [{ type: "repeat", part: { type: "text", text: "a" }, min: 3, max: 2 }, "3 to 2"],
    [{ type: "nonsense" } as unknown as OutputFormat, "nonsense"],
    [
      { type: "json_schema", schema: { properties: { age: { type: "integer", not: {} } } } },
      "/properties/age/not: not is not supported",
    ],
    [{ type: "json_schema", schema: { items: { "a/b": 1 } } }, "/items/a/b: a/b is not supported"],
    [
      { type: "json_schema", schema: { type: "string", format: "iri" } },
      '/format: the format "iri" is not supported',
    ],
    [{ type: "json_schema", schema: { type: "string", pattern: "(?!a)" } }, "/pattern: the pattern"],
    [{ type: "json_schema", schema: { minLength: -1 } }, "/minLength: must be a whole number"],
    [{ type: "json_schema", schema: { $ref: "#/$defs/x" } }, '/$ref: there is nothing at "#/$defs/x"'],
    [{ type: "json_schema", schema: { $ref: "#" } }, "leads to itself"],
  ])("%j is refused: %s", async (format, reason) => {
    await expect(compileGrammar(format, model.vocabulary)).rejects.toMatchObject({ code: "invalid_request" });
    await expect(compileGrammar(format, model.vocabulary)).rejects.toThrow(reason);
  });

  it("that are nested without end are refused, not fatal", async () => {
    let schema: Record<string, unknown> = { type: "string" };
    for (let depth = 0; depth < 20_000; depth++) schema = { anyOf: [schema] };
    await expect(compileGrammar({ type: "json_schema", schema }, model.vocabulary)).rejects.toThrow("nested");
  });

  it("are compiled once", async () => {
    const format: OutputFormat = { type: "choice", choices: ["yes", "no"] };
    expect(await compileGrammar({ ...format }, model.vocabulary)).toBe(
      await compileGrammar(format, model.vocabulary),
    );
    const aborted = AbortSignal.abort();
    await expect(compileGrammar(format, model.vocabulary, aborted)).rejects.toMatchObject({
      code: "aborted",
    });
  });
});

describe("a matcher", () => {
  it("allows exactly the tokens that can be accepted", async () => {
    const formats: OutputFormat[] = [
      { type: "json_object" },
      { type: "json_schema", schema: { type: "string", minLength: 2, maxLength: 9 } },
      { type: "regex", pattern: "(the |a )?[^aeiou]{3,40}é" },
      {
        type: "sequence",
        parts: [
          { type: "free_text", until: ["the"] },
          { type: "text", text: "the end" },
        ],
      },
    ];
    const random = randomNumbers(9);
    for (const format of formats) {
      const compiled = await compileGrammar(format, model.vocabulary);
      const path: number[] = [];
      for (let length = 0; length < 12; length++) {
        const now = matcherAfter(compiled, path);
        const allowed = new Set(allowedTokens(now.mask()));
        const accepted = Array.from({ length: model.size }, (_, token) => token).filter((token) => {
          try {
            matcherAfter(compiled, path).accept(token);
            return true;
          } catch {
            return false;
          }
        });
        expect(accepted).toEqual([...allowed]);
        const next = accepted.filter((token) => token !== model.stop);
        if (next.length === 0) break;
        path.push(next[Math.floor(random() * next.length)]);
      }
    }
  });

  it("never allows special tokens, nor ids behind the vocabulary; at the end only those that stop", async () => {
    const { tokenizer, vocabulary, stop } = model;
    const free = await compileGrammar({ type: "free_text" }, vocabulary);
    const allowed = allowedTokens(free.matcher().mask());
    expect(allowed.filter((token) => tokenizer.isSpecial(token))).toEqual([stop]);
    expect(Math.max(...allowed)).toBeLessThan(tokenizer.vocabularySize);

    const word = (await compileGrammar({ type: "text", text: "a" }, vocabulary)).matcher();
    expect(allowedTokens(word.mask())).not.toContain(stop);
    expect(() => word.accept(stop)).toThrow(expect.objectContaining({ code: "internal_error" }));
    word.accept(tokenizer.tokenToId("a")!);
    expect(word.complete).toBe(true);
    expect(allowedTokens(word.mask())).toEqual([stop]);
    word.accept(stop);
    expect(allowedTokens(word.mask())).toEqual([stop]);
  });

  it("writes characters byte by byte where the vocabulary has no token for them", async () => {
    const text = "日本語 😀 ß";
    const matcher = (
      await compileGrammar({ type: "choice", choices: [text, "日本人"] }, model.vocabulary)
    ).matcher();
    const bytes = [...Buffer.from(text)].map((byte) => String.fromCharCode(byte));
    for (const byte of bytes) {
      const token = allowedTokens(matcher.mask()).find((id) => model.vocabulary.bytesOf(id) === byte);
      expect(token).toBeDefined();
      matcher.accept(token!);
    }
    expect(matcher.complete).toBe(true);
  });

  it("holds answers of other kinds of tokenizers, and says where a vocabulary can't follow", async () => {
    for (const name of ["sentencepiece-bpe", "unigram", "word-piece", "byte-level"] as const) {
      const tokenizer = await loadTokenizer(fixture(name));
      const size = tokenizer.vocabularySize;
      const stop = size - 1;
      const vocabulary = new GrammarVocabulary(tokenizer, { size, stopTokens: [stop] });
      const compiled = await compileGrammar({ type: "regex", pattern: "( ?[a-z]+){2,4}" }, vocabulary);
      const answer = randomAnswer(compiled, { tokenizer, vocabulary, size, stop }, randomNumbers(2));
      expect(answer?.trim(), name).toMatch(/^( ?[a-z]+){2,4}$/);
    }
    const words = await loadTokenizer(fixture("word-piece"));
    const vocabulary = new GrammarVocabulary(words, { size: words.vocabularySize, stopTokens: [0] });
    const unspellable = await compileGrammar({ type: "text", text: "\u{10ABCD}" }, vocabulary);
    expect(() => unspellable.matcher().mask()).toThrow("can't write what the format asks for");
    const suffixes = await loadTokenizer(fixture("bpe-suffix"));
    expect(() => new GrammarVocabulary(suffixes, { size: 9, stopTokens: [] })).toThrow("output format");
  });
});

function matcherAfter(compiled: Awaited<ReturnType<typeof compileGrammar>>, path: readonly number[]) {
  const matcher = compiled.matcher();
  for (const token of path) matcher.accept(token);
  return matcher;
}
