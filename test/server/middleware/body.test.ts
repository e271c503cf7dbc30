import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { sharedServing } from "../serving.js";

const server = sharedServing({ config: { maxBodyBytes: 1000, bodyTimeout: 300, maxHeaderBytes: 4000 } });

/** Any bytes as the body of a request to load a model. */
async function send(body: RequestInit["body"], headers: Record<string, string> = {}) {
  const response = await server().fetch("/models/load", {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
    duplex: "half",
  } as RequestInit);
  const { error } = (await response.json()) as {
    error: { message: string; param: string | null; code: string };
  };
  return { status: response.status, ...error };
}

describe("a body", () => {
  it("that is not JSON is refused with the place", async () => {
    expect(await send('{"model":')).toMatchObject({ status: 400, code: null });
    expect(await send("")).toMatchObject({ status: 400, message: expect.stringContaining("empty") });
    expect(await send(new Uint8Array([0x22, 0xff, 0x22]))).toMatchObject({
      status: 400,
      message: "the body is not UTF-8",
    });
  });

  it("of another type is refused", async () => {
    expect(await send("model=x", { "content-type": "application/x-www-form-urlencoded" })).toMatchObject({
      status: 415,
      code: "unsupported_media_type",
    });
    expect((await send("{}", { "content-type": "application/vnd.api+json; charset=utf-8" })).status).toBe(
      400,
    );
  });

  it("names the field that is wrong", async () => {
    expect(await send("{}")).toMatchObject({ status: 400, param: "model" });
    expect(await send('{"model":"a","keep_alive":"soon"}')).toMatchObject({
      status: 400,
      param: "keep_alive",
    });
    expect(await send("[]")).toMatchObject({ status: 400, param: null });
    expect(await send("null")).toMatchObject({ status: 400, param: null });
  });

  it("is not nested without end; brackets in a string are text", async () => {
    const nested = (depth: number) => `{"model":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    expect(await send(nested(400))).toMatchObject({
      status: 400,
      message: expect.stringContaining("nested"),
    });
    expect(await send(nested(200))).toMatchObject({ status: 400, param: "model" });
    const text = JSON.stringify({ model: `\\"${"[".repeat(400)}\\`, keep_alive: "soon" });
    expect(await send(text)).toMatchObject({ status: 400, param: "keep_alive" });
  });

  it("longer than the limit is refused, whether it says so or not", async () => {
    const long = JSON.stringify({ model: "a".repeat(2000) });
    expect(await send(long)).toMatchObject({ status: 413, code: "payload_too_large" });
    const chunked = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(long));
        controller.close();
      },
    });
    expect(await send(chunked)).toMatchObject({ status: 413 });
  });

  it("that does not come is not waited for", async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const sent = request(`${server().url}/models/load`, {
        method: "POST",
        headers: { "content-type": "application/json", "content-length": "500" },
      });
      sent.on("response", ({ statusCode }) => {
        resolve(statusCode!);
        sent.destroy();
      });
      sent.on("error", reject);
      sent.write('{"model":');
    });
    expect(status).toBe(504);
  });

  it("comes behind headers that have a limit, too", async () => {
    const response = await server().fetch("/status", { headers: { "x-long": "a".repeat(5000) } });
    expect(response.status).toBe(413);
  });
});
