// The editor: joins view, tools, panel, strip and store around the picture that is open.
const lrpsegApp = (() => {
  const M = lrpsegMask, { busy } = lrpsegStrip;

  class App {
    constructor({ element, props, trigger, watch }) {
      this.root = element.querySelector(".lrpseg");
      this.props = props;
      this.trigger = trigger;
      this.find = (name) => this.root.querySelector(`[data-testid="${name}"]`);
      this.items = [];
      this.open = null; // the scene: item, maps, corrections, mask, pictures, history
      this.gesture = 0;
      this.clock = new lrpsegClock.Clock();
      this.messages = new lrpsegMessages.Messages(this.root);
      this.steps = new lrpsegSteps.Steps(this);
      this.news = new lrpsegNews.News(this);
      this.store = new lrpsegStore.Store({
        base: new URL("lrpseg", document.baseURI).href,
        onState: (...state) => this.saved(...state),
      });
      this.view = new lrpsegView.View(this.find("canvas"));
      this.tools = new lrpsegTools.Tools({
        view: this.view,
        scene: () => this.open,
        paint: (...stroke) => this.paint(...stroke),
        painted: (rect) => this.painted(rect),
        edited: (rect, before) => this.edited(rect, before),
        picked: (name) => this.picked(name),
        sized: (radius) => this.sized(radius),
        focus: () => this.focus(),
        begun: () => this.look({ mask: true }), // who draws sees what comes of it
        say: (text) => this.say(text),
      });
      this.panel = new lrpsegPoints.Panel(this.root, (level, done) => this.setLevel(level, done));
      this.strip = new lrpsegStrip.Strip(
        this.root, (id) => this.store.blob(`/items/${id}/thumbnail`), (id) => {
          this.focus(); // Enter accepts, it does not click again
          this.select(id);
        },
      );
      this.wire();
      this.tools.pick("brush");
      this.tools.size(8);
      this.panel.setItem(null, null);
      this.exposed();
      watch("value", () => this.told(this.props.value));
      this.told(this.props.value);
    }

    /** Give the keys to the picture. */
    focus() {
      this.find("canvas").focus({ preventScroll: true });
    }

    /** For tests, and for whoever embeds the editor. */
    exposed() {
      const app = this;
      this.root.lrpseg = {
        mask: () => app.open && app.open.mask,
        corrections: () => app.open && app.open.corrections,
        get width() { return app.open && app.open.width; },
        get height() { return app.open && app.open.height; },
        get item() { return app.open && app.open.item; },
        toScreen: (x, y) => app.view.toScreen(x, y),
        saved: () => app.store.waiting === 0 && !app.store.sending,
      };
    }

    wire() {
      const tools = this.root.querySelector(".tools");
      for (const [name, { title, hint, icon }] of Object.entries(lrpsegTools.TOOLS)) {
        const button = document.createElement("button");
        Object.assign(button, { type: "button", title: hint, textContent: icon });
        button.append(Object.assign(document.createElement("small"), { textContent: title }));
        button.dataset.testid = `tool-${name}`;
        button.dataset.tool = name;
        button.setAttribute("aria-label", title);
        button.addEventListener("click", () => this.tools.pick(name));
        tools.append(button);
      }
      const click = (name, fn) => this.find(name).addEventListener("click", fn);
      click("undo", () => this.steps.go("undo"));
      click("redo", () => this.steps.go("redo"));
      click("fit", () => this.view.fit());
      click("help", () => this.find("keys").showModal());
      click("previous", () => this.go(-1));
      click("next", () => this.go(1));
      click("accept", () => this.accept());
      click("anyway", () => this.anyway());
      click("delete", () => this.remove());
      click("clear", () => this.clear());
      this.find("keys").querySelector("button").addEventListener("click", () => this.find("keys").close());
      const input = (name, fn) => this.find(name).addEventListener("input", (e) => fn(e.target));
      input("size", (e) => this.tools.size(0.5 * Math.exp((e.value / 100) * Math.log(1000))));
      input("opacity", (e) => this.view.set({ opacity: e.value / 100 }));
      input("contour", (e) => this.view.set({ contour: e.checked }));
      input("changes", (e) => this.view.set({ changes: e.checked }));
      input("mode", (e) => this.mode(e.value));
      input("colormap", () => this.loadHeatmap());
      input("min-area", (e) => this.change("minArea", lrpsegPoints.areaOf(e.value)));
      input("max-hole", (e) => this.change("maxHole", lrpsegPoints.areaOf(e.value)));
      this.root.addEventListener("pointerdown", () => this.gesture++, true);
      lrpsegKeys.wire(this);
      lrpsegDrop.wire(
        () => document.querySelector("#upload input[type=file]"), (text) => this.say(text),
      );
      for (const name of ["pointermove", "pointerdown", "keydown"]) {
        document.addEventListener(name, () => this.clock.touch(), { passive: true, capture: true });
      }
      document.addEventListener("visibilitychange", () => {
        this.clock.pause();
        this.store.hurry();
      });
      window.addEventListener("pagehide", () => this.spend());
      window.addEventListener("online", () => this.store.hurry());
      window.addEventListener("blur", () => { this.tools.space = false; }); // its keyup goes elsewhere
    }

    // ---------------------------------------------------------------- which picture is open

    async told(value) {
      if (!value || !value.token) return;
      if (this.store.token !== value.token) {
        this.store.token = value.token;
        this.resumed = this.store.resume(); // changes of before a reload go first
      }
      await this.resumed;
      await this.refresh();
      if (value.select) await this.select(value.select, true);
      else if (!this.open && this.items.length) {
        const last = this.lastOpen();
        await this.select(this.items.some((i) => i.id === last) ? last : this.strip.ordered[0].id);
      }
    }

    /** The picture that this tab had open, over a reload; with `id` it is kept. */
    lastOpen(id) {
      const key = `lrpseg-open ${this.store.token}`;
      try {
        if (id) sessionStorage.setItem(key, id);
        return sessionStorage.getItem(key);
      } catch {
        return null; // a browser that keeps nothing
      }
    }

    refresh() {
      return this.news.refresh();
    }

    /** Look at the open picture again, unless another one is on its way. */
    again() {
      const id = this.open && this.open.id;
      return id && this.wanted === id ? this.select(id, true) : undefined;
    }

    close() {
      this.tools.cancel();
      this.open = null;
      this.view.setScene(null);
      this.panel.setItem(null, null);
      this.panel.show(0, null);
      this.find("verdict").textContent = "Drop pictures here, or click a sample.";
      this.find("name").textContent = "";
      this.root.querySelector(".welcome").hidden = false;
      if (this.items.length) this.select(this.strip.ordered[0].id);
    }

    /**
     * Open a picture; `again`: look whether the open one has another analysis now. One at a time: a
     * second load of the same picture could bring corrections of before a stroke.
     */
    select(id, again = false) {
      this.wanted = id;
      const turn = () => (this.wanted === id ? this.fetch(id, again) : undefined);
      this.selecting = (this.selecting || Promise.resolve()).then(turn);
      return this.selecting;
    }

    async fetch(id, again) {
      const before = this.open && this.open.id === id ? this.open : null;
      if (before && !again) return;
      const untouched = before ? this.news.untouched(before) : () => true;
      if (!before) {
        this.tools.leave();
        this.say("");
      }
      try {
        const item = await this.store.json(`/items/${id}`);
        if (this.wanted !== id) return; // another one was clicked meanwhile
        if (!before) this.spend();
        if (before && before.ready && before.item.analysis === item.analysis &&
            before.item.explained === item.explained) {
          await this.news.renew(before, item, untouched); // the same maps: drawing goes on
        } else {
          await this.load(item, before, untouched);
        }
        this.lastOpen(id);
        if (!before) this.trigger("select", { id });
        this.strip.show(this.items, id);
        this.find("delete").hidden = false;
      } catch (error) {
        if (this.wanted === id) this.wanted = this.open && this.open.id;
        this.say(error.message);
      }
    }

    describe(item) {
      const ready = item.levels !== undefined;
      this.find("verdict").textContent =
        item.status === "failed" ? item.reason
          : ready && !busy(item) ? item.verdict
            : `${item.name}: ${item.status}${lrpsegStrip.tiles(item)} …`;
      this.find("anyway").hidden = !(ready && !item.explained);
      this.find("name").textContent = this.find("name").title = item.name;
      this.root.querySelector(".welcome").hidden = true;
      const colormap = this.find("colormap");
      if (item.colourbars && !colormap.options.length) {
        for (const name of Object.keys(item.colourbars)) colormap.add(new Option(name, name));
      }
    }

    async load(item, before, untouched) {
      const get = (what) => this.store.bytes(`/items/${item.id}/${what}`);
      const picture = async (what) => createImageBitmap(await this.store.blob(`/items/${item.id}/${what}`));
      const ready = item.levels !== undefined;
      const size = item.width * item.height;
      const [levels, drawn, truth, base] = await Promise.all([
        ready ? get("levels") : new Uint8Array(size),
        size ? get("corrections") : new Uint8Array(0),
        ready && item.has_truth ? get("truth") : null,
        before ? before.picture : size ? picture("view") : null,
      ]);
      if (this.wanted !== item.id) return;
      if (!before) {
        this.tools.leave(); // a stroke begun while this was loading belongs to the old picture
        this.steps.leave(this.open);
        this.store.overlay(item.id, drawn, item.width);
      }
      if (untouched()) {
        this.store.revisions.set(item.id, item.revision);
        if (before) this.news.drawn(before, drawn);
      }
      if (before) this.steps.chose(before, item);
      const corrections = before ? before.corrections : drawn;
      const unsaved = this.store.unsavedSettings(item.id);
      const level = unsaved.analysis === item.analysis ? unsaved.level : undefined;
      this.open = {
        id: item.id, item, width: item.width, height: item.height, levels, corrections, truth,
        picture: base, heatmap: null, ready,
        history: before ? before.history : this.steps.resume(item.id, corrections),
        level: ready ? level ?? item.level : 0,
        minArea: unsaved.min_area ?? item.min_area ?? 0, maxHole: unsaved.max_hole ?? item.max_hole ?? 0,
        base: null, mask: new Uint8Array(size),
      };
      const curve = this.open.truth && ready ? M.curve(levels, this.open.truth, item.levels.length) : null;
      this.panel.held = null;
      this.panel.setItem(ready ? item : null, curve);
      this.describe(item);
      if (!size) {
        this.view.setScene(null);
        this.figures();
        return;
      }
      this.compute();
      this.view.setScene(this.open);
      this.loadHeatmap();
    }

    async loadHeatmap() {
      const scene = this.open, colormap = this.find("colormap").value;
      this.colourbar();
      if (!scene || !scene.ready || this.find("mode").value !== "heatmap") return;
      try {
        const blob = await this.store.blob(`/items/${scene.id}/heatmap?colormap=${colormap}`);
        scene.heatmap = await createImageBitmap(blob);
      } catch (error) {
        this.say(error.message);
      }
      if (this.open === scene) this.view.redraw();
    }

    colourbar() {
      const bar = this.root.querySelector(".colourbar"), colormap = this.find("colormap").value;
      const bars = this.open && this.open.item.colourbars;
      bar.hidden = !bars || this.find("mode").value !== "heatmap";
      if (bar.hidden) return;
      bar.querySelector("i").style.background = `linear-gradient(90deg, ${bars[colormap].join(", ")})`;
      bar.querySelector("span").textContent = colormap === "signed" ? "against damage" : "no relevance";
    }

    mode(name) {
      this.find("mode").value = name;
      this.look({ mode: name });
      this.loadHeatmap();
    }

    /** Other options of the view; a hidden mask says so, unless the mask alone is seen anyway. */
    look(options) {
      this.view.set(options);
      const { mask, mode } = this.view.options;
      this.find("mask-hidden").hidden = mask || mode === "mask";
    }

    // ---------------------------------------------------------------- the mask

    /** From the level map to the mask that is shown: threshold, cleaning, corrections. */
    compute() {
      const s = this.open;
      if (!s.ready || !s.item.explained) s.base = new Uint8Array(s.width * s.height);
      else {
        s.base = M.threshold(s.levels, s.level);
        if (s.minArea > 1 || s.maxHole) s.base = M.clean(s.base, s.width, s.height, s.minArea, s.maxHole);
      }
      M.compose(s.base, s.corrections, s.mask);
      this.figures();
    }

    figures() {
      const s = this.open;
      const own = s.truth ? M.figures(M.counts(s.mask, s.truth)) : null;
      this.panel.show(s.level, own);
      for (const [name, value] of [["min-area", s.minArea], ["max-hole", s.maxHole]]) {
        this.find(name).value = lrpsegPoints.sliderOf(value);
        const words = value ? `${value} px` : "off";
        this.find(`${name}-value`).textContent = words;
        this.find(name).setAttribute("aria-valuetext", words);
      }
      this.find("undo").disabled = !s.history.past.length;
      this.find("redo").disabled = !s.history.future.length;
      for (const name of ["clear", "accept"]) this.find(name).disabled = !s.width; // no picture at all
    }

    setLevel(level, done) {
      this.change("level", level);
      if (done) this.gesture++;
    }

    /** A setting moved by hand: show it, keep it for undo, save it. */
    change(name, value) {
      const s = this.open;
      if (!s || s[name] === value) return;
      const about = name === "level" ? s.item.analysis : undefined;
      s.history.changed(name, s[name], value, this.gesture, about, s.item.status);
      this.assign(name, value);
    }

    assign(name, value) {
      const s = this.open;
      s[name] = value;
      this.compute();
      this.view.redraw();
      const saved = name === "level" ? { level: value, analysis: s.item.analysis }
        : { [name === "minArea" ? "min_area" : "max_hole"]: value };
      this.store.saveSettings(s.id, saved);
      this.mark("edited");
    }

    /** Pixels of a stroke under way. */
    paint(runs, value, rect) {
      const { corrections, width } = this.open;
      for (const [y, from, to] of runs) corrections.fill(value, y * width + from, y * width + to);
      this.painted(rect);
    }

    painted({ x, y, w, h }) {
      const s = this.open;
      for (let row = y; row < y + h; row++) {
        for (let i = row * s.width + x; i < row * s.width + x + w; i++) {
          const c = s.corrections[i];
          s.mask[i] = c === M.NONE ? s.base[i] : c === M.ADDED ? 1 : 0;
        }
      }
      this.view.touch({ x, y, w, h });
    }

    /** A stroke is done: it can be undone, and it is saved. */
    edited(rect, before) {
      const s = this.open;
      s.history.drew(rect, before, s.item.status);
      this.say("");
      this.figures();
      this.save(rect);
    }

    save(rect) {
      const s = this.open;
      this.store.saveCorrections(s.id, s.corrections, s.width, rect, this.clock.take());
      this.mark("edited");
    }

    clear() {
      const s = this.open;
      if (!s || !s.corrections.some((c) => c)) return;
      const rect = { x: 0, y: 0, w: s.width, h: s.height };
      const before = s.corrections.slice();
      s.corrections.fill(0);
      this.painted(rect);
      this.edited(rect, before);
    }

    // ---------------------------------------------------------------- status

    mark(status) {
      const item = this.items.find((i) => i.id === this.open.id);
      if (!item || item.status === status || busy(item)) return; // the analysis says what comes next
      item.status = this.open.item.status = status;
      this.strip.show(this.items, this.open.id);
    }

    accept() {
      const s = this.open;
      if (!s) return;
      if (s.item.status === "failed") return void this.say(s.item.reason);
      if (!s.ready || busy(s.item)) return void this.say("Wait for its analysis.");
      this.steps.accept();
      const next = lrpsegStrip.unfinished(this.strip.ordered, s.id);
      if (next) this.select(next.id);
      else this.say("All pictures are accepted. Export their masks on the left.", true);
    }

    go(step) {
      const id = this.strip.neighbour(step);
      if (id) this.select(id);
    }

    async anyway() {
      if (!this.open) return;
      try {
        await this.store.request(`/items/${this.open.id}/anyway`, { method: "POST" });
        this.find("anyway").hidden = true;
        await this.refresh();
        await this.again();
      } catch (error) {
        this.say(error.message);
      }
    }

    async remove() {
      const s = this.open;
      if (!s || !window.confirm(`Remove ${s.item.name} and all that was drawn on it?`)) return;
      try {
        await this.store.request(`/items/${s.id}`, { method: "DELETE" });
        await this.refresh();
      } catch (error) {
        this.say(error.message);
      }
    }

    /** The time on the picture that is left behind. */
    spend() {
      const seconds = this.clock.take();
      if (this.open && seconds > 0.5 && this.open.ready) this.store.saveSettings(this.open.id, { seconds });
    }

    saved(state, waiting, message) {
      this.messages.saved(state, waiting, message);
      if (state !== "refused") return;
      this.say(message);
      this.refresh().then(() => this.again());
    }

    say(text, good) {
      this.messages.say(text, good);
    }

    picked(name) {
      for (const button of this.root.querySelectorAll("[data-tool]")) {
        button.setAttribute("aria-pressed", String(button.dataset.tool === name));
      }
    }

    sized(radius) {
      this.find("size").value = (100 * Math.log(radius / 0.5)) / Math.log(1000);
      this.find("size-value").textContent = `${Math.max(1, Math.round(2 * radius))} px`;
    }
  }

  return (host) => new App(host);
})();
if (typeof module !== "undefined") module.exports = lrpsegApp;
