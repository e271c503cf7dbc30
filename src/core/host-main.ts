import type { Config } from "./config.js";
import { Engine } from "./engine.js";
import { HostServer } from "./host/host-server.js";
import type { FromHost, HostedEngine, ToHost } from "./host/protocol.js";

/**
 * The program of a host: one model's engine in a process of its own, for the engine whose child it is. It ends with
 * its parent; signals of the terminal are the parent's to handle, which then ends its hosts.
 */
let server: HostServer | undefined;

process.on("message", (message: ToHost) => {
  if (message.type === "open") {
    process.title = message.title;
    const { config } = message;
    server = new HostServer(hosted(config), post);
  }
  if (message.type === "close") server?.close().finally(end);
  else server?.receive(message);
});
process.on("disconnect", end);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});

let unsent: FromHost[] = [];

/** A step of the model brings tokens to many calls at once: what one turn of the event loop brings goes as one message. */
function post(message: FromHost): void {
  if (unsent.push(message) === 1) setImmediate(sendAll);
}

function sendAll(): void {
  const messages = unsent;
  unsent = [];
  // A parent that is gone reads nothing; `disconnect` follows.
  if (process.connected) process.send?.(messages, undefined, undefined, () => {});
}

/** Not `exit`: the runtime's threads may be in the middle of a run, and its destructors would wait or crash. */
function end(): void {
  process.kill(process.pid, "SIGKILL");
}

/** The engine as the protocol speaks of it. */
async function hosted(config: Config): Promise<HostedEngine> {
  const engine = await Engine.open(config);
  return {
    prepare: (choice, signal) => engine.prepare(choice, signal),
    load: ({ choice, task }, signal) => engine.load(choice, task, signal),
    generate: (request, signal) => engine.generate(request, signal),
    tokenize: (request, signal) => engine.tokenize(request, signal),
    detokenize: (request, signal) => engine.detokenize(request, signal),
    embed: (request, signal) => engine.embed(request, signal),
    classify: (request, signal) => engine.classify(request, signal),
    rank: (request, signal) => engine.rank(request, signal),
    classifyTokens: (request, signal) => engine.classifyTokens(request, signal),
    answerQuestions: (request, signal) => engine.answerQuestions(request, signal),
    fillMasks: (request, signal) => engine.fillMasks(request, signal),
  };
}
