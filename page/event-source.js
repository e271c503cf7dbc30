/**
 * @typedef {object} ServerEvent
 * @property {string} event `message` where the server gave no name
 * @property {string} data
 */

/**
 * The server-sent events of a response (WHATWG HTML, 9.2), as they come. Ids and retry times are of no use here.
 *
 * @param {AsyncIterable<Uint8Array>} bytes
 * @returns {AsyncGenerator<ServerEvent>}
 */
export async function* eventsOf(bytes) {
  const decoder = new TextDecoder();
  let rest = "";
  /** @type {string[]} */
  let data = [];
  let event = "";
  for await (const part of bytes) {
    rest += decoder.decode(part, { stream: true });
    // A carriage return at the end may be half of a line's end.
    const complete = rest.endsWith("\r") ? rest.slice(0, -1) : rest;
    const lines = complete.split(/\r\n|\n|\r/);
    rest = lines[lines.length - 1] + rest.slice(complete.length);
    for (const line of lines.slice(0, -1)) {
      if (line === "") {
        if (data.length > 0) yield { event: event || "message", data: data.join("\n") };
        data = [];
        event = "";
        continue;
      }
      const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
      if (field === "data") data.push(value);
      else if (field === "event") event = value;
    }
  }
}

/**
 * The parts of a stream; Safari's streams can't be iterated themselves.
 *
 * @param {ReadableStream<Uint8Array>} stream
 * @returns {AsyncGenerator<Uint8Array>}
 */
export async function* partsOf(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
