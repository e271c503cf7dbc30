import { gteModel } from "./encoder/gte.js";
import { type LayeredModel, layeredEncoder } from "./encoder/layered.js";
import type { Architecture } from "./types.js";

/** GTE as transformers publishes it. Source: transformers, models/gte/modeling_gte.py. */
export const gte: Architecture<LayeredModel> = layeredEncoder({ modelType: "gte", ...gteModel });
