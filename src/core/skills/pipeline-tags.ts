import { distance } from "fastest-levenshtein";
import { HfmsError } from "../errors.js";

/**
 * The only names that a skill's `tasks` may use: the Hub's pipeline tags, and two pipelines of transformers.js that the
 * Hub has no tag for (background-removal, zero-shot-audio-classification).
 */
export const pipelineTags = [
  "any-to-any",
  "audio-classification",
  "audio-text-to-text",
  "audio-to-audio",
  "automatic-speech-recognition",
  "background-removal",
  "depth-estimation",
  "document-question-answering",
  "feature-extraction",
  "fill-mask",
  "image-classification",
  "image-feature-extraction",
  "image-segmentation",
  "image-text-to-image",
  "image-text-to-text",
  "image-text-to-video",
  "image-to-3d",
  "image-to-image",
  "image-to-text",
  "image-to-video",
  "keypoint-detection",
  "mask-generation",
  "object-detection",
  "question-answering",
  "reinforcement-learning",
  "robotics",
  "sentence-similarity",
  "summarization",
  "table-question-answering",
  "tabular-classification",
  "tabular-regression",
  "text-classification",
  "text-generation",
  "text-ranking",
  "text-to-3d",
  "text-to-audio",
  "text-to-image",
  "text-to-speech",
  "text-to-video",
  "text2text-generation",
  "time-series-forecasting",
  "token-classification",
  "translation",
  "unconditional-image-generation",
  "video-classification",
  "video-text-to-text",
  "video-to-video",
  "visual-document-retrieval",
  "visual-question-answering",
  "voice-activity-detection",
  "zero-shot-audio-classification",
  "zero-shot-classification",
  "zero-shot-image-classification",
  "zero-shot-object-detection",
] as const;

export type PipelineTag = (typeof pipelineTags)[number];

/** Other words for a tag: what transformers calls its pipelines, and what people type. */
const synonyms: Record<string, PipelineTag> = {
  asr: "automatic-speech-recognition",
  chat: "text-generation",
  completion: "text-generation",
  conversational: "text-generation",
  embed: "feature-extraction",
  embedding: "feature-extraction",
  embeddings: "feature-extraction",
  generate: "text-generation",
  ner: "token-classification",
  rerank: "text-ranking",
  "sentiment-analysis": "text-classification",
  "speech-recognition": "automatic-speech-recognition",
  transcribe: "automatic-speech-recognition",
  tts: "text-to-speech",
  vector: "feature-extraction",
  vectors: "feature-extraction",
  vqa: "visual-question-answering",
};

/** The pipeline tag that a user means, whatever the case and the separators. Throws invalid_request with a suggestion. */
export function parseTask(text: string): PipelineTag {
  const tag = text
    .trim()
    .toLowerCase()
    .replace(/[\s_]+/g, "-");
  if (isPipelineTag(tag)) return tag;
  if (Object.hasOwn(synonyms, tag)) return synonyms[tag];
  throw new HfmsError("invalid_request", `no task is named "${text}"`, {
    hint: `did you mean ${nearestTags(tag).join(", ")}?`,
    param: "task",
  });
}

/** Other words for a tag, for the search. */
export function synonymsOf(tag: string): string[] {
  return Object.keys(synonyms).filter((word) => synonyms[word] === tag);
}

function isPipelineTag(text: string): text is PipelineTag {
  return (pipelineTags as readonly string[]).includes(text);
}

function nearestTags(text: string): PipelineTag[] {
  const words = text.split("-").filter((word) => word.length > 2);
  const rank = (tag: string) =>
    distance(text, tag) - 4 * words.filter((word) => tag.split("-").includes(word)).length;
  return [...pipelineTags].sort((a, b) => rank(a) - rank(b)).slice(0, 3);
}
