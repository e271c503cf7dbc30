import { element } from "./element.js";
import { inline } from "./markdown.js";

/**
 * What went wrong, read out at once. Commands in the message stand between backticks.
 *
 * @param {string} message
 * @param {...HTMLButtonElement} buttons what can be done
 */
export function errorNotice(message, ...buttons) {
  return element("div", { class: "error", role: "alert" }, element("p", {}, ...inline(message)), ...buttons);
}

/**
 * @param {string} label
 * @param {() => void} act
 */
export function quietButton(label, act) {
  return element("button", { type: "button", class: "quiet", click: act }, label);
}
