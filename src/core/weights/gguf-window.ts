import { type ByteSource, corruptFile, readExactly } from "./tensor-file.js";

// Holds the whole header of most models, vocabulary included.
const FIRST_WINDOW_BYTES = 4 << 20;
// Eight times the largest header known (a 300,000-token vocabulary with its merges and a tokenizer.json).
const MAX_ITEM_BYTES = 512 << 20;

/**
 * A moving window over the beginning of a GGUF file. A header's length is not written anywhere, so items are read from what
 * is in memory; when one runs over the edge, the window moves to the item's start, grows, and the item is read again.
 * Everything is checked against the file's size before it is believed.
 */
export class GgufWindow {
  private bytes = Buffer.alloc(0);
  private view = new DataView(this.bytes.buffer, 0, 0);
  /** Offset of the window in the file, and of the next byte in the window. */
  private start = 0;
  private at = 0;
  private readonly source: ByteSource;
  /** What is being read, for messages: key "general.name", tensor 3 of 12. */
  private field = "the preamble";

  constructor(source: ByteSource) {
    this.source = source;
  }

  /** Bytes from the start of the file to the next unread one. */
  get position(): number {
    return this.start + this.at;
  }

  /** Calls `read` until all that it needs is in memory. It must have no effects besides moving the window and `name`. */
  async readItem<T>(field: string, read: () => T): Promise<T> {
    const itemStart = this.position;
    for (;;) {
      this.field = field;
      try {
        return read();
      } catch (error) {
        if (error !== windowEdge) throw error;
        await this.grow(itemStart);
      }
    }
  }

  /** Refuses a count that can't be true: `count` items of at least `bytesEach` don't fit into the rest of the file. */
  expectItems(count: number, bytesEach: number, what: string): void {
    const left = this.source.size - this.position;
    if (count * bytesEach > left)
      this.fail(`says that ${count} ${what} follow, but it has only ${left} bytes left`);
  }

  /** The item has said what it is called. */
  name(field: string): void {
    this.field = field;
  }

  fail(what: string): never {
    throw corruptFile(this.source.file, `is damaged at ${this.field}: it ${what}`);
  }

  u8(): number {
    const at = this.take(1);
    return this.bytes[at];
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  u64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }

  f32(): number {
    return this.view.getFloat32(this.take(4), true);
  }

  f64(): number {
    return this.view.getFloat64(this.take(8), true);
  }

  /** A u64 that counts something: refused where a number can't hold it exactly. */
  size(): number {
    const at = this.take(8);
    const high = this.view.getUint32(at + 4, true);
    if (high > 0x1f_ffff)
      this.fail(`says a size of ${this.view.getBigUint64(at, true)} at byte ${this.start + at}`);
    return high * 2 ** 32 + this.view.getUint32(at, true);
  }

  string(maxBytes: number): string {
    const length = this.size();
    if (length > maxBytes) this.fail(`has a string of ${length} bytes; the limit is ${maxBytes}`);
    const at = this.take(length);
    return this.bytes.toString("utf8", at, at + length);
  }

  /** Moves over `count` bytes and returns where they begin in the window. */
  private take(count: number): number {
    const at = this.at;
    if (at + count > this.bytes.length) this.runOut(count);
    this.at = at + count;
    return at;
  }

  private runOut(count: number): never {
    const { file, size } = this.source;
    if (this.position + count > size) {
      throw corruptFile(file, `is cut off: it ends at byte ${size}, inside ${this.field}`);
    }
    throw windowEdge;
  }

  private async grow(itemStart: number): Promise<void> {
    const { file, size } = this.source;
    // Only an item that began at the window's start needs a larger window; others need it moved.
    const wanted =
      itemStart === this.start && this.bytes.length > 0 ? this.bytes.length * 4 : FIRST_WINDOW_BYTES;
    if (wanted > MAX_ITEM_BYTES)
      throw corruptFile(file, `is damaged: ${this.field} has more than ${MAX_ITEM_BYTES} bytes`);
    const length = Math.min(Math.max(wanted, this.bytes.length), size - itemStart);
    this.bytes = Buffer.allocUnsafeSlow(length);
    this.view = new DataView(this.bytes.buffer, 0, length);
    this.start = itemStart;
    this.at = 0;
    await readExactly(this.source, this.bytes, itemStart);
  }
}

/** Thrown inside the window only: the item goes on beyond the bytes in memory. */
const windowEdge = new Error("beyond the window");
