import type { GenerateEvent } from "../../../../core/index.js";

/** The events of an echoed prompt without the answer behind it: `max_tokens` 0, for those who only score texts. */
export async function* scored(events: AsyncGenerator<GenerateEvent>): AsyncGenerator<GenerateEvent> {
  /** By answer. The echo is the first text of each. */
  const echoes = new Map<number, string>();
  for await (const event of events) {
    if (event.type === "text") {
      if (echoes.has(event.index)) continue;
      echoes.set(event.index, event.text);
      yield event;
    } else if (event.type === "done") {
      const { prompt_tokens, cached_tokens } = event.usage;
      const choices = event.choices.map(({ index, logprobs }) => ({
        index,
        text: echoes.get(index) ?? "",
        tokens: [],
        finishReason: "length" as const,
        ...(logprobs && { logprobs: logprobs.slice(0, prompt_tokens) }),
      }));
      const usage = { prompt_tokens, completion_tokens: 0, total_tokens: prompt_tokens, cached_tokens };
      yield { ...event, text: choices[0].text, tokens: [], finishReason: "length", choices, usage };
    } else yield event;
  }
}
