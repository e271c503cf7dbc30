import { describe, expect, it } from "vitest";
import { hfms, temporaryHome } from "./hfms.js";

const home = temporaryHome();

/** Commands that must end with exit code 2 before any model is touched, and what they say. */
const mistakes: [what: string, args: string[], stderr: RegExp[]][] = [
  ["an unknown command", ["emebd", "x"], [/unknown command "emebd"/, /did you mean `hfms embed`\?/]],
  ["an unknown command that nothing is like", ["xylophone"], [/unknown command "xylophone"/, /hfms --help/]],
  ["help for an unknown command", ["lits", "--help"], [/unknown command "lits"/, /`hfms list`/]],
  [
    "a mistyped flag",
    ["run", "smollm2", "hi", "--temprature", "1"],
    [/unknown flag --temprature/, /`--temperature`/],
  ],
  [
    "a text that starts with a dash",
    ["run", "smollm2", "- list"],
    [/starts with a dash/, /put `--` before it/],
  ],
  [
    "a temperature that is no number",
    ["run", "smollm2", "hi", "--temperature", "NaN"],
    [/--temperature can't be "NaN"/],
  ],
  ["an infinite temperature", ["run", "smollm2", "hi", "--temperature", "Infinity"], [/"Infinity"/]],
  [
    "a negative temperature",
    ["run", "smollm2", "hi", "--temperature", "-1"],
    [/--temperature can't be "-1"/, /0 or more/],
  ],
  ["a top-p of zero", ["run", "smollm2", "hi", "--top-p", "0"], [/--top-p can't be "0"/, /above 0/]],
  [
    "a min-p above one",
    ["run", "smollm2", "hi", "--min-p", "1.5"],
    [/--min-p can't be "1.5"/, /from 0 to 1/],
  ],
  [
    "half a token",
    ["run", "smollm2", "hi", "--max-tokens", "1.5"],
    [/--max-tokens can't be "1.5"/, /whole number/],
  ],
  ["no tokens at all", ["run", "smollm2", "hi", "--max-tokens", "0"], [/--max-tokens can't be "0"/]],
  [
    "a penalty out of its range",
    ["run", "smollm2", "hi", "--presence-penalty", "3"],
    [/--presence-penalty can't be "3"/],
  ],
  ["a negative seed", ["run", "smollm2", "hi", "--seed=-1"], [/--seed can't be "-1"/]],
  ["a flag without its value", ["run", "smollm2", "--seed"], [/--seed needs a value/]],
  ["a flag given twice", ["run", "smollm2", "hi", "--seed", "1", "--seed", "2"], [/--seed is given twice/]],
  [
    "a dtype that does not exist",
    ["run", "smollm2", "hi", "--dtype", "int9"],
    [/--dtype can't be "int9"/, /did you mean int[48]\?/],
  ],
  ["a missing argument", ["info"], [/MODEL is missing/, /hfms info --help/]],
  ["an argument too many", ["list", "smollm2"], [/too many arguments: "smollm2"/]],
  [
    "flags that exclude each other",
    ["embed", "a", "--prefix", "x", "--prompt", "y"],
    [/--prefix and --prompt|--prompt and --prefix/],
  ],
  [
    "a prompt in the model's place",
    ["run", "What is the capital of France?"],
    [/looks like a prompt/, /hfms run smollm2/],
  ],
  ["--raw with --system", ["run", "gpt2", "hi", "--raw", "--system", "x"], [/--raw and --system/]],
  ["--raw with --tools", ["run", "gpt2", "hi", "--raw", "--tools", "[]"], [/--raw and --tools/]],
  ["--raw with --no-thinking", ["run", "gpt2", "hi", "--raw", "--no-thinking"], [/--raw and --no-thinking/]],
  ["--echo without --raw", ["run", "smollm2", "hi", "--echo"], [/--echo needs --raw/]],
  ["log probabilities for nobody", ["run", "smollm2", "hi", "--logprobs", "2"], [/--logprobs needs --json/]],
  [
    "two formats",
    ["run", "smollm2", "hi", "--regex", "a", "--choice", "b"],
    [/--regex and --choice don't go together/, /an answer has one format/],
  ],
  [
    "a schema that is not JSON",
    ["run", "smollm2", "hi", "--schema", "{type:"],
    [/the value of --schema is not JSON/],
  ],
  ["a choice of tools without tools", ["run", "smollm2", "hi", "--tool-choice", "none"], [/needs --tools/]],
  [
    "fewer answers than shall be kept",
    ["run", "smollm2", "hi", "-n", "3", "--best-of", "2"],
    [/--best-of 2/],
  ],
  [
    "guessing ahead and not",
    ["chat", "--speculation", "--deterministic"],
    [/--speculation and --deterministic don't go together/],
  ],
  ["an empty pipe", ["run", "smollm2"], [/standard input is empty/]],
  ["an empty prompt", ["run", "smollm2", ""], [/the input is empty/]],
  ["an empty pipe to embed", ["embed"], [/standard input is empty/]],
  ["an empty pipe to chat", ["chat"], [/standard input is empty/]],
  ["texts and a file to embed", ["embed", "a", "--file", "b"], [/--file/]],
  ["two output formats", ["embed", "a", "--json", "--format", "csv"], [/--json and --format csv/]],
  ["a removal that nobody confirms", ["rm", "smollm2"], [/nobody is there to confirm/, /--yes/]],
];

describe("a mistake on the command line", () => {
  it.concurrent.each(mistakes)(
    "%s ends with exit code 2, a message and a hint",
    async (_, args, patterns) => {
      const { code, stdout, stderr } = await hfms(home(), args);
      for (const pattern of patterns) expect(stderr).toMatch(pattern);
      expect(stderr).toMatch(/^error: .+\nhint: .+\n$/);
      if (!args.includes("--json")) expect(stdout).toBe("");
      expect(code).toBe(2);
    },
  );

  it("gives a JSON document on stdout with --json, and the human lines on stderr", async () => {
    const { code, stdout, stderr } = await hfms(home(), [
      "run",
      "smollm2",
      "hi",
      "--top-k",
      "many",
      "--json",
    ]);
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code: "invalid_request",
        message: '--top-k can\'t be "many"',
        hint: "it is a whole number, 0 or more",
        param: "top-k",
      },
    });
    expect(stderr).toContain("error: --top-k");
    expect(code).toBe(2);
  });

  it("takes everything after -- for text", async () => {
    const { stderr } = await hfms(home(), ["run", "no/such-model-here", "--", "--json"]);
    expect(stderr).not.toContain("unknown flag");
  });
});

describe("input that can't be read", () => {
  it("names a file that is not there", async () => {
    const { code, stderr } = await hfms(home(), ["run", "smollm2", "--file", "no-such-file.txt"]);
    expect(stderr).toContain('there is no file "no-such-file.txt"');
    expect(code).toBe(6);
  });

  it("refuses bytes that are not UTF-8 instead of guessing", async () => {
    const input = new Uint8Array([0x66, 0xff, 0xfe, 0x0a]);
    const { code, stderr } = await hfms(home(), ["embed"], { input });
    expect(stderr).toContain("standard input is not text in UTF-8");
    expect(code).toBe(2);
  });
});
