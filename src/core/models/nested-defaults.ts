const sevenBillion = {
  hidden_size: 4096,
  num_hidden_layers: 32,
  num_attention_heads: 32,
};

/**
 * What configurations inside others leave out because it is as the class has it: those of LLaVA name hardly more than
 * the model_type. Source: transformers, models/<type>/configuration_<type>.py.
 */
export const nestedDefaults: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  llama: { vocab_size: 32_000, intermediate_size: 11_008, max_position_embeddings: 2048, ...sevenBillion },
  mistral: {
    vocab_size: 32_000,
    intermediate_size: 14_336,
    num_key_value_heads: 8,
    max_position_embeddings: 131_072,
    ...sevenBillion,
  },
};
