import { xlmArchitecture } from "./xlm.js";

/** FlauBERT, with norms behind its modules or before them. Source: transformers, models/flaubert/modeling_flaubert.py. */
export const flaubert = xlmArchitecture("flaubert");
