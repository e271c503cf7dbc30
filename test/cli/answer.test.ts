import { beforeEach, describe, expect, it, vi } from "vitest";
import { type AnswerView, followAnswer, timingsLine } from "../../src/cli/answer.js";
import { answerDocument } from "../../src/cli/answer-document.js";
import { toJson } from "../../src/cli/json.js";
import { ProgressDisplay } from "../../src/cli/progress.js";
import type { Choice, GenerateEvent, ReadyEvent } from "../../src/core/index.js";
import { screen } from "./screen.js";

beforeEach(() => {
  vi.stubEnv("FORCE_COLOR", undefined);
  vi.stubEnv("NO_COLOR", "1");
});

const ready: ReadyEvent = {
  type: "ready",
  model: "org/tiny",
  revision: "abc",
  source: "hub",
  modelType: "llama",
  task: "text-generation",
  device: "cpu",
  dtype: "fp32",
  dtypeReason: "asked for",
  deviceReason: "the only one",
  contextLength: 512,
  loadMs: 1,
};

const usage = { prompt_tokens: 4, completion_tokens: 2, total_tokens: 6, cached_tokens: 3 };
const timings = {
  ...{ load_ms: 1, queue_ms: 0, prompt_ms: 10, generate_ms: 20 },
  ...{ prompt_per_second: 400, generate_per_second: 100, drafted_tokens: 5, accepted_tokens: 4 },
};

function choice(text: string, more: Partial<Choice> = {}): Choice {
  return { index: 0, text, tokens: [1, 2], finishReason: "stop", ...more };
}

function done(...choices: Choice[]): GenerateEvent {
  const [{ text, tokens, finishReason }] = choices;
  return { type: "done", text, tokens, finishReason, choices, usage, timings };
}

function piece(type: "text" | "reasoning", text: string): GenerateEvent {
  return { type, index: 0, text, tokens: [1] };
}

async function* sequence(events: GenerateEvent[]): AsyncGenerator<GenerateEvent> {
  yield* events;
}

/** What a user sees of these events on stdout and on stderr; `terminal` names the ones of them that are terminals. */
async function shown(
  events: GenerateEvent[],
  { terminal = [], quiet = false, ...view }: Shown = {},
): Promise<{ stdout: string; stderr: string }> {
  const streams = {
    stdout: screen(terminal.includes("stdout") ? 80 : undefined),
    stderr: screen(terminal.includes("stderr") ? 80 : undefined),
  };
  const display = new ProgressDisplay({ stream: streams.stderr, quiet });
  await followAnswer(sequence([ready, ...events]), { display, print: "stream", streams, ...view });
  return { stdout: streams.stdout.text(), stderr: streams.stderr.text() };
}

type Shown = Partial<AnswerView> & { terminal?: ("stdout" | "stderr")[]; quiet?: boolean };

describe("an answer as it comes", () => {
  it("goes to stdout, and ends its last line", async () => {
    const events = [piece("text", "Hello"), piece("text", " there"), done(choice("Hello there"))];
    expect(await shown(events)).toEqual({ stdout: "Hello there\n", stderr: "" });
    const whole = [piece("text", "Hello\n"), done(choice("Hello\n"))];
    expect(await shown(whole)).toEqual({ stdout: "Hello\n", stderr: "" });
  });

  it("ends its last line also when it breaks off", async () => {
    const stdout = screen();
    const display = new ProgressDisplay({ stream: screen(), quiet: false });
    async function* broken() {
      yield ready;
      yield piece("text", "Hel");
      throw new Error("broken");
    }
    const streams = { stdout, stderr: screen() };
    await expect(followAnswer(broken(), { display, print: "stream", streams })).rejects.toThrow("broken");
    expect(stdout.text()).toBe("Hel\n");
  });
});

describe("what a model thinks", () => {
  const events = [
    piece("reasoning", "Let me\nsee."),
    piece("text", "Yes."),
    done(choice("Yes.", { reasoning: "Let me\nsee." })),
  ];

  it("stands on stderr before the answer where that is a terminal", async () => {
    const seen = { stdout: "Yes.\n", stderr: "Let me\nsee.\n\n" };
    expect(await shown(events, { terminal: ["stderr"] })).toEqual(seen);
    expect(await shown(events, { terminal: ["stdout", "stderr"] })).toEqual(seen);
  });

  it("is kept from pipes and files but with --verbose, and from everywhere with --quiet", async () => {
    expect(await shown(events)).toEqual({ stdout: "Yes.\n", stderr: "" });
    expect((await shown(events, { verbose: true, sayReady: false })).stderr).toBe("Let me\nsee.\n\n");
    expect((await shown(events, { terminal: ["stderr"], quiet: true })).stderr).toBe("");
  });

  it("can't move the terminal's cursor", async () => {
    const evil = [piece("reasoning", "\u001b[2Jgone"), piece("text", "\u001b[2Jgone"), done(choice("gone"))];
    expect(await shown(evil, { terminal: ["stdout", "stderr"] })).toEqual({
      stdout: "␛[2Jgone\n",
      stderr: "␛[2Jgone\n\n",
    });
  });
});

describe("calls of functions", () => {
  const call = { id: "call_1", name: "get_weather", arguments: '{"cityName": "Paris"}' };
  const asked = choice("", { finishReason: "tool_calls", toolCalls: [call, { ...call, id: "call_2" }] });
  const line = (id: string) => `{"id":"${id}","name":"get_weather","arguments":{"cityName":"Paris"}}\n`;

  it("are lines of JSON, below the text if there is one", async () => {
    expect((await shown([done(asked)])).stdout).toBe(line("call_1") + line("call_2"));
    const said = [piece("text", "I look."), done({ ...asked, text: "I look." })];
    expect((await shown(said)).stdout).toBe(`I look.\n${line("call_1")}${line("call_2")}`);
  });

  it("have the text of their arguments when it broke off inside of them", async () => {
    const cut = choice("", { finishReason: "length", toolCalls: [{ ...call, arguments: '{"cityNa' }] });
    const { stdout } = await shown([done(cut)]);
    expect(JSON.parse(stdout)).toEqual({ ...call, arguments: '{"cityNa' });
  });

  it("keep the names of their arguments in the document", () => {
    const document = answerDocument({ ready, done: done(asked) as never });
    expect(JSON.parse(toJson(document)).output.tool_calls[0].arguments).toEqual({ cityName: "Paris" });
  });
});

describe("several answers", () => {
  const choices = [choice("red"), choice("green\n", { index: 1 }), choice("blue", { index: 2 })];
  const events = [piece("text", "red"), { ...piece("text", "blue"), index: 2 }, done(...choices)];

  it("are printed when all are there, each under its number", async () => {
    const { stdout, stderr } = await shown(events as GenerateEvent[], { print: "whole", answers: 3 });
    expect(stdout).toBe(
      "--- answer 1 of 3 ---\nred\n--- answer 2 of 3 ---\ngreen\n--- answer 3 of 3 ---\nblue\n",
    );
    expect(stderr).toBe("");
  });

  it("have no number when only the best is kept", async () => {
    const best = [piece("text", "red"), done(choice("blue"))];
    expect((await shown(best, { print: "whole", answers: 3 })).stdout).toBe("blue\n");
  });

  it("stand in the document, the first as its output too", () => {
    const document = JSON.parse(toJson(answerDocument({ ready, done: done(...choices) as never })));
    expect(document.output).toEqual({ text: "red", tokens: [1, 2], finish_reason: "stop" });
    expect(document.choices.map(({ index, text }: Choice) => [index, text])).toEqual([
      [0, "red"],
      [1, "green\n"],
      [2, "blue"],
    ]);
  });
});

describe("the document of an answer", () => {
  it("has what there is and nothing else", () => {
    const plain = JSON.parse(toJson(answerDocument({ ready, done: done(choice("hi")) as never })));
    expect(plain).toEqual({
      model: "org/tiny",
      revision: "abc",
      task: "text-generation",
      device: "cpu",
      dtype: "fp32",
      output: { text: "hi", tokens: [1, 2], finish_reason: "stop" },
      usage,
      timings,
    });
  });

  it("has reasoning, the stop text and log probabilities", () => {
    const best = { token: 1, text: "h", bytes: [104], logprob: -0.5 };
    const logprobs = [{ ...best, top: [best] }];
    const full = choice("hi", { reasoning: "hm", stop: ".", logprobs });
    const { output } = JSON.parse(toJson(answerDocument({ ready, done: done(full) as never })));
    expect(output).toEqual({
      text: "hi",
      tokens: [1, 2],
      finish_reason: "stop",
      stop: ".",
      reasoning: "hm",
      logprobs,
    });
  });

  it("prints no word of the answer beside it", async () => {
    const events = [piece("reasoning", "hm"), piece("text", "hi"), done(choice("hi"))];
    expect(await shown(events, { print: "none", terminal: ["stdout"] })).toEqual({ stdout: "", stderr: "" });
  });
});

it("says in one line how fast an answer was, what was known before, and how guesses went", () => {
  const rest =
    "prompt 4 tokens in 10 ms (400.0/s) · 3 of them known · " +
    "answer 2 tokens in 20 ms (100.0/s) · 4 of 5 guesses right";
  const answer = { ready, done: done(choice("hi")) as never };
  expect(timingsLine(answer)).toBe(`load 1 ms · ${rest}`);
  expect(timingsLine({ ...answer, ready: { ...ready, loadMs: 0 } })).toBe(rest);
});
