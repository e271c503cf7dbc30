/**
 * Keeps the children of a container in step with a list. A child stays the same element as long as its key is there,
 * so that the focus on a button in it stays too.
 *
 * @template Item
 * @param {HTMLElement} container
 * @param {Item[]} items
 * @param {{ key(item: Item): string, make(item: Item): HTMLElement, update?(row: HTMLElement, item: Item): void }} how
 */
export function showRows(container, items, { key, make, update }) {
  const rows = new Map([...container.children].map((child) => [child.getAttribute("data-key"), child]));
  const wanted = items.map((item) => {
    const there = rows.get(key(item));
    const row = there instanceof HTMLElement ? there : make(item);
    row.setAttribute("data-key", key(item));
    update?.(row, item);
    return row;
  });
  for (const child of [...container.children])
    if (!wanted.includes(/** @type {HTMLElement} */ (child))) child.remove();
  wanted.forEach((row, index) => {
    if (container.children[index] !== row) container.insertBefore(row, container.children[index] ?? null);
  });
}
