import { stripVTControlCharacters } from "node:util";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { renderFacts, wrapWords } from "../../src/cli/facts.js";
import { ProgressDisplay } from "../../src/cli/progress.js";
import { renderTable } from "../../src/cli/table.js";
import type { ProgressEvent } from "../../src/core/index.js";
import { screen } from "./screen.js";

beforeEach(() => {
  vi.stubEnv("FORCE_COLOR", undefined);
  vi.stubEnv("NO_COLOR", "1");
  // ora takes a terminal for one that is watched unless these say otherwise.
  vi.stubEnv("CI", undefined);
  vi.stubEnv("TERM", "xterm");
});

const columns = [
  { title: "NAME" },
  { title: "WHAT", wrap: true },
  { title: "SIZE", align: "right" as const },
];
const rows = [
  ["smollm2", "a small model that talks about this and that", "98.1 MB"],
  ["minilm", "", "9 MB"],
];

describe("a table", () => {
  it("is one line a row when it goes into a pipe", async () => {
    expect(await renderTable(columns, rows, screen())).toBe(
      [
        "NAME     WHAT                                             SIZE",
        "smollm2  a small model that talks about this and that  98.1 MB",
        "minilm                                                    9 MB",
      ].join("\n"),
    );
  });

  it("wraps where it may when the terminal is narrow", async () => {
    const text = await renderTable(columns, rows, screen(40));
    expect(text.split("\n").every((line) => line.length <= 40)).toBe(true);
    expect(text).toBe(
      [
        "NAME     WHAT                       SIZE",
        "smollm2  a small model that      98.1 MB",
        "         talks about this and",
        "         that",
        "minilm                              9 MB",
      ].join("\n"),
    );
  });

  it("becomes blocks of lines when not even that fits", async () => {
    expect(await renderTable(columns, rows, screen(20))).toContain("\n\nNAME  minilm\nSIZE  9 MB");
  });
});

describe("facts", () => {
  it("stand in two columns, without what is not known", () => {
    const facts: [string, string | undefined][] = [
      ["model", "gpt2"],
      ["license", undefined],
      ["type", "gpt2"],
    ];
    expect(renderFacts(facts, screen())).toBe("model  gpt2\ntype   gpt2");
  });

  it("break long values at blanks, and long words after a slash or dash", () => {
    expect(wrapWords("one two three four", 9)).toEqual(["one two", "three", "four"]);
    expect(wrapWords("openai-community/gpt2 abcdefghijklmnopqrstuvw", 18)).toEqual([
      "openai-community/",
      "gpt2",
      "abcdefghijklmnopqr",
      "stuvw",
    ]);
  });
});

describe("progress", () => {
  const event: ProgressEvent = {
    type: "progress",
    phase: "download",
    what: "model.safetensors",
    done: 61_200_000,
    total: 98_100_000,
    unit: "bytes",
  };

  /** The lines that a terminal showed one after the other, without what moves its cursor. */
  const shown = (text: string) =>
    text.split("\u001b[1G").map((line) => stripVTControlCharacters(line).replace(/^\S /, ""));

  it("is one line on a terminal that is taken away again", async () => {
    const stream = screen(80);
    const display = new ProgressDisplay({ stream, quiet: false });
    display.progress(event);
    await vi.waitFor(() => expect(stream.text()).toContain("downloading"), 5000);
    display.progress({ ...event, done: 98_100_000 });
    await vi.waitFor(() => expect(stream.text()).toContain("100%"), 5000);
    display.clear();
    const lines = shown(stream.text()).filter(Boolean);
    expect(lines[0]).toBe("downloading model.safetensors  ━━━━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌  62%  61.2/98.1 MB");
    expect(lines.at(-1)).toMatch(/━ {2}100% {2}98\.1\/98\.1 MB$/);
    expect(stream.text()).not.toContain("\n");
    // What comes next may stand on a line that has begun: nothing more may move the cursor.
    display.clear();
    expect(stream.text().endsWith("\u001b[1G\u001b[0K\u001b[?25h")).toBe(true);
  });

  it.each([70, 40, 25, 12])(
    "never fills a terminal of %d columns, so that it stays one line",
    async (width) => {
      const stream = screen(width);
      const display = new ProgressDisplay({ stream, quiet: false });
      display.progress(event);
      await vi.waitFor(() => expect(stream.text()).toContain("62%"), 5000);
      display.clear();
      for (const line of stripVTControlCharacters(stream.text().replaceAll("\u001b[1G", "\n")).split("\n"))
        expect(line.length).toBeLessThan(width);
    },
  );

  it("shows of a model that is opened only how big it is", async () => {
    const stream = screen(80);
    const display = new ProgressDisplay({ stream, quiet: false });
    display.progress({ ...event, phase: "load", what: "org/tiny", done: 0 });
    await vi.waitFor(() => expect(stream.text()).toContain("loading"), 5000);
    display.clear();
    expect(shown(stream.text()).filter(Boolean)[0]).toBe("loading org/tiny  98.1 MB");
  });

  it("shows nothing on a terminal where the work is over soon", async () => {
    const stream = screen(80);
    const display = new ProgressDisplay({ stream, quiet: false });
    async function* events() {
      yield event;
      yield { type: "done" } as const;
    }
    for await (const _ of display.follow(events()));
    expect(stream.text()).toBe("");
  });

  it("says nothing into a pipe when it is over soon, and nothing at all when it shall be quiet", () => {
    for (const [columns, quiet] of [
      [undefined, false],
      [80, true],
    ] as const) {
      const stream = screen(columns);
      const display = new ProgressDisplay({ stream, quiet });
      display.progress(event);
      if (quiet) display.notice("something");
      expect(stream.text()).toBe("");
    }
  });

  it("passes results on and shows notices", async () => {
    const stream = screen();
    const display = new ProgressDisplay({ stream, quiet: false });
    async function* events() {
      yield { type: "notice", message: "the CPU is used" } as const;
      yield event;
      yield { type: "done", count: 1 } as const;
    }
    const passed = [];
    for await (const one of display.follow(events())) passed.push(one);
    expect(passed).toEqual([{ type: "done", count: 1 }]);
    expect(stream.text()).toBe("note: the CPU is used\n");
  });
});
