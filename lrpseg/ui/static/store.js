// Talks to the server. Strokes are saved as they are made, in order, and again until they are there.
const lrpsegStore = (() => {
  const { cut, union } = typeof module !== "undefined" ? require("./history.js") : lrpsegHistory;
  const RETRY = [500, 1000, 2000, 5000, 10000];

  /** Strokes that the server has not confirmed, kept by the browser over a reload. */
  function browserShelf() {
    const opened = new Promise((done) => {
      try {
        const request = indexedDB.open("lrpseg", 1);
        request.onupgradeneeded = () => request.result.createObjectStore("unsaved");
        request.onsuccess = () => done(request.result);
        request.onerror = () => done(null); // private windows may have none: the page still works
      } catch {
        done(null);
      }
    });
    const run = async (mode, work) => {
      const db = await opened;
      if (!db) return undefined;
      return new Promise((done) => {
        const request = work(db.transaction("unsaved", mode).objectStore("unsaved"));
        request.onsuccess = () => done(request.result);
        request.onerror = () => done(undefined);
      });
    };
    return {
      put: (key, value) => run("readwrite", (s) => s.put(value, key)),
      take: (key) => run("readonly", (s) => s.get(key)),
      drop: (key) => run("readwrite", (s) => s.delete(key)),
    };
  }

  async function gzip(bytes) {
    if (typeof CompressionStream === "undefined") return null;
    const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  class Store {
    /**
     * `base`: address of the routes. `onState(state, waiting)`: "saved", "saving" or "offline".
     * `fetch`, `shelf` and `wait` may be given by tests.
     */
    constructor({ base, onState = () => {}, fetch, shelf, wait }) {
      this.base = base;
      this.token = "";
      this.onState = onState;
      this.fetch = fetch || ((...args) => globalThis.fetch(...args));
      this.shelf = shelf || browserShelf();
      this.wait = wait || ((ms) => new Promise((done) => setTimeout(done, ms)));
      this.jobs = new Map(); // item id -> {corrections, width, rect, settings, seconds}
      this.sending = null;
    }

    async request(path, options = {}) {
      const headers = { "X-Lrpseg-Workspace": this.token, ...options.headers };
      const response = await this.fetch(this.base + path, { ...options, headers });
      if (response.ok) return response;
      let sentence = "The server did not answer as expected. Try again.";
      try {
        sentence = (await response.json()).error || sentence;
      } catch {
        /* no JSON: the sentence above */
      }
      throw Object.assign(new Error(sentence), { status: response.status });
    }

    async json(path, options) {
      return (await this.request(path, options)).json();
    }

    async bytes(path) {
      return new Uint8Array(await (await this.request(path)).arrayBuffer());
    }

    async blob(path) {
      return (await this.request(path)).blob();
    }

    /** Save a rectangle of corrections; its pixels are read when it is sent, so the latest count. */
    saveCorrections(id, corrections, width, rect, seconds = 0) {
      const job = this.job(id);
      Object.assign(job, { corrections, width, rect: union(job.rect, rect) });
      job.seconds += seconds;
      const { x, y, w, h } = job.rect;
      this.shelf.put(id, { x, y, w, h, values: cut(corrections, width, job.rect) });
      return this.flush();
    }

    /** Save settings (threshold, cleaning, status); later values of the same name win. */
    saveSettings(id, settings) {
      const now = this.job(id).settings;
      const seconds = (now.seconds || 0) + (settings.seconds || 0);
      Object.assign(now, settings, seconds ? { seconds } : {});
      return this.flush();
    }

    job(id) {
      if (!this.jobs.has(id)) this.jobs.set(id, { rect: null, settings: {}, seconds: 0 });
      return this.jobs.get(id);
    }

    get waiting() {
      return this.jobs.size;
    }

    /** Send all that waits; resolves when it is saved. One sender at a time keeps the order. */
    flush() {
      if (!this.sending) {
        this.sending = this.send().finally(() => {
          this.sending = null;
        });
      }
      return this.sending;
    }

    async send() {
      let tries = 0;
      while (this.jobs.size) {
        const [id, job] = this.jobs.entries().next().value;
        this.jobs.delete(id); // what comes from now on is a job of its own
        this.onState(tries ? "offline" : "saving", this.jobs.size + 1);
        try {
          await this.sendJob(id, job);
          tries = 0;
        } catch (error) {
          if (error.status && error.status < 500 && error.status !== 401) {
            this.onState("refused", this.jobs.size, error.message);
            if (error.status !== 409) await this.shelf.drop(id);
            continue; // the server understood it and said no: again would not help
          }
          this.putBack(id, job);
          this.onState("offline", this.jobs.size, error.status === 401 ? error.message : "");
          await this.wait(RETRY[Math.min(tries++, RETRY.length - 1)]);
        }
      }
      this.onState("saved", 0);
    }

    putBack(id, job) {
      const newer = this.jobs.get(id);
      const merged = newer
        ? { ...job, ...newer, rect: union(job.rect, newer.rect) }
        : job;
      merged.corrections = (newer && newer.corrections) || job.corrections;
      merged.width = (newer && newer.width) || job.width;
      merged.settings = { ...job.settings, ...(newer ? newer.settings : {}) };
      merged.seconds = job.seconds + (newer ? newer.seconds : 0);
      this.jobs.delete(id);
      this.jobs = new Map([[id, merged], ...this.jobs]); // it stays the first in line
    }

    async sendJob(id, job) {
      if (job.rect) {
        await this.postRect(id, job.rect, cut(job.corrections, job.width, job.rect), job.seconds);
        if (!this.jobs.get(id)?.rect) await this.shelf.drop(id);
        job.rect = null;
        job.seconds = 0;
      }
      if (Object.keys(job.settings).length) {
        await this.json(`/items/${id}/settings`, {
          method: "POST",
          body: JSON.stringify(job.settings),
          keepalive: true,
        });
      }
    }

    async postRect(id, { x, y, w, h }, values, seconds) {
      const packed = await gzip(values);
      const body = packed || values;
      const query = `x=${x}&y=${y}&w=${w}&h=${h}&seconds=${seconds.toFixed(1)}`;
      await this.json(`/items/${id}/corrections?${query}`, {
        method: "POST",
        body,
        headers: packed ? { "Content-Encoding": "gzip" } : {},
        keepalive: body.length < 60000, // browsers allow no more; the shelf has the rest
      });
    }

    /** Strokes of before a reload that were not confirmed: send them now, before anything else. */
    async recover(id) {
      const kept = await this.shelf.take(id);
      if (!kept) return false;
      await this.postRect(id, kept, kept.values, 0);
      await this.shelf.drop(id);
      return true;
    }
  }

  return { Store };
})();
if (typeof module !== "undefined") module.exports = lrpsegStore;
