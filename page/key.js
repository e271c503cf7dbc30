import { byId } from "./element.js";

const NAME = "hfms-key";

/** Where the browser keeps nothing, the key lasts as long as the page. */
let kept = "";

/** The API key of this tab; empty where none was given. */
export function currentKey() {
  try {
    return sessionStorage.getItem(NAME) ?? kept;
  } catch {
    return kept;
  }
}

/** @param {string} key */
function keep(key) {
  kept = key;
  try {
    sessionStorage.setItem(NAME, key);
  } catch {
    // A browser that allows no storage.
  }
}

/** @type {Promise<boolean> | undefined} */
let asking;

/**
 * Asks the user for the key, once however many calls need it. False when there will be none.
 *
 * @param {string} reason
 * @returns {Promise<boolean>}
 */
export function askForKey(reason) {
  asking ??= show(reason).finally(() => {
    asking = undefined;
  });
  return asking;
}

/**
 * @param {string} reason
 * @returns {Promise<boolean>}
 */
function show(reason) {
  const dialog = byId("key-dialog", HTMLDialogElement);
  const input = byId("key-input", HTMLInputElement);
  byId("key-reason").textContent = reason;
  input.value = "";
  dialog.returnValue = "";
  byId("key-cancel").onclick = () => dialog.close();
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const key = input.value.trim();
        const given = dialog.returnValue === "use" && key !== "";
        if (given) keep(key);
        input.value = "";
        resolve(given);
      },
      { once: true },
    );
  });
}
