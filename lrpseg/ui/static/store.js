// Talks to the server. Strokes are saved as they are made, in order, and again until they are there.
const lrpsegStore = (() => {
  const { cut, put, union } = typeof module !== "undefined" ? require("./history.js") : lrpsegHistory;
  const RETRY = [500, 1000, 2000, 5000, 10000];
  const FINAL = (status) => status >= 400 && status < 500 && ![401, 408, 429].includes(status);

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
      keys: () => run("readonly", (s) => s.getAllKeys()),
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
      this.jobs = new Map(); // item id -> {patches, settings, seconds}
      this.revisions = new Map(); // item id -> of what the page shows, with all that it confirmed
      this.sending = null;
      this.flying = null; // the job that is being sent
      this.wake = null; // ends a pause before the next try
    }

    async request(path, options = {}) {
      const headers = { "X-Lrpseg-Workspace": this.token, ...options.headers };
      const response = await this.fetch(this.base + path, { ...options, headers }).catch((error) => {
        if (!(error instanceof TypeError)) throw error;
        throw new Error("Not connected: try again in a moment."); // the browser's words say less
      });
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

    /** Save a rectangle of corrections. Its pixels are copied: what waits is sent as it was drawn. */
    saveCorrections(id, corrections, width, rect, seconds = 0) {
      const job = this.job(id), last = job.patches[job.patches.length - 1];
      // Only patches of one array are merged: reopened, a picture has an array of its own.
      const merged = last && last.source === corrections ? job.patches.pop() : null;
      const whole = union(merged && merged.rect, rect);
      job.patches.push({ rect: whole, values: cut(corrections, width, whole), source: corrections });
      job.seconds += seconds;
      this.keepPixels(id);
      return this.flush();
    }

    /** Save settings (threshold, cleaning, status); later values of the same name win. */
    saveSettings(id, settings) {
      const now = this.job(id).settings;
      const seconds = (now.seconds || 0) + (settings.seconds || 0);
      Object.assign(now, settings, seconds ? { seconds } : {});
      this.keepSettings(id);
      return this.flush();
    }

    job(id) {
      if (!this.jobs.has(id)) this.jobs.set(id, { patches: [], settings: {}, seconds: 0 });
      return this.jobs.get(id);
    }

    /** What the server has not confirmed, oldest first: being sent, and waiting. */
    unconfirmed(id) {
      const flying = this.flying && this.flying.id === id ? [this.flying.job] : [];
      return [...flying, ...(this.jobs.has(id) ? [this.jobs.get(id)] : [])];
    }

    /** Put what is not confirmed over corrections that the server gave. */
    overlay(id, corrections, width) {
      for (const { patches } of this.unconfirmed(id)) {
        for (const { rect, values } of patches) put(corrections, width, rect, values);
      }
      return corrections;
    }

    /** Settings that are not confirmed: the server's answer may be older than they are. */
    unsavedSettings(id) {
      return Object.assign({}, ...this.unconfirmed(id).map((job) => job.settings));
    }

    keepPixels(id) {
      const patches = this.unconfirmed(id).flatMap((job) => job.patches);
      const key = `${this.token} ${id} pixels`;
      if (!patches.length) return this.shelf.drop(key);
      return this.shelf.put(key, patches.map(({ rect, values }) => ({ rect, values })));
    }

    keepSettings(id) {
      const settings = this.unsavedSettings(id), key = `${this.token} ${id} settings`;
      return Object.keys(settings).length ? this.shelf.put(key, settings) : this.shelf.drop(key);
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

    /** Try again now: the connection is back, or the page is about to go. */
    hurry() {
      if (this.wake) this.wake();
    }

    async send() {
      let tries = 0, refusal = "";
      while (this.jobs.size) {
        const [id, job] = this.jobs.entries().next().value;
        this.jobs.delete(id); // what comes from now on is a job of its own
        this.flying = { id, job };
        this.onState(tries ? "offline" : "saving", this.jobs.size + 1);
        try {
          await this.sendJob(id, job);
          this.flying = null;
          tries = 0;
        } catch (error) {
          this.flying = null;
          if (FINAL(error.status)) {
            refusal = error.message; // the server understood it and said no: again would not help
            await this.dropRefused(id, job, error.status);
            continue;
          }
          this.putBack(id, job);
          this.onState("offline", this.jobs.size, error.status === 401 ? error.message : "");
          const pause = this.wait(RETRY[Math.min(tries++, RETRY.length - 1)]);
          await Promise.race([pause, new Promise((done) => { this.wake = done; })]);
        }
      }
      this.onState(refusal ? "refused" : "saved", 0, refusal);
    }

    /** Leave out only what was refused; the rest of the job is tried again. */
    async dropRefused(id, job, status) {
      if (job.patches.length) job.patches.shift();
      else if (status === 409 && "status" in job.settings) {
        for (const name of ["status", "shown"]) delete job.settings[name]; // not the mask that was seen
      } else if (status === 409 && "level" in job.settings) {
        for (const name of ["level", "analysis"]) delete job.settings[name]; // a level of another map
      } else job.settings = {};
      if (job.patches.length || Object.keys(job.settings).length) this.putBack(id, job);
      await this.keepPixels(id);
      await this.keepSettings(id);
    }

    putBack(id, job) {
      const newer = this.jobs.get(id);
      if (newer) {
        job.patches.push(...newer.patches);
        const seconds = (job.settings.seconds || 0) + (newer.settings.seconds || 0);
        Object.assign(job.settings, newer.settings, seconds ? { seconds } : {});
        job.seconds += newer.seconds;
      }
      this.jobs.delete(id);
      this.jobs = new Map([[id, job], ...this.jobs]); // it stays the first in line
    }

    async sendJob(id, job) {
      while (job.patches.length) {
        const { rect, values } = job.patches[0];
        await this.postRect(id, rect, values, job.seconds);
        job.patches.shift();
        job.seconds = 0;
        await this.keepPixels(id);
      }
      if (Object.keys(job.settings).length) {
        const answer = await this.json(`/items/${id}/settings`, {
          method: "POST",
          body: JSON.stringify(job.settings),
          keepalive: true,
        });
        job.settings = {};
        this.confirmed(id, answer);
        await this.keepSettings(id);
      }
    }

    async postRect(id, { x, y, w, h }, values, seconds) {
      const packed = await gzip(values);
      const body = packed || values;
      const query = `x=${x}&y=${y}&w=${w}&h=${h}&seconds=${seconds.toFixed(1)}`;
      const answer = await this.json(`/items/${id}/corrections?${query}`, {
        method: "POST",
        body,
        headers: packed ? { "Content-Encoding": "gzip" } : {},
        keepalive: body.length < 60000, // browsers allow no more; the shelf has the rest
      });
      this.confirmed(id, answer);
    }

    /**
     * `writes` of the changes up to `revision` were ours. Where no others came in between, the page
     * still shows what is there, and so does what was accepted with it and waits.
     */
    confirmed(id, { revision, writes }) {
      const before = revision - writes;
      if (this.revisions.get(id) === before) this.revisions.set(id, revision);
      for (const { settings } of this.unconfirmed(id)) {
        if (settings.shown && settings.shown.revision === before) settings.shown.revision = revision;
      }
    }

    /** Queue what was not confirmed before a reload, of all pictures; sending it is not awaited. */
    async resume() {
      const prefix = `${this.token} `;
      for (const key of (await this.shelf.keys()) || []) {
        if (!String(key).startsWith(prefix)) continue; // of another workspace
        const [id, what] = key.slice(prefix.length).split(" ");
        const kept = await this.shelf.take(key);
        if (!kept) continue;
        const job = { patches: [], settings: {}, seconds: 0 };
        if (what === "pixels") job.patches = kept;
        else job.settings = kept;
        this.putBack(id, job);
      }
      if (this.jobs.size) this.flush();
    }
  }

  return { Store };
})();
if (typeof module !== "undefined") module.exports = lrpsegStore;
