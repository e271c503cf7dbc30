/** Tokens of a block: a multiple of attention's block of queries, so that what follows a block is bit-equal. */
export const PREFIX_BLOCK = 32;

interface Block<T> {
  key: string;
  parent: Block<T> | undefined;
  id: number;
  data: T;
  children: number;
}

/**
 * Finds what has been computed for the beginning of a prompt. Prompts are cut into blocks; a block is known by its
 * tokens and by the block before it, so a match is a match of all tokens up to there. Bounded: the block that was not
 * used for the longest time goes first, and none before those that follow it.
 *
 * `T` is what a block holds. Prompts of different `kind` share nothing.
 */
export class PrefixCache<T> {
  readonly #most: number;
  readonly #blocks = new Map<string, Block<T>>();
  #ids = 0;

  /** @param most blocks that are kept */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#blocks.size;
  }

  /** What is known of the beginning of these tokens, block by block, at most `limit` tokens of it. */
  match(tokens: readonly number[], kind: string, limit: number): T[] {
    const found = this.#chain(tokens, kind, limit);
    this.#touch(found.at(-1));
    return found.map(({ data }) => data);
  }

  /** Tokens of the beginning that are known; leaves the order of use as it is. */
  known(tokens: readonly number[], kind: string, limit = tokens.length): number {
    return this.#chain(tokens, kind, limit).length * PREFIX_BLOCK;
  }

  /** Keeps the complete blocks among the first `length` tokens; `read` gives those that are not there yet. */
  keep(tokens: readonly number[], kind: string, length: number, read: (start: number) => T): void {
    let parent: Block<T> | undefined;
    for (let start = 0; start + PREFIX_BLOCK <= length; start += PREFIX_BLOCK) {
      const key = keyOf(tokens, start, kind, parent);
      let block = this.#blocks.get(key);
      if (!block) {
        if (!this.#makeRoom(parent)) break;
        block = { key, parent, id: this.#ids++, data: read(start), children: 0 };
        this.#blocks.set(key, block);
        if (parent) parent.children++;
      }
      parent = block;
    }
    this.#touch(parent);
  }

  clear(): void {
    this.#blocks.clear();
  }

  #chain(tokens: readonly number[], kind: string, limit: number): Block<T>[] {
    const found: Block<T>[] = [];
    const end = Math.min(limit, tokens.length);
    for (let start = 0; start + PREFIX_BLOCK <= end; start += PREFIX_BLOCK) {
      const block = this.#blocks.get(keyOf(tokens, start, kind, found.at(-1)));
      if (!block) break;
      found.push(block);
    }
    return found;
  }

  /** The order of the map is the order of use; a block comes behind those that follow it. */
  #touch(last: Block<T> | undefined): void {
    for (let block = last; block; block = block.parent) {
      this.#blocks.delete(block.key);
      this.#blocks.set(block.key, block);
    }
  }

  /** Drops a block that nothing follows; `spared` is about to be followed. */
  #makeRoom(spared: Block<T> | undefined): boolean {
    if (this.#blocks.size < this.#most) return true;
    for (const block of this.#blocks.values()) {
      if (block.children > 0 || block === spared) continue;
      this.#blocks.delete(block.key);
      if (block.parent) block.parent.children--;
      return true;
    }
    return false;
  }
}

function keyOf<T>(
  tokens: readonly number[],
  start: number,
  kind: string,
  parent: Block<T> | undefined,
): string {
  return `${parent?.id ?? kind}:${tokens.slice(start, start + PREFIX_BLOCK).join(",")}`;
}
