// The strip of thumbnails: what is done, what is to do, and in which order.
const lrpsegStrip = (() => {
  const STATUS = {
    waiting: ["…", "waiting"],
    running: ["◌", "running"],
    todo: ["○", "to do"],
    edited: ["✎", "edited"],
    accepted: ["✓", "accepted"],
    empty: ["–", "empty"],
    failed: ["!", "failed"],
  };

  /** Whether an item's analysis is still to come. */
  const busy = ({ status }) => status === "waiting" || status === "running";

  /** How many tiles of a running picture are done, where that is known. */
  const tiles = (item) => (item.status === "running" && item.tiles ? ` ${item.tiles_done}/${item.tiles}` : "");

  /** By name as people sort it, or by how near the probability is to a toss-up. */
  function sorted(items, order) {
    const byName = (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true });
    const doubt = (i) => (i.probability === null ? 1 : Math.abs(i.probability - 0.5));
    if (order === "name") return [...items].sort(byName);
    return [...items].sort((a, b) => doubt(a) - doubt(b) || byName(a, b));
  }

  class Strip {
    /** `load(id)` gives a thumbnail's Blob; `onPick(id)` is called for a click. */
    constructor(root, load, onPick) {
      this.root = root;
      this.load = load;
      this.onPick = onPick;
      this.list = root.querySelector(".thumbs");
      this.count = root.querySelector('[data-testid="count"]');
      this.order = root.querySelector('[data-testid="sort"]');
      this.order.addEventListener("change", () => {
        this.scrolled = null; // the selected one has another place
        this.show(this.items, this.selected);
      });
      this.items = [];
      this.buttons = new Map();
      this.seen = new IntersectionObserver((entries) => {
        for (const entry of entries) if (entry.isIntersecting) this.fetch(entry.target);
      }, { root: this.list, rootMargin: "300px" });
    }

    get ordered() {
      return sorted(this.items, this.order.value);
    }

    show(items, selected) {
      this.items = items;
      this.selected = selected;
      const ordered = this.ordered, ids = new Set(items.map((i) => i.id));
      for (const [id, button] of this.buttons) {
        if (ids.has(id)) continue;
        URL.revokeObjectURL(button.dataset.url || "");
        button.remove();
        this.buttons.delete(id);
      }
      ordered.forEach((item, position) => {
        const button = this.buttons.get(item.id) || this.make(item);
        this.update(button, item);
        if (this.list.children[position] !== button) {
          this.list.insertBefore(button, this.list.children[position] || null);
        }
      });
      const accepted = items.filter((i) => i.status === "accepted").length;
      const left = items.filter(busy).length;
      const progress = left ? ` · ${items.length - left} of ${items.length} analysed` : "";
      this.count.textContent = items.length ? `${accepted} of ${items.length} accepted${progress}` : "";
    }

    make(item) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "thumb";
      button.dataset.id = item.id;
      button.dataset.testid = `thumb-${item.name}`;
      button.innerHTML = '<img alt=""><span class="badge"></span><span class="label"></span>';
      button.addEventListener("click", () => this.onPick(item.id));
      this.buttons.set(item.id, button);
      this.seen.observe(button);
      return button;
    }

    update(button, item) {
      const [icon, words] = STATUS[item.status] || ["?", item.status];
      button.dataset.status = item.status;
      button.classList.toggle("selected", item.id === this.selected);
      button.setAttribute("aria-current", String(item.id === this.selected));
      button.querySelector(".badge").textContent = `${icon} ${words}${tiles(item)}`;
      button.querySelector(".label").textContent = item.name.split("/").pop();
      button.title = item.reason ? `${item.name}: ${item.reason}` : item.name;
      button.setAttribute("aria-label", `${item.name}, ${words}`);
      if (item.id === this.selected && this.scrolled !== item.id) {
        this.scrolled = item.id;
        this.reveal(button);
      }
    }

    /** Scroll the strip, and it alone, so far that a thumbnail is seen. */
    reveal(button) {
      const box = button.getBoundingClientRect(), frame = this.list.getBoundingClientRect();
      if (box.left < frame.left) this.list.scrollLeft += box.left - frame.left;
      else if (box.right > frame.right) this.list.scrollLeft += box.right - frame.right;
    }

    async fetch(button) {
      if (button.dataset.url !== undefined) return;
      button.dataset.url = "";
      try {
        const url = URL.createObjectURL(await this.load(button.dataset.id));
        button.dataset.url = url;
        button.querySelector("img").src = url;
      } catch (error) {
        if (error.status && error.status < 500) return; // a file that is no picture has none
        delete button.dataset.url;
        setTimeout(() => { // the connection was lost: look again whether it is in sight
          this.seen.unobserve(button);
          if (button.isConnected) this.seen.observe(button);
        }, 5000);
      }
    }

    /** The neighbour of the selected picture: +1 next, -1 previous; null at the ends. */
    neighbour(step) {
      const ordered = this.ordered, at = ordered.findIndex((i) => i.id === this.selected);
      const next = ordered[at + step];
      return at >= 0 && next ? next.id : null;
    }
  }

  /** The next item after `selected` that is neither accepted nor failed, from the start again at the
   * end; null when all are done. */
  function unfinished(ordered, selected) {
    const at = ordered.findIndex((i) => i.id === selected);
    const others = [...ordered.slice(at + 1), ...ordered.slice(0, Math.max(at, 0))];
    return others.find((i) => i.status !== "accepted" && i.status !== "failed") || null;
  }

  return { Strip, busy, tiles, sorted, unfinished, STATUS };
})();
if (typeof module !== "undefined") module.exports = lrpsegStrip;
