import type { Engine, NoticeEvent, ProgressEvent, ReadyEvent } from "../core/index.js";
import { createServer, type HfmsServer, type ServerOptions } from "./app.js";
import { requireSafeBinding } from "./config/binding.js";
import type { ServerConfig } from "./config/schema.js";
import { listenTo } from "./listen.js";

export { openLog } from "./access-log.js";
export { type ConfigFile, defineConfig } from "./config/config-file.js";
export { readServerConfig } from "./config/server-config.js";
export { openKeyStore } from "./keys/key-store.js";
export type { HfmsServer, ServerConfig, ServerOptions };
export { createServer };

export interface ServeOptions extends ServerOptions {
  /** Hears how the models of the start are loaded. */
  onLoad?: (event: NoticeEvent | ProgressEvent | ReadyEvent) => void;
}

/** A server that listens. */
export interface RunningServer {
  /** Where it can be reached from this machine: `http://127.0.0.1:8000`. */
  url: string;
  urls: string[];
  server: HfmsServer;
  /** The models of the start are loaded; throws what they throw. */
  ready: Promise<void>;
  /** Ends it: with `drain`, what runs may end within `drainTimeout`. Every call after the first ends it at once. */
  close(options?: { drain?: boolean }): Promise<void>;
  closed: Promise<void>;
}

/**
 * Serves an engine, which stays the caller's. Requests are taken at once; the server is ready when the models of the
 * start are loaded. Throws address_unavailable, and invalid_config where other machines could call it without a key.
 */
export async function serve(
  engine: Engine,
  config: ServerConfig,
  { onLoad, ...options }: ServeOptions = {},
): Promise<RunningServer> {
  requireSafeBinding(config, options.keys ?? { empty: true });
  const server = createServer(engine, config, options);
  const listening = await listenTo(server);
  const { lifecycle, models } = server.context;
  const stopLoading = new AbortController();
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const ready = models.preload(stopLoading.signal, onLoad).then(() => lifecycle.ready());
  // Whoever waits for it hears of it; nobody has to.
  ready.catch(() => {});
  let closing = false;
  return {
    url: listening.url,
    urls: listening.urls,
    server,
    ready,
    closed,
    async close({ drain = false } = {}) {
      stopLoading.abort();
      // Until the end callers are told that the server ends, instead of finding nobody.
      if (drain && !closing) {
        closing = true;
        await lifecycle.drain(config.drainTimeout);
      } else {
        closing = true;
        await lifecycle.stop();
      }
      await Promise.race([listening.close(), patience()]);
      listening.server.closeAllConnections();
      resolve();
    },
  };
}

/** Answers that are complete may still be on their way to a slow reader. */
const LAST_BYTES_MS = 1000;

function patience(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LAST_BYTES_MS).unref());
}
