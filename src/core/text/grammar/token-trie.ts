/**
 * All tokens of a vocabulary, sorted by their bytes, as a tree written depth-first into flat arrays: the descendants of
 * a node follow it directly and end at `end[node]`. A walk is one loop over the arrays, and skips what doesn't fit.
 */
export class TokenTrie {
  /** The byte that leads to a node. Node 0 is the root. */
  readonly byte: Uint8Array;
  readonly depth: Uint16Array;
  /** Where a node's descendants end. */
  readonly end: Int32Array;
  /** The tokens that end at node n are tokens[first[n]] … tokens[first[n + 1] - 1]. */
  readonly first: Int32Array;
  readonly tokens: Int32Array;
  /** Length of the longest token in bytes. */
  readonly height: number;

  /** `texts` are bytes as Latin-1, by token id. */
  constructor(texts: readonly (string | undefined)[]) {
    const ids: number[] = [];
    let bytes = 1;
    texts.forEach((text, id) => {
      if (!text) return;
      ids.push(id);
      bytes += text.length;
    });
    ids.sort((a, b) => (texts[a]! < texts[b]! ? -1 : texts[a]! > texts[b]! ? 1 : 0));

    const byte = new Uint8Array(bytes);
    const depth = new Uint16Array(bytes);
    const end = new Int32Array(bytes);
    const first = new Int32Array(bytes + 1);
    const open = [0];
    let nodes = 1;
    let height = 0;
    let previous = "";
    ids.forEach((id, index) => {
      const text = texts[id]!;
      let shared = 0;
      while (shared < previous.length && text.charCodeAt(shared) === previous.charCodeAt(shared)) shared++;
      while (open.length > shared + 1) end[open.pop()!] = nodes;
      for (let at = shared; at < text.length; at++) {
        byte[nodes] = text.charCodeAt(at);
        depth[nodes] = at + 1;
        // Tokens are counted where their node begins; those of the nodes on the way come with later ones.
        first[nodes] = index;
        open.push(nodes++);
      }
      height = Math.max(height, text.length);
      previous = text;
    });
    while (open.length > 0) end[open.pop()!] = nodes;
    first[nodes] = ids.length;
    this.byte = byte.slice(0, nodes);
    this.depth = depth.slice(0, nodes);
    this.end = end.slice(0, nodes);
    this.first = first.slice(0, nodes + 1);
    this.tokens = Int32Array.from(ids);
    this.height = height;
  }

  get size(): number {
    return this.byte.length;
  }
}
