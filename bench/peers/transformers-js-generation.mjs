// A process that generates with transformers.js when its parent says so: batching.ts starts it with fork(). The times are
// taken in here, so the way between the processes does not count.
import { env, pipeline, StoppingCriteria, StoppingCriteriaList } from "@huggingface/transformers";

const [modelsDirectory, model, threads] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = modelsDirectory;

/** Is asked after each step of the batch; only looks at the clock. */
class Clock extends StoppingCriteria {
  times = [];
  /** Tokens of a prompt, padding included, and its first new one. */
  first = 0;

  _call(ids) {
    this.times.push(performance.now());
    this.first ||= ids[0].length;
    return ids.map(() => false);
  }
}

const generate = await pipeline("text-generation", model, {
  dtype: "q4",
  device: "cpu",
  session_options: { intraOpNumThreads: Number(threads) },
});
process.on("message", async ({ prompts, tokens }) => {
  const clock = new Clock();
  const criteria = new StoppingCriteriaList();
  criteria.push(clock);
  const start = performance.now();
  const answers = await generate(prompts, {
    max_new_tokens: tokens,
    min_new_tokens: tokens,
    do_sample: false,
    return_full_text: false,
    stopping_criteria: criteria,
  });
  const end = performance.now();
  process.send({
    steps: clock.times.length,
    promptTokens: clock.first - 1,
    answers: answers.map(([{ generated_text }]) => generated_text),
    firstMs: clock.times[0] - start,
    generationMs: clock.times.at(-1) - clock.times[0],
    ms: end - start,
  });
});
process.send({ ready: true, version: env.version });
