// Asks a server's /health again and again, on a thread of its own, and says how long each answer took.
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";

const PAUSE_MS = 20;
const { url } = workerData as { url: string };
const agent = new Agent({ keepAlive: true });
const times: number[] = [];
let stopped = false;
parentPort!.once("message", () => {
  stopped = true;
});
while (!stopped) {
  const start = performance.now();
  await new Promise<void>((resolve, reject) => {
    const asked = request(`${url}/health`, { agent }, (response) => response.resume().on("end", resolve));
    asked.on("error", reject);
    asked.end();
  });
  times.push(performance.now() - start);
  await sleep(PAUSE_MS);
}
agent.destroy();
parentPort!.postMessage(times);
