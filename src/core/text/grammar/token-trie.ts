import { setImmediate } from "node:timers/promises";

/** Tokens that are worked on at a stretch: about a millisecond. */
const STRETCH = 4096;

/**
 * All tokens of a vocabulary, sorted by their bytes, as a tree written depth-first into flat arrays: the descendants of
 * a node follow it directly and end at `end[node]`. A walk is one loop over the arrays, and skips what doesn't fit.
 */
export class TokenTrie {
  /** The byte that leads to a node. Node 0 is the root. */
  readonly byte: Uint8Array;
  readonly depth: Uint16Array;
  readonly parent: Int32Array;
  /** Where a node's descendants end. */
  readonly end: Int32Array;
  /** The tokens that end at node n are tokens[first[n]] … tokens[first[n + 1] - 1]. */
  readonly first: Int32Array;
  readonly tokens: Int32Array;
  /** Length of the longest token in bytes. */
  readonly height: number;
  /** All nodes by the byte that leads to them: those of byte b begin at #firstOf[b]. */
  readonly #nodes: Int32Array;
  readonly #firstOf = new Int32Array(257);

  /** `bytesOf` gives a token's bytes as Latin-1. Other work goes on between short steps. */
  static async of(size: number, bytesOf: (token: number) => string | undefined): Promise<TokenTrie> {
    // Sorting by the first two bytes leaves lists that are short enough to be sorted at once.
    const buckets = new Map<number, { text: string; token: number }[]>();
    let bytes = 1;
    for (let token = 0; token < size; token++) {
      if (token % STRETCH === STRETCH - 1) await setImmediate();
      const text = bytesOf(token);
      if (!text) continue;
      bytes += text.length;
      const key = text.charCodeAt(0) * 257 + (text.length > 1 ? text.charCodeAt(1) + 1 : 0);
      const bucket = buckets.get(key);
      if (bucket) bucket.push({ text, token });
      else buckets.set(key, [{ text, token }]);
    }
    const writer = new TrieWriter(bytes);
    let done = 0;
    for (const key of [...buckets.keys()].sort((a, b) => a - b)) {
      const bucket = buckets.get(key)!.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
      for (const { text, token } of bucket) writer.add(text, token);
      done += bucket.length;
      if (done < STRETCH) continue;
      done = 0;
      await setImmediate();
    }
    return new TokenTrie(writer);
  }

  private constructor(writer: TrieWriter) {
    const { nodes } = writer;
    writer.close(0);
    this.byte = writer.byte.slice(0, nodes);
    this.depth = writer.depth.slice(0, nodes);
    this.end = writer.end.slice(0, nodes);
    this.first = writer.first.slice(0, nodes + 1);
    this.first[nodes] = writer.tokens.length;
    this.tokens = Int32Array.from(writer.tokens);
    this.height = writer.height;
    this.parent = parents(this.depth, this.height);
    for (const byte of this.byte.subarray(1)) this.#firstOf[byte + 1]++;
    for (let byte = 0; byte < 256; byte++) this.#firstOf[byte + 1] += this.#firstOf[byte];
    this.#nodes = new Int32Array(nodes - 1);
    const next = this.#firstOf.slice();
    for (let node = 1; node < nodes; node++) this.#nodes[next[this.byte[node]]++] = node;
  }

  /** The nodes to which a byte leads. */
  nodesOf(byte: number): Int32Array {
    return this.#nodes.subarray(this.#firstOf[byte], this.#firstOf[byte + 1]);
  }
}

function parents(depth: Uint16Array, height: number): Int32Array {
  const latest = new Int32Array(height + 1);
  return Int32Array.from(depth, (level, node) => {
    latest[level] = node;
    return level === 0 ? 0 : latest[level - 1];
  });
}

class TrieWriter {
  readonly byte: Uint8Array;
  readonly depth: Uint16Array;
  readonly end: Int32Array;
  readonly first: Int32Array;
  readonly tokens: number[] = [];
  nodes = 1;
  height = 0;
  /** The nodes from the root to the latest one. */
  readonly #open = [0];
  #previous = "";

  /** Room for as many nodes as there are bytes. */
  constructor(bytes: number) {
    this.byte = new Uint8Array(bytes);
    this.depth = new Uint16Array(bytes);
    this.end = new Int32Array(bytes);
    this.first = new Int32Array(bytes + 1);
  }

  /** Tokens come in the order of their bytes. */
  add(text: string, token: number): void {
    let shared = 0;
    while (shared < this.#previous.length && text.charCodeAt(shared) === this.#previous.charCodeAt(shared)) {
      shared++;
    }
    this.close(shared + 1);
    for (let at = shared; at < text.length; at++) {
      this.byte[this.nodes] = text.charCodeAt(at);
      this.depth[this.nodes] = at + 1;
      // A node on the way has no token of its own: the next node begins with the same one.
      this.first[this.nodes] = this.tokens.length;
      this.#open.push(this.nodes++);
    }
    this.tokens.push(token);
    this.height = Math.max(this.height, text.length);
    this.#previous = text;
  }

  /** Ends the nodes from this depth on. */
  close(depth: number): void {
    while (this.#open.length > depth) this.end[this.#open.pop()!] = this.nodes;
  }
}
