// @ts-check
// What the page tells about itself: sentences over the picture, and whether all is saved.
import { find, within } from "./markup.js";

/** @import { Bus } from "./events.js" */

/**
 * Show what is said over the picture until the next action; good news has another colour.
 * @param {HTMLElement} root
 * @param {Bus} events
 */
export function showMessages(root, events) {
  const box = within(root, ".message"), state = find(root, "saved");
  within(box, "button").addEventListener("click", () => events.emit("say", { text: "" }));
  events.on("say", ({ text, good = false }) => {
    within(box, "span").textContent = text;
    box.classList.toggle("good", good);
    box.hidden = !text;
  });
  events.on("saving", (saving) => {
    state.textContent = words(saving);
    state.dataset.state = saving.state;
  });
}

/**
 * How saving goes; `waiting`: pictures with changes that the server has not confirmed.
 * @param {{ state: string, waiting: number, message?: string }} saving
 * @returns {string}
 */
export function words({ state, waiting, message }) {
  const pictures = `${waiting} picture${waiting === 1 ? "" : "s"}`;
  const all = {
    saved: "✓ saved",
    saving: "saving …",
    refused: "Not saved",
    offline: message || `Not connected: changes to ${pictures} wait, nothing is lost.`,
  };
  return all[/** @type {keyof typeof all} */ (state)] ?? "";
}
