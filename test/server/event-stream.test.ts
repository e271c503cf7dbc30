import { describe, expect, it } from "vitest";
import { HfmsError } from "../../src/core/index.js";
import { Activities } from "../../src/server/activity.js";
import { eventStream, type StreamEvent } from "../../src/server/event-stream.js";
import type { RouteRequest } from "../../src/server/route.js";

function requestOf(pingInterval = 0): { request: RouteRequest; ended: string[] } {
  const ended: string[] = [];
  const stop = new AbortController();
  const activity = new Activities().begin("1", "GET /", stop);
  const request = {
    stop,
    signal: stop.signal,
    activity,
    end: (outcome: string) => ended.push(outcome),
    server: { config: { pingInterval } },
  } as unknown as RouteRequest;
  return { request, ended };
}

const error = (cause: HfmsError): StreamEvent => ({ event: "error", data: { code: cause.code } });

describe("an event stream", () => {
  it("writes names, data and the last line", async () => {
    const { request, ended } = requestOf();
    const events = async function* (): AsyncGenerator<StreamEvent> {
      yield { data: { text: "a\nb" } };
      yield { event: "named", data: 1 };
    };
    const response = eventStream(events(), request, { last: "[DONE]", error });
    expect(await response.text()).toBe('data: {"text":"a\\nb"}\n\nevent: named\ndata: 1\n\ndata: [DONE]\n\n');
    expect(ended).toEqual(["completed"]);
  });

  it("asks for no event that nobody reads", async () => {
    const { request } = requestOf();
    let asked = 0;
    const events = async function* (): AsyncGenerator<StreamEvent> {
      for (;;) yield { data: ++asked };
    };
    const reader = eventStream(events(), request, { error }).body!.getReader();
    for (let read = 1; read <= 5; read++) {
      await reader.read();
      await new Promise(setImmediate);
      expect(asked).toBe(read + 1);
    }
    await reader.cancel();
  });

  it("ends the work when its reader leaves, also while nothing comes", async () => {
    const { request, ended } = requestOf();
    let left = false;
    const events = async function* (): AsyncGenerator<StreamEvent> {
      try {
        await new Promise((_, reject) =>
          request.signal.addEventListener("abort", () => reject(new HfmsError("aborted", "stopped"))),
        );
        yield { data: 1 };
      } finally {
        left = true;
      }
    };
    const reader = eventStream(events(), request, { error }).body!.getReader();
    const reading = reader.read();
    await new Promise(setImmediate);
    await reader.cancel();
    expect((await reading).done).toBe(true);
    expect([left, ended]).toEqual([true, ["cancelled"]]);
  });

  it("tells of an error in its last event, and sends nothing behind it", async () => {
    const { request, ended } = requestOf();
    const events = async function* (): AsyncGenerator<StreamEvent> {
      yield { data: 1 };
      throw new HfmsError("runtime_error", "broken");
    };
    const response = eventStream(events(), request, { last: "[DONE]", error });
    expect(await response.text()).toBe('data: 1\n\nevent: error\ndata: {"code":"runtime_error"}\n\n');
    expect(ended).toEqual(["failed"]);
  });

  it("sends comments while nothing else comes", async () => {
    const { request } = requestOf(5);
    const silence = Promise.withResolvers<void>();
    const events = async function* (): AsyncGenerator<StreamEvent> {
      await silence.promise;
      yield { data: 1 };
    };
    const reader = eventStream(events(), request, { error }).body!.getReader();
    const first = await reader.read();
    silence.resolve();
    expect(new TextDecoder().decode(first.value)).toBe(": ping\n\n");
    await reader.cancel();
  });
});
