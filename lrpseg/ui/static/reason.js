// @ts-check
// How far the heatmap is the reason for the decision: asked for when somebody opens "Explaining".
import { reasonOf } from "./client.js";
import { find } from "./markup.js";

/** @import { Client } from "./client.js" */
/** @import { Bus } from "./events.js" */
/** @import { Item } from "./types.js" */

export class Reason {
  /** @param {{ root: HTMLElement, events: Bus, client: Client }} parts */
  constructor({ root, events, client }) {
    this.client = client;
    this.box = /** @type {HTMLDetailsElement} */ (find(root, "reason"));
    this.told = find(root, "reason-told");
    /** @type {Item | null} */
    this.item = null; // with a heatmap, or none
    this.asked = ""; // what the sentences are of
    this.box.addEventListener("toggle", () => {
      if (!this.box.open) this.asked = ""; // opened again, it is asked again, also after an error
      this.ask();
    });
    events.on("described", ({ item }) => this.show(item));
    events.on("opened", (open) => this.show(open && open.item));
  }

  /**
   * Another picture or analysis: what was told is not of it.
   * @param {Item | null} item
   */
  show(item) {
    this.item = item?.levels && item.explained ? item : null;
    this.box.hidden = !this.item;
    if (this.asked !== this.key) this.told.textContent = "";
    this.ask();
  }

  get key() {
    return this.item ? `${this.item.id} ${this.item.analysis}` : "";
  }

  /** Ask the server, once for each analysis that is looked at. */
  async ask() {
    const { item, key } = this;
    if (!item || !this.box.open || this.asked === key) return;
    this.asked = key;
    this.told.textContent = "Measuring …";
    let told = "";
    try {
      /** @type {{ sentences: string[] }} */
      const { sentences } = await this.client.json(`/items/${item.id}/reason`);
      told = sentences.join(" ");
    } catch (error) {
      told = reasonOf(error);
    }
    if (this.key === key) this.told.textContent = told;
  }
}
