import { expect, it } from "vitest";
import { eventsOf, type ServerEvent } from "../../page/event-source.js";
import fc from "../property.js";

async function read(parts: Uint8Array[]): Promise<ServerEvent[]> {
  const found: ServerEvent[] = [];
  for await (const event of eventsOf(streamed(parts))) found.push(event);
  return found;
}

async function* streamed(parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

const encoder = new TextEncoder();
const events = (text: string) => read([encoder.encode(text)]);

it("reads data and names, and leaves comments out", async () => {
  expect(await events(': ping\n\nevent: error\ndata: {"a":1}\n\ndata: [DONE]\n\n')).toEqual([
    { event: "error", data: '{"a":1}' },
    { event: "message", data: "[DONE]" },
  ]);
});

it("joins the lines of one event, and takes one space off", async () => {
  expect(await events("data:a\ndata:  b\ndata\n\n")).toEqual([{ event: "message", data: "a\n b\n" }]);
});

it("knows all ends of lines", async () => {
  expect(await events("data: 1\r\n\r\ndata: 2\r\rdata: 3\n\n")).toEqual(
    ["1", "2", "3"].map((data) => ({ event: "message", data })),
  );
});

it("keeps what has no end to itself", async () => {
  expect(await events("data: half")).toEqual([]);
});

it("reads the same however the bytes are cut", async () => {
  const text = fc.string({ unit: fc.constantFrom("é", "🙂", "a", ":", " ") });
  const event = fc.record({ data: text, end: fc.constantFrom("\n", "\r\n", "\r") });
  await fc.assert(
    fc.asyncProperty(fc.array(event), fc.array(fc.nat(200)), async (sent, cuts) => {
      const bytes = encoder.encode(sent.map(({ data, end }) => `data: ${data}${end}${end}`).join(""));
      const places = [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      const parts = places.map((place, index) => bytes.slice(places[index - 1] ?? 0, place));
      // A lone carriage return at the very end may be half of an end of line: a last event needs its line feed.
      const found = await read([...parts, encoder.encode(": end\n")]);
      expect(found.map(({ data }) => data)).toEqual(sent.map(({ data }) => data));
    }),
  );
});
