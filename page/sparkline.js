const SVG = "http://www.w3.org/2000/svg";
const POINTS = 60;
const HEIGHT = 32;

/** A small line of the last values, which stand beside it as text: for those who see it. */
export function sparkline() {
  const element = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "polyline");
  element.setAttribute("viewBox", `0 0 ${POINTS - 1} ${HEIGHT}`);
  element.setAttribute("preserveAspectRatio", "none");
  element.setAttribute("aria-hidden", "true");
  element.append(line);
  /** @type {number[]} */
  const values = new Array(POINTS).fill(0);
  return {
    element,
    /** @param {number} value */
    add(value) {
      values.push(value);
      values.shift();
      const most = Math.max(...values, 1);
      const points = values.map(
        (one, index) => `${index},${(HEIGHT - 1 - (one / most) * (HEIGHT - 2)).toFixed(2)}`,
      );
      line.setAttribute("points", points.join(" "));
    },
  };
}
