import { robertaArchitecture } from "./roberta.js";

/** CamemBERT. Source: transformers, models/camembert/modeling_camembert.py. */
export const camembert = robertaArchitecture("camembert", ["roberta.", "camembert."]);
