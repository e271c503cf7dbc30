import type { IncomingMessage, ServerResponse } from "node:http";
import { H3, toNodeHandler } from "h3/node";
import { type Engine, HfmsError } from "../core/index.js";
import { type ServerLog, silentLog } from "./access-log.js";
import { Activities } from "./activity.js";
import type { ServerConfig } from "./config/schema.js";
import type { ServerContext } from "./context.js";
import { dialects } from "./dialects/index.js";
import { answerPreflight, dispatch, errorResponse } from "./dispatch.js";
import type { KeyStore } from "./keys/key-store.js";
import { Lifecycle } from "./lifecycle.js";
import type { Route } from "./route.js";
import { ServedModels } from "./served-models.js";

export interface ServerOptions {
  keys?: KeyStore;
  log?: ServerLog;
}

/** A server without a socket: hand it requests, or its listener to Node's http. */
export interface HfmsServer {
  fetch(request: Request): Promise<Response>;
  listener(request: IncomingMessage, response: ServerResponse): unknown;
  context: ServerContext;
}

/** The API over an engine, which stays the caller's: it is not closed with the server. */
export function createServer(
  engine: Engine,
  config: ServerConfig,
  { keys, log = silentLog }: ServerOptions = {},
): HfmsServer {
  const activities = new Activities();
  const context: ServerContext = {
    engine,
    config,
    activities,
    models: new ServedModels(engine, config),
    lifecycle: new Lifecycle(activities),
    keys,
    log,
    routes: Object.values(dialects).flatMap(({ routes }) => routes),
  };
  const app = new H3({
    silent: true,
    // A route's errors never come here; a path that can't be decoded does.
    onError: (_, { req }) => errorResponse(BAD_ADDRESS, dialects.openai, req.headers),
  });
  const methods = new Map<string, Set<string>>();
  for (const dialect of Object.values(dialects)) {
    for (const route of dialect.routes) {
      const answer = dispatch(route, dialect, context);
      for (const path of route.paths) {
        app.on(route.method, path, answer);
        if (route.method === "GET") app.on("HEAD", path, answer);
        methods.set(path, (methods.get(path) ?? new Set()).add(route.method));
      }
    }
  }
  const answerOptions = answerPreflight(context, dialects.openai);
  for (const path of [...methods.keys(), "/**"]) app.on("OPTIONS", path, answerOptions);
  for (const [path, allowed] of methods)
    app.all(path, dispatch(wrongMethod(path, [...allowed]), dialects.openai, context));
  app.all("/**", dispatch(unknownUrl, dialects.openai, context));
  return { fetch: async (request) => app.fetch(request), listener: toNodeHandler(app), context };
}

const BAD_ADDRESS = new HfmsError("invalid_request", "the address is not well encoded");

const unanswered = { method: "GET", scope: "infer", summary: "say why not", tag: "Operations" } as const;

const unknownUrl: Route = {
  ...unanswered,
  paths: ["/**"],
  response: "application/json",
  async handle() {
    throw new HfmsError("unknown_url", "there is no such address here", {
      hint: "/docs shows those that there are",
    });
  },
};

function wrongMethod(path: string, allowed: string[]): Route {
  return {
    ...unanswered,
    paths: [path],
    response: "application/json",
    async handle({ headers }) {
      const error = new HfmsError("method_not_allowed", `${path} has another method`, {
        hint: `use ${allowed.join(" or ")}`,
      });
      const response = errorResponse(error, dialects.openai, headers);
      response.headers.set("allow", [...allowed, "OPTIONS"].join(", "));
      return response;
    },
  };
}
