/** Grows when a field changes its meaning or goes; results of different versions are not compared. */
export const BENCH_SCHEMA = 1;

/** Names, units and direction of everything that is measured, in the order of reports. */
export const benchMeasures = {
  /** From the request to its first text; the middle one of the streams, and the slowest. */
  ttft_ms: { title: "time to first token", unit: "ms", better: "lower" },
  ttft_max_ms: { title: "time to first token, slowest stream", unit: "ms", better: "lower" },
  /** Between two pieces of a stream's text. */
  itl_p50_ms: { title: "between tokens, p50", unit: "ms", better: "lower" },
  itl_p90_ms: { title: "between tokens, p90", unit: "ms", better: "lower" },
  itl_p99_ms: { title: "between tokens, p99", unit: "ms", better: "lower" },
  itl_max_ms: { title: "between tokens, longest", unit: "ms", better: "lower" },
  /** All prompts' tokens over the time until the last stream has its first token. */
  prompt_per_second: { title: "prompts", unit: "tokens/s", better: "higher" },
  /** Tokens behind the first ones over the time from the first of all first tokens to the last token. */
  generate_per_second: { title: "generation, all streams", unit: "tokens/s", better: "higher" },
  /** The same of one stream; the middle one. */
  generate_per_second_stream: { title: "generation, one stream", unit: "tokens/s", better: "higher" },
  /** Tokens of prompts and answers over the whole time. */
  total_per_second: { title: "prompts and generation", unit: "tokens/s", better: "higher" },
  texts_per_second: { title: "texts", unit: "texts/s", better: "higher" },
  tokens_per_second: { title: "tokens of texts", unit: "tokens/s", better: "higher" },
  /** Of a caller's whole request. */
  latency_p50_ms: { title: "request, p50", unit: "ms", better: "lower" },
  latency_p90_ms: { title: "request, p90", unit: "ms", better: "lower" },
  latency_p99_ms: { title: "request, p99", unit: "ms", better: "lower" },
  latency_max_ms: { title: "request, longest", unit: "ms", better: "lower" },
  /** Highest resident memory of the process and its children while the case ran. */
  peak_memory_bytes: { title: "highest memory", unit: "bytes", better: "lower" },
  /** Of the whole processor and its memory; of all GPUs, where the model runs on them. */
  joules: { title: "energy of the processor", unit: "J", better: "lower" },
  gpu_joules: { title: "energy of the GPUs", unit: "J", better: "lower" },
  /** Both joules over the tokens that were made, or the texts. */
  joules_per_token: { title: "energy per new token", unit: "J/token", better: "lower" },
  joules_per_text: { title: "energy per text", unit: "J/text", better: "lower" },
} as const satisfies Record<string, { title: string; unit: string; better: "lower" | "higher" }>;

export type BenchMeasure = keyof typeof benchMeasures;
