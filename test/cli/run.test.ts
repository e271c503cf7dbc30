import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { golden } from "../golden/reference.js";
import { hfms, outcome, program, temporaryHome, testEnvironment } from "./hfms.js";

const home = temporaryHome();
const { directory, reference } = golden("llama-gqa");
const prompt = reference.prompts[1];
const greedy = ["--dtype", "fp32", "--temperature", "0", "--max-tokens", "12"];
const raw = ["run", directory, "--raw", ...greedy];

describe("hfms run", () => {
  it("gives PyTorch's greedy tokens in one JSON document", async () => {
    const { code, stdout } = await hfms(home(), [...raw, "--json", prompt.text]);
    expect(code).toBe(0);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({
      model: expect.any(String),
      task: "text-generation",
      device: "cpu",
      dtype: "fp32",
      output: { tokens: prompt.greedy.slice(0, 12), finish_reason: "length" },
      usage: {
        prompt_tokens: prompt.tokens.length,
        completion_tokens: 12,
        total_tokens: prompt.tokens.length + 12,
      },
    });
    for (const name of ["load_ms", "prompt_ms", "generate_ms", "prompt_per_second", "generate_per_second"])
      expect(document.timings[name], name).toBeGreaterThanOrEqual(0);
  });

  it("keeps keys and values in int8 when it is asked to, and says so", async () => {
    const int8 = [...raw, "--kv-cache-dtype", "int8"];
    const { code, stdout } = await hfms(home(), [...int8, "--json", prompt.text]);
    expect(code).toBe(0);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ dtype: "fp32", kv_cache_dtype: "int8" });
    expect(document.output.tokens).toHaveLength(12);
    expect((await hfms(home(), [...int8, "--verbose", prompt.text])).stderr).toContain(
      "keys and values as int8",
    );
    expect((await hfms(home(), ["list"])).stdout).toContain("fp32 with int8 cache");
    const exact = await hfms(home(), [...raw, "--kv-cache-dtype", "fp32", "--json", prompt.text]);
    expect(JSON.parse(exact.stdout).output.tokens).toEqual(prompt.greedy.slice(0, 12));
  });

  it("prints the text and a line break on stdout, and nothing else", async () => {
    const { stdout: json } = await hfms(home(), [...raw, "--json", prompt.text]);
    const { stdout, stderr } = await hfms(home(), [...raw, prompt.text]);
    expect(stdout).toBe(`${JSON.parse(json).output.text}\n`);
    expect(stderr).toBe("");
  });

  it("takes the prompt from words, a pipe, a dash or a file, all the same", async () => {
    const file = path.join(home(), "prompt.txt");
    await writeFile(file, `${prompt.text}\n`);
    const answers = await Promise.all([
      hfms(home(), [...raw, ...prompt.text.split(" ")]),
      hfms(home(), raw, { input: `${prompt.text}\n` }),
      hfms(home(), [...raw, "-"], { input: prompt.text }),
      hfms(home(), [...raw, "--file", file]),
    ]);
    expect(new Set(answers.map(({ stdout }) => stdout)).size).toBe(1);
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  });

  it("keeps repeated words of the prompt in their order", async () => {
    const words = ["a", "b", "a", "a", "b"];
    const [one, many] = await Promise.all([
      hfms(home(), [...raw, "--json", words.join(" ")]),
      hfms(home(), [...raw, "--json", ...words]),
    ]);
    expect(JSON.parse(many.stdout).output).toEqual(JSON.parse(one.stdout).output);
  });

  it("puts words before the pipe's text where the dash stands", async () => {
    const [piped, whole] = await Promise.all([
      hfms(home(), [...raw, "--json", "Sum", "up:", "-"], { input: "the text\n" }),
      hfms(home(), [...raw, "--json", "Sum up:\nthe text"]),
    ]);
    expect(JSON.parse(piped.stdout).usage).toEqual(JSON.parse(whole.stdout).usage);
    expect(JSON.parse(piped.stdout).output).toEqual(JSON.parse(whole.stdout).output);
  });

  it("leaves a pipe alone when the prompt is on the command line", async () => {
    const loop = `while read -r line; do "$0" "$1" ${raw.map((word) => `'${word}'`).join(" ")} "$line" > /dev/null; echo "$line"; done`;
    const shell = spawn("bash", ["-c", loop, process.execPath, program], { env: testEnvironment(home()) });
    shell.stdin.end("one\ntwo\nthree\n");
    expect((await outcome(shell)).stdout).toBe("one\ntwo\nthree\n");
  });

  it("puts a message through the chat template, with the system message before it", async () => {
    const [chat] = reference.chats;
    const run = ["run", directory, ...greedy, "--json"];
    const plain = JSON.parse((await hfms(home(), [...run, chat.messages.at(-1)!.content])).stdout);
    expect(plain.usage.prompt_tokens).toBe(chat.tokens.length);
    const system = JSON.parse((await hfms(home(), [...run, "--system", "Be brief.", "Hi"])).stdout);
    expect(system.usage.prompt_tokens).not.toBe(plain.usage.prompt_tokens);
  });

  it("gives the same text for the same seed, and another for another", async () => {
    const warm = [
      "run",
      directory,
      "--raw",
      "--dtype",
      "fp32",
      "--temperature",
      "1.5",
      "--max-tokens",
      "12",
      "--json",
    ];
    const answer = async (seed: string) => {
      const { stdout } = await hfms(home(), [...warm, "--seed", seed, prompt.text]);
      return JSON.parse(stdout).output.text as string;
    };
    const [first, again, other] = [await answer("1"), await answer("1"), await answer("2")];
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  it("ends before a stop text", async () => {
    const whole = JSON.parse((await hfms(home(), [...raw, "--json", prompt.text])).stdout).output
      .text as string;
    const stop = whole.slice(3, 5);
    const { stdout } = await hfms(home(), [
      ...raw,
      "--json",
      "--stop",
      "never there",
      "--stop",
      stop,
      prompt.text,
    ]);
    expect(JSON.parse(stdout).output).toMatchObject({
      text: whole.slice(0, whole.indexOf(stop)),
      finish_reason: "stop",
    });
  });

  it("says with --verbose what was chosen and how fast it was, on stderr only", async () => {
    const { stdout, stderr } = await hfms(home(), [...raw, "--verbose", prompt.text]);
    expect(stderr).toMatch(/on cpu: .+\nweights as fp32: .+\n/);
    expect(stderr).toMatch(/answer 12 tokens in .+\/s/);
    expect(stdout.trimEnd().split("\n")).not.toContain(expect.stringContaining("tokens in"));
  });

  it("runs a GGUF file", async () => {
    const gguf = golden("llama-gguf-f32");
    const file = path.join(gguf.directory, gguf.reference.file ?? "");
    const [first] = gguf.reference.prompts;
    const { stdout } = await hfms(home(), ["run", file, "--raw", ...greedy, "--json", first.text]);
    expect(JSON.parse(stdout).output.tokens).toEqual(first.greedy.slice(0, 12));
  });
});

describe("several answers", () => {
  const warm = ["run", directory, "--raw", "--dtype", "fp32", "--temperature", "1.5", "--max-tokens", "8"];

  it("are as many as asked for, the same for the same seed, and printed under their numbers", async () => {
    const three = [...warm, "-n", "3", "--seed", "5"];
    const [json, again, text] = await Promise.all([
      hfms(home(), [...three, "--json", prompt.text]),
      hfms(home(), [...three, "--json", prompt.text]),
      hfms(home(), [...three, prompt.text]),
    ]);
    const { choices, output, usage } = JSON.parse(json.stdout);
    expect(choices.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2]);
    expect(output).toEqual((({ index: _, ...first }) => first)(choices[0]));
    expect(new Set(choices.map(({ text }: { text: string }) => text)).size).toBe(3);
    expect(usage.completion_tokens).toBe(24);
    expect(JSON.parse(again.stdout).choices).toEqual(choices);
    const shown = choices.map(
      ({ text }: { text: string }, i: number) =>
        `--- answer ${i + 1} of 3 ---\n${text}${text.endsWith("\n") ? "" : "\n"}`,
    );
    expect(text.stdout).toBe(shown.join(""));
    expect(text.stderr).toBe("");
  });

  it("are made for --best-of, and only the likeliest is printed", async () => {
    const { stdout } = await hfms(home(), [...warm, "--seed", "5", "--best-of", "4", "--json", prompt.text]);
    const { choices, output, usage } = JSON.parse(stdout);
    expect(choices).toBeUndefined();
    expect(output.tokens).toHaveLength(8);
    expect(usage.completion_tokens).toBe(32);
  });
});

describe("what is told of an answer", () => {
  it("is the log probability of each token, and the likeliest ones beside it", async () => {
    const { stdout } = await hfms(home(), [...raw, "--logprobs", "2", "--json", prompt.text]);
    const { tokens, logprobs } = JSON.parse(stdout).output;
    expect(logprobs.map(({ token }: { token: number }) => token)).toEqual(tokens);
    for (const { token, logprob, top } of logprobs) {
      expect(top).toHaveLength(2);
      // Greedy: the chosen token is the likeliest.
      expect(top[0]).toMatchObject({ token, logprob });
      expect(top[1].logprob).toBeLessThanOrEqual(logprob);
    }
  });

  it("begins with the prompt when it is echoed", async () => {
    const [echoed, bare] = await Promise.all([
      hfms(home(), [...raw, "--echo", prompt.text]),
      hfms(home(), [...raw, prompt.text]),
    ]);
    expect(echoed.stdout).toBe(prompt.text + bare.stdout);
  });
});

describe("a prompt that a model can't take", () => {
  it("is refused when it is longer than the context, with the numbers", async () => {
    const { code, stdout, stderr } = await hfms(home(), raw, { input: "word ".repeat(600) });
    expect(code).toBe(10);
    expect(stderr).toMatch(/512/);
    expect(stdout).toBe("");
  });

  it("is refused when the model does another task", async () => {
    const { code, stderr } = await hfms(home(), ["run", golden("bert-mean").directory, "hi"]);
    expect(code).toBe(8);
    expect(stderr).toMatch(/bert/);
  });
});
