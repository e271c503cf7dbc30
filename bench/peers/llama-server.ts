import { existsSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { type Served, startOther } from "../served.ts";

/** Tokens of context for each of its slots: more than any prompt and answer here. */
const SLOT = 512;

/** llama.cpp's own server: so many slots, the model's own chat template. */
export async function startLlamaServer(
  peers: string,
  model: string,
  { slots, threads }: { slots: number; threads: number },
): Promise<Served> {
  const program = path.join(peers, "llama.cpp", "llama-server");
  const file = path.join(peers, "models", model);
  for (const wanted of [program, file]) {
    if (!existsSync(wanted)) throw new Error(`${wanted} is not there: run bench/peers/build.sh first`);
  }
  const port = await freePort();
  const numbers = { "-np": slots, "-c": slots * SLOT, "-t": threads, "--port": port };
  const args = Object.entries(numbers).flatMap(([flag, value]) => [flag, String(value)]);
  return startOther(program, ["-m", file, "--jinja", ...args], `http://127.0.0.1:${port}`, "/health");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
