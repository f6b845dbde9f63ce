// What the server has and the page does not show yet: ended analyses, and what other tabs did.
const lrpsegNews = (() => {
  const M = lrpsegMask, { busy } = lrpsegStrip;
  const LOOK = 3; // seconds between two looks while nothing is analysed

  class News {
    constructor(app) {
      this.app = app;
      this.serial = ""; // of the list that is shown
      this.passed = 0;
      setInterval(() => this.look(), 1000);
      document.addEventListener("visibilitychange", () => this.look(true));
    }

    /**
     * Get the list of pictures. With `since`, nobody asked for it: only where something changed since
     * that serial, and without a word about a lost connection.
     */
    async refresh(since = null) {
      const { app } = this;
      try {
        const { items, serial } = await app.store.json(`/items?since=${since ?? ""}`);
        this.serial = serial;
        if (!items) return;
        const shown = new Map(app.items.map((i) => [i.id, i.status]));
        for (const item of items) { // the answer may be older than what is still being saved
          if (!busy(item) && app.store.unconfirmed(item.id).length) item.status = shown.get(item.id) || item.status;
        }
        app.items = items;
      } catch (error) {
        if (since === null || error.status) app.say(error.message);
        return;
      }
      app.strip.show(app.items, app.open && app.open.id);
      if (app.open && !app.items.some((i) => i.id === app.open.id)) app.close();
      app.find("delete").hidden = !app.open;
    }

    /** Look for news from time to time, or at once (`now`). */
    async look(now = false) {
      const { app } = this;
      if (!app.store.token || this.looking || document.hidden) return;
      const waits = app.items.some(busy) || (app.open && busy(app.open.item)) || this.behind();
      if (!waits && !now && ++this.passed < LOOK) return;
      this.passed = 0;
      this.looking = true;
      await this.refresh(waits ? "" : this.serial); // an analysis' progress raises no serial
      this.looking = false;
      const listed = this.listed, item = app.open && app.open.item;
      if (!listed) return;
      if (listed.status === "running" && item.status === "running") {
        Object.assign(item, { tiles: listed.tiles, tiles_done: listed.tiles_done });
        app.describe(item);
      }
      const differs = listed.analysis !== item.analysis || listed.status !== item.status;
      if (differs || this.behind()) await app.again();
    }

    /** The open picture as the list has it. */
    get listed() {
      const { open, items } = this.app;
      return open ? items.find((i) => i.id === open.id) : undefined;
    }

    /** Whether another tab changed the open picture; told only while nothing of ours is under way. */
    behind() {
      const { listed, app } = this;
      if (!listed || app.store.unconfirmed(listed.id).length) return false;
      return listed.revision > app.store.revisions.get(listed.id);
    }

    /** A function that tells whether nothing was done to the picture from now until it is called. */
    untouched(scene) {
      const { store, tools } = this.app;
      const quiet = () => !tools.stroke && !store.unconfirmed(scene.id).length;
      const state = () => [scene.history.past.at(-1), scene.level, scene.minArea, scene.maxHole];
      const wasQuiet = quiet(), before = state();
      return () => wasQuiet && quiet() && state().every((value, i) => value === before[i]);
    }

    /** Put what was drawn elsewhere in the place of what is shown, which can be undone. */
    drawn(scene, corrections) {
      if (!corrections.some((c, i) => c !== scene.corrections[i])) return false;
      scene.history.drew({ x: 0, y: 0, w: scene.width, h: scene.height }, scene.corrections.slice());
      scene.corrections.set(corrections);
      return true;
    }

    /** The same for sliders that were moved elsewhere. */
    moved(scene, item) {
      const now = { level: item.level, minArea: item.min_area, maxHole: item.max_hole };
      const names = Object.keys(now).filter((name) => now[name] !== scene[name]);
      for (const name of names) {
        const about = name === "level" ? item.analysis : undefined;
        scene.history.changed(name, scene[name], now[name], ++this.app.gesture, about);
        scene[name] = now[name];
        this.app.panel.held = null;
      }
      return names.length > 0;
    }

    /**
     * The open picture has news (status, verdict, a true mask, another tab's strokes), but its maps
     * are the same.
     */
    async renew(scene, item, untouched) {
      const { app } = this;
      const [truth, corrections] = await Promise.all(["truth", "corrections"].map((what) =>
        what === "corrections" || item.has_truth ? app.store.bytes(`/items/${item.id}/${what}`) : null));
      if (app.open !== scene) return;
      let changed = false;
      if (untouched()) { // never over what was drawn meanwhile
        app.store.revisions.set(item.id, item.revision);
        changed = [this.drawn(scene, corrections), this.moved(scene, item)].includes(true);
      }
      app.steps.chose(scene, item);
      scene.truth = truth;
      scene.item = item;
      app.panel.setItem(item, scene.truth && M.curve(scene.levels, scene.truth, item.levels.length));
      app.describe(item);
      if (changed) app.compute();
      else app.figures();
      app.view.redraw();
    }
  }

  return { News };
})();
if (typeof module !== "undefined") module.exports = lrpsegNews;
