// @ts-check
// What the browser keeps over a reload: changes that the server has not confirmed.

/**
 * A store of values by key that outlives the page.
 * @typedef {object} BrowserShelf
 * @property {(key: string, value: unknown) => Promise<unknown>} put
 * @property {(key: string) => Promise<any>} take
 * @property {(key: string) => Promise<unknown>} drop
 * @property {() => Promise<any[] | undefined>} keys
 */

/**
 * What waits on a shelf for a workspace: under its token, then under others for pictures of it, as
 * it has another token when its page has other logins. `listed`: asks for the ids of its pictures.
 * @param {BrowserShelf} shelf
 * @param {string} token
 * @param {() => Promise<Set<string>>} listed
 */
export async function waitingFor(shelf, token, listed) {
  const keys = ((await shelf.keys()) || []).map((key) => String(key).split(" "));
  const ours = keys.filter(([of]) => of === token), others = keys.filter(([of]) => of !== token);
  const ids = others.length ? await listed() : new Set();
  const found = [];
  for (const parts of [...ours, ...others.filter(([, id]) => ids.has(id))]) {
    const [of, id, what] = parts, key = parts.join(" "), kept = await shelf.take(key);
    if (kept) found.push({ key, id, what, kept, former: of !== token });
  }
  return found;
}

/**
 * A shelf in IndexedDB; where a browser has none it keeps nothing.
 * @returns {BrowserShelf}
 */
export function browserShelf() {
  /** @type {Promise<IDBDatabase | null>} */
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
  /**
   * @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore) => IDBRequest} work
   * @returns {Promise<any>}
   */
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
