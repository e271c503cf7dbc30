import { gteModel } from "./encoder/gte.js";
import { type LayeredModel, layeredEncoder } from "./encoder/layered.js";
import type { Architecture } from "./types.js";

/**
 * GTE as its authors publish it: gte-*-v1.5, gte-multilingual-base and its reranker. Source: Alibaba-NLP/new-impl,
 * modeling.py.
 */
export const newModel: Architecture<LayeredModel> = layeredEncoder({ modelType: "new", ...gteModel });
