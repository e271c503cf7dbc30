import { robertaArchitecture } from "./roberta.js";

/** XLM-RoBERTa, multilingual E5, BGE-M3 and others. Source: transformers, models/xlm_roberta/modeling_xlm_roberta.py. */
export const xlmRoberta = robertaArchitecture("xlm-roberta", ["roberta."]);
