import { ApiError } from "./api.js";
import { startChat } from "./chat.js";
import { byId } from "./element.js";
import { startEmbed } from "./embed.js";
import { refreshStatus, watchStatus } from "./feed.js";
import { knownModels } from "./model-choice.js";
import { startModels } from "./models.js";
import { startStatus } from "./status.js";

const views = ["chat", "embed", "models", "status"];

const chat = startChat();
const embed = startEmbed();
const models = startModels();
const status = startStatus();

async function showModels() {
  try {
    const known = await knownModels();
    for (const view of [chat, embed, models]) view.show(known);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // The server's state says what is wrong; a name can still be written.
    for (const view of [chat, embed]) view.show([]);
  }
}

/** Shows the view that the address names. @param {{ focus: boolean }} options */
function showView({ focus }) {
  const named = location.hash.slice(1);
  if (named === "content") return;
  const wanted = views.includes(named) ? named : views[0];
  for (const view of views) byId(`view-${view}`).hidden = view !== wanted;
  for (const link of document.querySelectorAll('nav a[href^="#"]')) {
    if (link.getAttribute("href") === `#${wanted}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const title = byId(`${wanted}-title`);
  document.title = `${title.textContent} · hfms`;
  if (focus) title.focus();
  if (wanted === "status" || wanted === "models") void refreshStatus();
  if (wanted === "status") void status.shown();
}

const states = {
  starting: "loading its models",
  ready: "ready",
  draining: "about to stop",
  stopped: "stopped",
};

/** What was in memory when the list of models was asked for. */
let listed = "unknown";
watchStatus((found, error) => {
  const state = byId("server-state");
  const text = found ? states[found.state] : error?.status === 401 ? "needs a key" : "not reachable";
  state.dataset.state = found?.state ?? "gone";
  const label = state.querySelector(".label");
  // A live region that is written to is read out.
  if (label && label.textContent !== text) label.textContent = text;
  // What is in memory has changed; or the server has come back, or has a key now.
  const running = found?.models.map(({ model, state: how }) => `${model} ${how}`).join() ?? "unknown";
  if (found && running !== listed) void showModels();
  listed = running;
});

addEventListener("hashchange", () => showView({ focus: true }));
showView({ focus: false });
if (location.hash === "" || location.hash === "#chat") byId("chat-input").focus();
void refreshStatus();
