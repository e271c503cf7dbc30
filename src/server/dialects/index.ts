import { openai } from "./openai/index.js";
import { ops } from "./ops/index.js";
import type { Dialect, DialectName } from "./types.js";

/** THE list of dialects. */
export const dialects = { openai, ops } satisfies Record<DialectName, Dialect>;
