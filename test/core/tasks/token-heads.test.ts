import { describe, expect, it } from "vitest";
import type {
  AnswerQuestionsEvent,
  ClassifyTokensEvent,
  FillMasksEvent,
} from "../../../src/core/requests.js";
import { engineHome, openEngine } from "../../engine-sandbox.js";
import { pipelineGolden } from "../../golden/pipelines.js";
import { collect } from "../../tiny-model.js";

const home = engineHome();

/** Scores are written with six digits; sums in another order move them by less. */
const near = (score: number) => expect.closeTo(score, 4);

describe.each(["bert-entities", "roberta-entities"] as const)("the entities of %s", (name) => {
  const { directory, reference } = pipelineGolden(name);

  it.each(reference.inputs)("are the pipeline's: $aggregation, $text", async (row) => {
    const engine = await openEngine(home());
    const { text, entities, ...request } = row;
    const [event] = await results(
      engine.classifyTokens({ model: directory, dtype: "fp32", input: [text], truncate: true, ...request }),
      "entities",
    );
    const expected = entities.map(({ score, ...entity }) => ({ ...entity, score: near(score) }));
    expect(event.entities).toEqual(expected);
  });
});

describe.each(["bert-answers", "roberta-answers"] as const)("the answers of %s", (name) => {
  const { directory, reference } = pipelineGolden(name);

  it.each(reference.inputs)("are the pipeline's: $question $context", async (row) => {
    const engine = await openEngine(home());
    const { question, context, answers, ...request } = row;
    const input = [{ question, context }];
    const [event] = await results(
      engine.answerQuestions({ model: directory, dtype: "fp32", input, ...request }),
      "span",
    );
    expect(event.answers).toEqual(answers.map(({ score, ...answer }) => ({ ...answer, score: near(score) })));
  });
});

describe.each(["bert-fillings", "roberta-fillings"] as const)("the fillings of %s", (name) => {
  const { directory, reference } = pipelineGolden(name);

  it.each(reference.inputs)("are the pipeline's: $text", async (row) => {
    const engine = await openEngine(home());
    const { text, masks, ...request } = row;
    const [event] = await results(
      engine.fillMasks({ model: directory, dtype: "fp32", input: [text], ...request }),
      "fillings",
    );
    const expected = masks.map((best) => best.map((one) => ({ ...one, score: near(one.score) })));
    expect(event.masks).toEqual(expected);
  });
});

type TaskEvent = ClassifyTokensEvent | AnswerQuestionsEvent | FillMasksEvent;

async function results<E extends TaskEvent, T extends E["type"]>(
  events: AsyncIterable<E>,
  type: T,
): Promise<Extract<E, { type: T }>[]> {
  const all = await collect(events);
  return all.filter((event) => event.type === type) as Extract<E, { type: T }>[];
}
