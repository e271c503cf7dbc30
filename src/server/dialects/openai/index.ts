import type { Dialect } from "../types.js";
import { errorBody } from "./error-body.js";

/** OpenAI's API, and what clients of it expect beside it. */
export const openai: Dialect = { name: "openai", routes: [], errorBody };
