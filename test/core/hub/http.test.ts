import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { hub } from "../../../src/core/hub/hub.js";
import { configFor, pull, sandbox, temporaryFolder, tinyRepository } from "./sandbox.js";

/** A proxy for plain HTTP (absolute-form requests) and for tunnels (CONNECT), that remembers what went through. */
async function proxy(): Promise<{ url: string; seen: string[] }> {
  const seen: string[] = [];
  const server = http.createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    const onward = http.request(
      request.url ?? "",
      { method: request.method, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    request.pipe(onward);
  });
  server.on("connect", (request, socket) => {
    seen.push(`CONNECT ${request.url}`);
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  return { url: await listen(server), seen };
}

async function listen(server: net.Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    (server as http.Server).closeAllConnections?.();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("proxies", () => {
  it("carry every request of a pull, file store included", async () => {
    const { config, server } = await sandbox({ repositories: [tinyRepository()] });
    const { url, seen } = await proxy();
    await pull({ ...config, proxy: { http: url } }, { id: "acme/tiny" });
    expect(seen.length).toBe(server.requests.length);
    expect(seen.some((line) => line.startsWith(`GET ${server.storeUrl}/acme/tiny/`))).toBe(true);
  });

  it("may be written without http://", async () => {
    const { config } = await sandbox({ repositories: [tinyRepository()] });
    const { url, seen } = await proxy();
    await pull({ ...config, proxy: { http: url.replace("http://", "") } }, { id: "acme/tiny" }, [
      "config.json",
    ]);
    expect(seen.length).toBeGreaterThan(0);
  });

  it("are passed by for the hosts of NO_PROXY", async () => {
    const { config } = await sandbox({ repositories: [tinyRepository()] });
    const { url, seen } = await proxy();
    await pull({ ...config, proxy: { http: url, no: "localhost,127.0.0.1" } }, { id: "acme/tiny" });
    expect(seen).toEqual([]);
  });

  it("tunnel https, and a proxy that refuses is named", async () => {
    const { url, seen } = await proxy();
    const config = configFor(await temporaryFolder(), "https://hub.example", { proxy: { https: url } });
    await expect(hub(config).resolve({ id: "acme/tiny" })).rejects.toMatchObject({
      code: "hub_unreachable",
      message: expect.stringContaining(`https://hub.example (proxy ${new URL(url).host})`),
    });
    expect(seen).toEqual(["CONNECT hub.example:443"]);
  });

  it("for http leave https alone", async () => {
    const { url, seen } = await proxy();
    const config = configFor(await temporaryFolder(), "https://127.0.0.1:9", { proxy: { http: url } });
    await expect(hub(config).resolve({ id: "acme/tiny" })).rejects.toMatchObject({ code: "hub_unreachable" });
    expect(seen).toEqual([]);
  });

  it("never show their password in an error", async () => {
    const config = configFor(await temporaryFolder(), "http://hub.example", {
      proxy: { http: "http://user:secret@127.0.0.1:9" },
    });
    const error = await hub(config).resolve({ id: "acme/tiny" }).catch(String);
    expect(error).toContain("proxy 127.0.0.1:9");
    expect(error).not.toContain("secret");
  });
});

describe("the token", () => {
  it("goes to the Hub and not to the file store it redirects to", async () => {
    const tokens = { hf_reader: true } as const;
    const { config, server } = await sandbox({ repositories: [tinyRepository()], tokens });
    await pull({ ...config, hubToken: "hf_reader" }, { id: "acme/tiny" });
    for (const { origin, headers } of server.requests) {
      expect(headers.authorization).toBe(origin === "hub" ? "Bearer hf_reader" : undefined);
      expect(headers["user-agent"]).toMatch(/^hfms\/\d+\.\d+\.\d+/);
    }
  });

  it("with a line break is refused before it becomes a header", async () => {
    const config = configFor(await temporaryFolder(), "http://127.0.0.1:9", {
      hubToken: "hf_a\r\nX-Evil: 1",
    });
    await expect(hub(config).resolve({ id: "acme/tiny" })).rejects.toMatchObject({ code: "unauthorized" });
  });
});

describe("a Hub that does not answer", () => {
  it("is noticed soon after it accepted the connection and fell silent", async () => {
    const silent = await listen(net.createServer(() => {}));
    const config = configFor(await temporaryFolder(), silent, { connectTimeoutMs: 400 });
    const start = performance.now();
    await expect(hub(config).resolve({ id: "acme/tiny" })).rejects.toMatchObject({
      code: "hub_unreachable",
      message: `can't reach ${silent}: no answer in time`,
    });
    expect(performance.now() - start).toBeLessThan(4000);
  });

  it("is named when its name does not resolve", async () => {
    const config = configFor(await temporaryFolder(), "http://hub.invalid");
    const start = performance.now();
    await expect(hub(config).resolve({ id: "acme/tiny" })).rejects.toMatchObject({
      code: "hub_unreachable",
      message: expect.stringMatching(/^can't reach http:\/\/hub\.invalid: /),
    });
    expect(performance.now() - start).toBeLessThan(6000);
  });

  it("stops at once when the caller gives up", async () => {
    const silent = await listen(net.createServer(() => {}));
    const config = configFor(await temporaryFolder(), silent, { connectTimeoutMs: 5000 });
    await expect(hub(config).resolve({ id: "acme/tiny" }, AbortSignal.timeout(100))).rejects.toMatchObject({
      code: "aborted",
    });
  });

  it.each(["nonsense", "ftp://hub.example", "https://hub.example/?a=1"])(
    "has an address, not %s",
    async (hubEndpoint) => {
      const config = configFor(await temporaryFolder(), hubEndpoint);
      await expect(hub(config).resolve({ id: "acme/tiny" })).rejects.toMatchObject({
        code: "invalid_request",
        message: expect.stringContaining(hubEndpoint),
      });
    },
  );

  it.each([
    ["a login page", "<html>please sign in</html>"],
    ["JSON of another kind", '{"status":"ok"}'],
    ["JSON of no kind", "null"],
    ["a commit and no list", JSON.stringify({ sha: "1".repeat(40) })],
    ["a list without hashes", JSON.stringify([{ type: "file", path: "a", size: 1 }])],
    ["nothing", ""],
  ])("but sends %s is no Hub", async (_, body) => {
    const server = http.createServer((_request, response) => response.writeHead(200).end(body));
    const config = configFor(await temporaryFolder(), await listen(server));
    await expect(hub(config).resolve({ id: "acme/tiny" })).rejects.toMatchObject({ code: "hub_error" });
  });

  it("redirects in a circle", async () => {
    const server = http.createServer((_, response) => response.writeHead(302, { location: "/again" }).end());
    const config = configFor(await temporaryFolder(), await listen(server));
    await expect(hub(config).resolve({ id: "acme/tiny" })).rejects.toMatchObject({ code: "hub_error" });
  });
});
