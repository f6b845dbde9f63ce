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
