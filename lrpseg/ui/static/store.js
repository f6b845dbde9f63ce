// @ts-check
// Saves strokes and settings as they are made, in order, and again until the server has them.
import { Client, gzip, reasonOf, statusOf } from "./client.js";
import { isFinal, jobOf, merge } from "./jobs.js";
import { cut, put, union } from "./rects.js";
import { browserShelf, waitingFor } from "./shelf.js";

/** @import { Job, Patch, Settings } from "./jobs.js" */
/** @import { Rect } from "./types.js" */

const RETRY = [500, 1000, 2000, 5000, 10000];

export class Store extends Client {
  /**
   * `onState(state, waiting, message)`: "saved", "saving", "offline" or "refused", and how many
   * pictures have changes that wait. `fetch`, `shelf` and `wait` may be given by tests.
   * @param {object} parts
   * @param {string} parts.base  address of the routes
   * @param {(state: string, waiting: number, message?: string) => void} [parts.onState]
   * @param {typeof globalThis.fetch} [parts.fetch]
   * @param {import("./shelf.js").BrowserShelf} [parts.shelf]
   * @param {(ms: number) => Promise<unknown>} [parts.wait]
   */
  constructor({ base, onState = () => {}, fetch, shelf, wait }) {
    super({ base, fetch });
    this.onState = onState;
    this.shelf = shelf || browserShelf();
    this.wait = wait || ((ms) => new Promise((done) => setTimeout(done, ms)));
    /** @type {Map<string, Job>} */
    this.jobs = new Map(); // by item id
    /** @type {Map<string, number>} */
    this.revisions = new Map(); // item id -> of what the page shows, with all that it confirmed
    /** @type {Promise<void> | null} */
    this.sending = null;
    /** @type {{ id: string, job: Job } | null} */
    this.flying = null; // the job that is being sent
    /** @type {(() => void) | null} */
    this.wake = null; // ends a pause before the next try
  }

  /**
   * Save a rectangle of corrections. Its pixels are copied: what waits is sent as it was drawn.
   * @param {string} id
   * @param {Uint8Array} corrections
   * @param {number} width
   * @param {Rect} rect
   * @param {number} [seconds]
   * @param {string} [of]  the class
   */
  saveCorrections(id, corrections, width, rect, seconds = 0, of) {
    const job = this.job(id), last = job.patches.at(-1);
    // Only patches of one array are merged: reopened, a picture has an array of its own.
    const merged = last && last.source === corrections ? job.patches.pop() : undefined;
    const whole = union(merged?.rect, rect);
    const values = cut(corrections, width, whole);
    job.patches.push({ rect: whole, values, source: corrections, ...(of && { of }) });
    job.seconds += seconds;
    this.keepPixels(id);
    return this.flush();
  }

  /**
   * Save settings (threshold, cleaning, status); later values of the same name win.
   * @param {string} id
   * @param {Settings} settings
   * @param {string} [of]  the class that they are of
   */
  saveSettings(id, settings, of) {
    merge(this.job(id).settings, of ? { classes: { [of]: settings } } : settings);
    this.keepSettings(id);
    return this.flush();
  }

  /**
   * What waits for a picture; nothing at first.
   * @param {string} id
   */
  job(id) {
    /** @type {Job} */
    const job = this.jobs.get(id) || { patches: [], settings: {}, seconds: 0 };
    this.jobs.set(id, job);
    return job;
  }

  /**
   * What the server has not confirmed, oldest first: being sent, and waiting.
   * @param {string} id
   */
  unconfirmed(id) {
    const flying = this.flying?.id === id ? this.flying.job : undefined;
    return [flying, this.jobs.get(id)].filter((job) => job !== undefined);
  }

  /**
   * Put what is not confirmed over corrections that the server gave, of one class.
   * @param {string} id
   * @param {Uint8Array} corrections
   * @param {number} width
   * @param {string} [of]
   */
  overlay(id, corrections, width, of) {
    for (const { patches } of this.unconfirmed(id)) {
      for (const patch of patches) {
        if (patch.of === of) put(corrections, width, patch.rect, patch.values);
      }
    }
    return corrections;
  }

  /**
   * Settings that are not confirmed: the server's answer may be older than they are.
   * @param {string} id
   * @returns {Settings}
   */
  unsavedSettings(id) {
    return this.unconfirmed(id).reduce((all, job) => merge(all, job.settings), {});
  }

  /** @param {string} id */
  keepPixels(id) {
    const patches = this.unconfirmed(id).flatMap((job) => job.patches);
    const key = `${this.token} ${id} pixels`;
    if (!patches.length) return this.shelf.drop(key);
    const kept = patches.map(({ rect, values, of }) => ({ rect, values, ...(of && { of }) }));
    return this.shelf.put(key, kept);
  }

  /** @param {string} id */
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
    for (let [first] = this.jobs; first; [first] = this.jobs) {
      const [id, job] = first;
      this.jobs.delete(id); // what comes from now on is a job of its own
      this.flying = { id, job };
      this.onState(tries ? "offline" : "saving", this.jobs.size + 1);
      try {
        await this.sendJob(id, job);
        this.flying = null;
        tries = 0;
      } catch (error) {
        this.flying = null;
        const status = statusOf(error), words = reasonOf(error);
        if (isFinal(status)) {
          refusal = words; // the server understood it and said no: again would not help
          await this.dropRefused(id, job, status);
          continue;
        }
        this.putBack(id, job);
        this.onState("offline", this.jobs.size, [401, 403, 507].includes(status ?? 0) ? words : "");
        const pause = this.wait(RETRY[Math.min(tries++, RETRY.length - 1)]);
        await Promise.race([pause, new Promise((done) => { this.wake = () => done(null); })]);
      }
    }
    this.onState(refusal ? "refused" : "saved", 0, refusal);
  }

  /**
   * Leave out only what was refused; the rest of the job is tried again.
   * @param {string} id
   * @param {Job} job
   * @param {number | undefined} status
   */
  async dropRefused(id, job, status) {
    if (job.patches.length) job.patches.shift();
    else if (status === 409 && "status" in job.settings) {
      for (const name of ["status", "shown"]) delete job.settings[name]; // of a mask never seen
    } else if (status === 409 && "level" in job.settings) {
      for (const name of ["level", "analysis"]) delete job.settings[name]; // a level of another map
    } else if (job.settings.classes) delete job.settings.classes;
    else job.settings = {};
    if (job.patches.length || Object.keys(job.settings).length) this.putBack(id, job);
    await this.keepPixels(id);
    await this.keepSettings(id);
  }

  /**
   * @param {string} id
   * @param {Job} job
   */
  putBack(id, job) {
    const newer = this.jobs.get(id);
    if (newer) {
      job.patches.push(...newer.patches);
      merge(job.settings, newer.settings);
      job.seconds += newer.seconds;
    }
    this.jobs.delete(id);
    this.jobs = new Map([[id, job], ...this.jobs]); // it stays the first in line
  }

  /**
   * @param {string} id
   * @param {Job} job
   */
  async sendJob(id, job) {
    while (job.patches.length) {
      await this.postRect(id, job.patches[0], job.seconds);
      job.patches.shift();
      job.seconds = 0;
      await this.keepPixels(id);
    }
    const { classes = {} } = job.settings;
    for (const [of, settings] of Object.entries(classes)) {
      await this.postSettings(id, settings, `?class=${encodeURIComponent(of)}`);
      delete classes[of];
    }
    delete job.settings.classes;
    if (Object.keys(job.settings).length) {
      await this.postSettings(id, job.settings);
      job.settings = {};
    }
    await this.keepSettings(id);
  }

  /**
   * @param {string} id
   * @param {Settings} settings
   */
  async postSettings(id, settings, query = "") {
    const body = JSON.stringify(settings);
    const options = { method: "POST", body, keepalive: true };
    this.confirmed(id, await this.json(`/items/${id}/settings${query}`, options));
  }

  /**
   * @param {string} id
   * @param {Patch} patch
   * @param {number} seconds
   */
  async postRect(id, { rect: { x, y, w, h }, values, of }, seconds) {
    const packed = await gzip(values);
    const body = packed || values;
    const which = of ? `&class=${encodeURIComponent(of)}` : "";
    const query = `x=${x}&y=${y}&w=${w}&h=${h}&seconds=${seconds.toFixed(1)}${which}`;
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
   * @param {string} id
   * @param {{ revision: number, writes: number }} answer
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
    const found = await waitingFor(this.shelf, this.token, () => this.ids());
    for (const { key, id, what, kept, former } of found) {
      this.putBack(id, jobOf(what, kept));
      if (!former) continue;
      await this.keepPixels(id);
      await this.keepSettings(id);
      await this.shelf.drop(key);
    }
    if (this.jobs.size) this.flush();
  }
}
