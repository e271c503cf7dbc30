import { errorBody } from "../openai/error-body.js";
import type { Dialect } from "../types.js";
import { openApi, reference } from "./documentation.js";
import { hardware } from "./hardware.js";
import { health, livez, ready } from "./health.js";
import { infer } from "./infer.js";
import { loadModel, unloadModel } from "./models.js";
import { page, pageFile } from "./page.js";
import { status } from "./status.js";

/** What operators and their tools ask. */
export const ops: Dialect = {
  name: "ops",
  routes: [
    livez,
    health,
    ready,
    status,
    hardware,
    loadModel,
    unloadModel,
    infer,
    openApi,
    reference,
    page,
    pageFile,
  ],
  errorBody,
};
