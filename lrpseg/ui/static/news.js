// @ts-check
// What the server has and the page does not show yet: ended analyses, and what other tabs did.
import { listenToAdding } from "./drop.js";
import { busy } from "./order.js";
import { Pace } from "./pace.js";

/** @import { Pictures } from "./pictures.js" */

const LOOK = 3; // seconds between two looks while nothing is analysed

export class News {
  /** @param {Pictures} pictures */
  constructor(pictures) {
    this.pictures = pictures;
    this.passed = 0; // seconds since the last look
    this.looking = false;
    this.pace = new Pace();
  }

  /** Look from now on, and at once when the page is seen again. */
  start() {
    listenToAdding(() => this.pictures.adds());
    setInterval(() => this.look(), 1000);
    document.addEventListener("visibilitychange", () => this.look(true));
  }

  /** Look for news if it is time to, or at once (`now`). */
  async look(now = false) {
    const { pictures } = this, { open, items } = pictures;
    if (!pictures.store.token || this.looking || document.hidden) return;
    const { adding, behind } = pictures;
    const waits = adding || behind || items.some(busy) || (open && busy(open.item));
    if (!waits && !now && ++this.passed < LOOK) return;
    this.passed = 0;
    this.looking = true;
    await pictures.refresh(pictures.serial);
    this.looking = false;
    this.pace.note(pictures.items);
    const { listed } = pictures, item = pictures.open?.item;
    if (!listed || !item) return;
    if (listed.status === "running" && item.status === "running") {
      const { tiles, tiles_done } = listed;
      Object.assign(item, { tiles, tiles_done, left: this.pace.left(listed) });
      pictures.describe();
    }
    const differs = listed.analysis !== item.analysis || listed.status !== item.status;
    if (differs || pictures.behind) await pictures.again();
  }
}
