import { z } from "zod";

/** Classes that put something else than a language model's head on the decoder, or have no decoder. */
const OTHER = /For(SequenceClassification|TokenClassification|QuestionAnswering|CausalLM)$|EncoderModel$/;

/** config.json's `architectures`: the weights of another class lack what generates text, or give wrong answers. */
export const generatesText = {
  architectures: z
    .array(z.string().refine((name) => !OTHER.test(name), "this class of the architecture makes no text"))
    .nullish(),
  is_encoder_decoder: z.literal(true).default(true),
};
