import { element } from "./element.js";

const SVG = "http://www.w3.org/2000/svg";
const POINTS = 60;
const HEIGHT = 32;

/**
 * A small line of the last values.
 *
 * @param {string} label
 */
export function sparkline(label) {
  const svg = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "polyline");
  const caption = element("figcaption", { class: "muted" }, label);
  svg.setAttribute("viewBox", `0 0 ${POINTS - 1} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(line);
  /** @type {number[]} */
  const values = new Array(POINTS).fill(0);
  return {
    element: element("figure", { class: "spark" }, svg, caption),
    /** @param {number} value */
    add(value) {
      values.push(value);
      values.shift();
      const most = Math.max(...values, 1);
      const points = values.map(
        (one, index) => `${index},${(HEIGHT - 1 - (one / most) * (HEIGHT - 2)).toFixed(2)}`,
      );
      line.setAttribute("points", points.join(" "));
      caption.textContent = `${label}; highest ${most === 1 ? 0 : most.toFixed(0)}`;
    },
  };
}
