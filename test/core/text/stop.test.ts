import { describe, expect, it } from "vitest";
import { StopMatcher } from "../../../src/core/text/stop.js";
import fc from "../../property.js";

describe("stop strings", () => {
  it("end the text before them, across the borders of its pieces", () => {
    expect(run(["</s>"], ["Hel", "lo<", "/", "s", "> more", "more"])).toEqual({
      text: "Hello",
      stop: "</s>",
    });
  });

  it("hold back only what could become one", () => {
    const matcher = new StopMatcher(["\n\nUser:"]);
    expect(matcher.push("Yes.\n")).toEqual({ text: "Yes.", stopped: false });
    expect(matcher.push("No.")).toEqual({ text: "\nNo.", stopped: false });
    expect(matcher.push("\n\nUs")).toEqual({ text: "", stopped: false });
    expect(matcher.flush()).toBe("\n\nUs");
  });

  it("win by being complete first", () => {
    expect(run(["abcd", "bc"], ["xabcd"])).toEqual({ text: "xa", stop: "bc" });
    expect(run(["bc", "abc"], ["xabc"])).toEqual({ text: "x", stop: "abc" });
  });

  it("may repeat themselves", () => {
    expect(run(["aab"], ["a", "a", "a", "b", "c"])).toEqual({ text: "a", stop: "aab" });
  });

  it("are refused when empty", () => {
    expect(() => new StopMatcher(["a", ""])).toThrow(
      expect.objectContaining({ code: "invalid_request", param: "stop" }),
    );
  });

  it("leave the text alone when there are none", () => {
    expect(run([], ["a", "", "b"])).toEqual({ text: "ab", stop: undefined });
  });

  it("say nothing more once found", () => {
    const matcher = new StopMatcher(["."]);
    expect(matcher.push("a.b")).toEqual({ text: "a", stopped: true, stop: "." });
    expect(matcher.push("c.d")).toEqual({ text: "", stopped: true, stop: "." });
    expect(matcher.flush()).toBe("");
    expect(matcher.stopped).toBe(true);
  });

  it("are found where a search of the whole text finds them, however it is cut", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 6 });
    const stops = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 4 }), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(stops, fc.array(letters, { maxLength: 12 }), (stops, pieces) => {
        expect(run(stops, pieces)).toEqual(search(stops, pieces.join("")));
      }),
      { numRuns: 2_000 },
    );
  });
});

function run(stops: string[], pieces: string[]): { text: string; stop: string | undefined } {
  const matcher = new StopMatcher(stops);
  let text = "";
  for (const piece of pieces) {
    const result = matcher.push(piece);
    text += result.text;
    if (result.stopped) return { text, stop: result.stop };
  }
  return { text: text + matcher.flush(), stop: undefined };
}

/** The plain way: the stop string that ends first, and of those the longest. */
function search(stops: string[], text: string): { text: string; stop: string | undefined } {
  for (let end = 1; end <= text.length; end++) {
    const hits = stops
      .filter((stop) => text.slice(0, end).endsWith(stop))
      .sort((a, b) => b.length - a.length);
    if (hits.length > 0) return { text: text.slice(0, end - hits[0].length), stop: hits[0] };
  }
  return { text, stop: undefined };
}
