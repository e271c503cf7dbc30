/** Text that is HTML already. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A template whose values are escaped unless they are HTML; lists are joined, and what is absent leaves nothing. */
export function html(parts: TemplateStringsArray, ...values: HtmlValue[]): Html {
  return new Html(String.raw({ raw: parts }, ...values.map(written)));
}

export type HtmlValue = string | number | Html | false | undefined | HtmlValue[];

function written(value: HtmlValue): string {
  if (Array.isArray(value)) return value.map(written).join("");
  if (value instanceof Html) return value.text;
  return value === undefined || value === false ? "" : escaped(String(value));
}

const entities: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

/** Plain text with blank lines between paragraphs and `code`. */
export function prose(text: string): Html[] {
  return text.split(/\n{2,}/).map((paragraph) => html`<p>${inline(paragraph)}</p>`);
}

/** Text with `code`. */
export function inline(text: string): HtmlValue[] {
  return text.split("`").map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part));
}
