import { robertaArchitecture } from "./roberta.js";

/** data2vec for text. Source: transformers, models/data2vec/modeling_data2vec_text.py. */
export const data2vecText = robertaArchitecture("data2vec-text", ["data2vec_text."]);
