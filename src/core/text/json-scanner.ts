type State = "open" | "done" | "failed";

/** What may come next; strings, numbers and words are inside a value. */
type Expected = "value" | "first-key" | "key" | "colon" | "first-item" | "end" | "string" | "number" | "word";

/** Deeper nesting is no argument of a function. */
const MAX_DEPTH = 256;

/** A number that is complete, and the beginnings of one (RFC 8259). */
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const NUMBER_START = /^-?((0|[1-9]\d*)((\.\d*)?|(\.\d+)?[eE][+-]?\d*))?$/;

/**
 * Checks one JSON value (RFC 8259) that comes in pieces, character by character: it accepts what `JSON.parse` accepts
 * and fails at the first character that can't belong to it.
 */
export class JsonScanner {
  #state: State = "open";
  #expected: Expected = "value";
  /** What closes the containers that are open. */
  readonly #closers: ("}" | "]")[] = [];
  /** Number or word so far. */
  #token = "";
  #isKey = false;
  /** In a string: 1 after a backslash, 2 to 5 before the hex digits that are left. */
  #escape = 0;

  get state(): State {
    return this.#state;
  }

  /** Reads on from `start`; returns where it stopped. A number at the top ends before the character behind it. */
  scan(text: string, start: number): number {
    let at = start;
    while (at < text.length && this.#state === "open") {
      if (this.#expected === "string") {
        at = this.#string(text, at);
        continue;
      }
      if (this.#expected === "number" && !/[\d.eE+-]/.test(text[at])) {
        if (!NUMBER.test(this.#token)) return this.#fail(at);
        this.#valueEnds();
        if (this.#state !== "open") return at;
      }
      if (!this.#step(text[at])) return this.#fail(at);
      at++;
    }
    return at;
  }

  #fail(at: number): number {
    this.#state = "failed";
    return at;
  }

  #string(text: string, start: number): number {
    for (let at = start; at < text.length; at++) {
      const char = text[at];
      if (this.#escape === 1) {
        if (!/["\\/bfnrtu]/.test(char)) return this.#fail(at);
        this.#escape = char === "u" ? 5 : 0;
      } else if (this.#escape > 1) {
        if (!/[\da-fA-F]/.test(char)) return this.#fail(at);
        this.#escape = this.#escape === 2 ? 0 : this.#escape - 1;
      } else if (char === "\\") this.#escape = 1;
      else if (char === '"') {
        if (this.#isKey) this.#expected = "colon";
        else this.#valueEnds();
        return at + 1;
      } else if (char < " ") return this.#fail(at);
    }
    return text.length;
  }

  /** False where the character can't come here. */
  #step(char: string): boolean {
    if (this.#expected === "number") {
      this.#token += char;
      return NUMBER_START.test(this.#token);
    }
    if (this.#expected === "word") {
      this.#token += char;
      if (["true", "false", "null"].includes(this.#token)) this.#valueEnds();
      return ["true", "false", "null"].some((word) => word.startsWith(this.#token));
    }
    if (/[ \t\r\n]/.test(char)) return true;
    switch (this.#expected) {
      case "first-key":
      case "key":
        if (char === "}" && this.#expected === "first-key") return this.#close(char);
        this.#isKey = true;
        this.#expected = "string";
        return char === '"';
      case "colon":
        this.#expected = "value";
        return char === ":";
      case "end":
        if (char !== ",") return this.#close(char);
        this.#expected = this.#closers.at(-1) === "}" ? "key" : "value";
        return true;
      default:
        if (char === "]" && this.#expected === "first-item") return this.#close(char);
        return this.#open(char);
    }
  }

  #open(char: string): boolean {
    this.#token = char;
    if (char === "{" || char === "[") {
      this.#closers.push(char === "{" ? "}" : "]");
      this.#expected = char === "{" ? "first-key" : "first-item";
      return this.#closers.length <= MAX_DEPTH;
    }
    if (char === '"') {
      this.#isKey = false;
      this.#expected = "string";
      return true;
    }
    this.#expected = /[-\d]/.test(char) ? "number" : "word";
    return /[-\dtfn]/.test(char);
  }

  #close(char: string): boolean {
    if (this.#closers.pop() !== char) return false;
    this.#valueEnds();
    return true;
  }

  #valueEnds(): void {
    this.#expected = "end";
    if (this.#closers.length === 0) this.#state = "done";
  }
}
