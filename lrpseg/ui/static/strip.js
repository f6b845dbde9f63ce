// @ts-check
// The strip of thumbnails: what is done, what is to do, and in which order.
import { statusOf } from "./client.js";
import { find, select, within } from "./markup.js";
import { busy, sorted, tiles } from "./order.js";

/** @import { Bus } from "./events.js" */
/** @import { Item } from "./types.js" */

/** @type {Record<string, [string, string]>} */
const STATUS = {
  waiting: ["…", "waiting"],
  running: ["◌", "running"],
  todo: ["○", "to do"],
  edited: ["✎", "edited"],
  accepted: ["✓", "accepted"],
  empty: ["–", "empty"],
  failed: ["!", "failed"],
};

export class Strip {
  /**
   * @param {HTMLElement} root
   * @param {Bus} events
   * @param {(id: string) => Promise<Blob>} load  gives a thumbnail
   */
  constructor(root, events, load) {
    this.events = events;
    this.load = load;
    this.list = within(root, ".thumbs");
    this.count = find(root, "count");
    this.order = select(root, "sort");
    this.order.addEventListener("change", () => {
      this.scrolled = undefined; // the selected one has another place
      events.emit("order", this.order.value);
      this.show(this.items, this.selected);
    });
    /** @type {Item[]} */
    this.items = [];
    /** @type {string | undefined} */
    this.selected = undefined;
    /** @type {string | undefined} */
    this.scrolled = undefined; // the last that was scrolled to
    /** @type {Map<string, HTMLElement>} */
    this.buttons = new Map();
    this.seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) this.fetch(/** @type {HTMLElement} */ (target));
      }
    }, { root: this.list, rootMargin: "300px" });
    events.on("items", ({ items, selected }) => this.show(items, selected));
    events.emit("order", this.order.value); // a reload may have kept another one
  }

  /**
   * @param {Item[]} items
   * @param {string | undefined} selected  id
   */
  show(items, selected) {
    this.items = items;
    this.selected = selected;
    const ids = new Set(items.map((i) => i.id));
    for (const [id, button] of this.buttons) {
      if (ids.has(id)) continue;
      URL.revokeObjectURL(button.dataset.url || "");
      button.remove();
      this.buttons.delete(id);
    }
    sorted(items, this.order.value).forEach((item, position) => {
      const button = this.buttons.get(item.id) || this.make(item);
      this.update(button, item);
      if (this.list.children[position] !== button) {
        this.list.insertBefore(button, this.list.children[position] || null);
      }
    });
    const accepted = items.filter((i) => i.status === "accepted").length;
    const left = items.filter(busy).length;
    const progress = left ? ` · ${items.length - left} of ${items.length} analysed` : "";
    this.count.textContent = items.length
      ? `${accepted} of ${items.length} accepted${progress}` : "";
  }

  /** @param {Item} item */
  make(item) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "thumb";
    button.dataset.id = item.id;
    button.dataset.testid = `thumb-${item.name}`;
    button.innerHTML = '<img alt=""><span class="badge"></span><span class="label"></span>';
    button.addEventListener("click", () => this.events.emit("pick", item.id));
    this.buttons.set(item.id, button);
    this.seen.observe(button);
    return button;
  }

  /**
   * @param {HTMLElement} button
   * @param {Item} item
   */
  update(button, item) {
    const doubt = item.doubtful && ["todo", "empty"].includes(item.status);
    const [icon, status] = STATUS[item.status] || ["?", item.status];
    const words = doubt ? `${status}, doubtful` : status;
    button.dataset.status = item.status;
    button.classList.toggle("selected", item.id === this.selected);
    button.setAttribute("aria-current", String(item.id === this.selected));
    button.classList.toggle("doubtful", Boolean(doubt));
    within(button, ".badge").textContent =
      doubt ? `${icon} doubtful` : `${icon} ${words}${tiles(item)}`;
    within(button, ".label").textContent = item.name.split("/").pop() ?? "";
    button.title = [item.name, ...(item.reason ? [item.reason] : item.read ?? [])].join("\n");
    button.setAttribute("aria-label", `${item.name}, ${words}`);
    if (item.id === this.selected && this.scrolled !== item.id) {
      this.scrolled = item.id;
      this.reveal(button);
    }
  }

  /**
   * Scroll the strip, and it alone, so far that a thumbnail is seen.
   * @param {HTMLElement} button
   */
  reveal(button) {
    const box = button.getBoundingClientRect(), frame = this.list.getBoundingClientRect();
    if (box.left < frame.left) this.list.scrollLeft += box.left - frame.left;
    else if (box.right > frame.right) this.list.scrollLeft += box.right - frame.right;
  }

  /** @param {HTMLElement} button */
  async fetch(button) {
    if (button.dataset.url !== undefined) return;
    button.dataset.url = "";
    try {
      const url = URL.createObjectURL(await this.load(button.dataset.id ?? ""));
      button.dataset.url = url;
      within(button, "img").setAttribute("src", url);
    } catch (error) {
      if ((statusOf(error) ?? 500) < 500) return; // a file that is no picture has none
      delete button.dataset.url;
      setTimeout(() => { // the connection was lost: look again whether it is in sight
        this.seen.unobserve(button);
        if (button.isConnected) this.seen.observe(button);
      }, 5000);
    }
  }
}
