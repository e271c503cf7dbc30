import { json } from "./api.js";
import { byId, element } from "./element.js";

const OTHER = "other";

/**
 * @typedef {object} KnownModel
 * @property {string} id
 * @property {string[]} [capabilities]
 * @property {string} [status]
 * @property {number} [max_model_len]
 * @property {string} [dtype]
 * @property {string} [device]
 * @property {number} [size]
 */

/** @returns {Promise<KnownModel[]>} */
export async function knownModels() {
  const { data } = await json("/v1/models");
  return data;
}

/**
 * A select of models with room for any other name. `prefix` is that of its ids in the page.
 *
 * @param {string} prefix
 * @param {string} capability
 */
export function modelChoice(prefix, capability) {
  const select = byId(`${prefix}-model`, HTMLSelectElement);
  const other = byId(`${prefix}-model-other`, HTMLInputElement);
  const name = `hfms-${prefix}-model`;
  const showOther = () => {
    other.hidden = select.value !== OTHER;
  };
  select.addEventListener("change", () => {
    showOther();
    if (select.value === OTHER) other.focus();
    else remember(name, select.value);
  });
  return {
    /** What is chosen; empty while nothing is. */
    value() {
      return select.value === OTHER ? other.value.trim() : select.value;
    },
    focus() {
      if (select.value === OTHER) other.focus();
      else select.focus();
    },
    /** @param {KnownModel[]} models */
    show(models) {
      const before = select.value || recall(name);
      const fitting = models.filter(({ capabilities }) => capabilities?.includes(capability) ?? true);
      const [loaded, others] = [fitting.filter(isLoaded), fitting.filter((model) => !isLoaded(model))];
      select.replaceChildren(
        ...group("In memory", loaded),
        ...group(loaded.length > 0 ? "Others" : "Models", others),
        element("option", { value: OTHER }, "Another model…"),
      );
      if ([...select.options].some(({ value }) => value === before)) select.value = before;
      showOther();
    },
  };
}

/** @param {KnownModel} model */
function isLoaded({ status }) {
  return status === "loaded" || status === "ready";
}

/**
 * @param {string} label
 * @param {KnownModel[]} models
 */
function group(label, models) {
  if (models.length === 0) return [];
  return [element("optgroup", { label }, ...models.map(({ id }) => element("option", { value: id }, id)))];
}

/**
 * @param {string} name
 * @param {string} value
 */
function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // A browser that allows no storage.
  }
}

/** @param {string} name */
function recall(name) {
  try {
    return localStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}
