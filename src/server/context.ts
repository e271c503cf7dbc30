import type { Engine } from "../core/index.js";
import type { ServerLog } from "./access-log.js";
import type { Activities } from "./activity.js";
import type { ServerConfig } from "./config/schema.js";
import type { KeyStore } from "./keys/key-store.js";
import type { Lifecycle } from "./lifecycle.js";
import type { Route } from "./route.js";
import type { ServedModels } from "./served-models.js";

/** What the parts of one server share. */
export interface ServerContext {
  engine: Engine;
  config: ServerConfig;
  /** What is being answered, and what was. */
  activities: Activities;
  /** Which models may be named, and how they are loaded. */
  models: ServedModels;
  lifecycle: Lifecycle;
  /** Absent where no key was ever made or given: then every route is open. */
  keys?: KeyStore;
  log: ServerLog;
  /** Everything that can be asked here: what the documentation is made of. */
  routes: Route[];
}
