/** What a chat template does with tools, as far as templates differ. */
export interface TemplateTraits {
  /** Where it looks for tools: the variable `tools`, JSON text in the system message (Phi-4-mini), or nowhere. */
  tools: "variable" | "system_message" | "none";
  /** A call's arguments: an object, as transformers has it, or JSON text that it joins to others. `none`: no calls. */
  calls: "object" | "text" | "none";
  /** The content of a message with calls: some templates take null for the sign of one, most can't add it to text. */
  emptyContent: null | "";
  /** The name that it has for an assistant's reasoning. */
  reasoning: "reasoning_content" | "reasoning" | "thinking";
  /** It refuses ids of calls that are not of nine characters (Mistral). */
  shortIds: boolean;
}

/** Renders a conversation that is in the template's shape already. Throws what the template throws. */
type Render = (messages: Record<string, unknown>[], tools: unknown[] | null) => string;

const MARK = "hfms_mark";

/**
 * Finds out by rendering small conversations with a mark in the place that is asked about: the only way that holds for
 * templates of all styles. Without `render` only what stands in the source is told.
 */
export function templateTraits(source: string, render?: Render): TemplateTraits {
  const traits: TemplateTraits = {
    tools: "variable",
    calls: "object",
    emptyContent: /\bcontent['"]?\]?\s+is\s+(not\s+)?none/.test(source) ? null : "",
    reasoning:
      (["reasoning_content", "reasoning", "thinking"] as const).find((name) =>
        new RegExp(`[.'"]${name}\\b`).test(source),
      ) ?? "reasoning_content",
    shortIds: /length\s*(!=|==)\s*9\b/.test(source),
  };
  if (!render) return traits;
  const user = { role: "user", content: "hi" };
  const tool = { type: "function", function: { name: MARK, description: "", parameters: EMPTY_PARAMETERS } };
  const system = (more: object) => ({ role: "system", content: "hi", ...more });
  traits.tools =
    firstShown<TemplateTraits["tools"]>(render, [
      ["variable", [user], [tool]],
      ["variable", [system({}), user], [tool]],
      ["system_message", [system({ tools: MARK }), user], null],
    ]) ?? traits.tools;
  const withCall = (args: unknown) => [user, ...callAndResult(args, traits.emptyContent)];
  traits.calls =
    firstShown<TemplateTraits["calls"]>(render, [
      ["object", withCall({ [MARK]: "x" }), null],
      ["text", withCall(`{"${MARK}": "x"}`), null],
    ]) ?? traits.calls;
  return traits;
}

/** The first form that shows the mark; none if it never does; undefined for a template that can't be rendered at all. */
function firstShown<T>(render: Render, forms: [T, ...Parameters<Render>][]): T | "none" | undefined {
  let rendered = false;
  for (const [form, messages, tools] of forms) {
    try {
      if (render(messages, tools).includes(MARK)) return form;
      rendered = true;
    } catch {
      // A template may refuse one form and take the next.
    }
  }
  return rendered ? "none" : undefined;
}

const EMPTY_PARAMETERS = { type: "object", properties: {}, required: [] };

function callAndResult(args: unknown, content: null | ""): Record<string, unknown>[] {
  const id = "000000000";
  return [
    {
      role: "assistant",
      content,
      tool_calls: [{ id, type: "function", function: { name: "f", arguments: args } }],
    },
    { role: "tool", tool_call_id: id, name: "f", content: "y" },
  ];
}
