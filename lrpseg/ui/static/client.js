// @ts-check
// Requests to lrpseg's own routes, in the name of a workspace; errors carry the server's sentence.

/**
 * The status of the answer that was thrown, if it was one.
 * @param {unknown} error
 * @returns {number | undefined}
 */
export const statusOf = (error) => /** @type {{ status?: number }} */ (error).status;

/**
 * The words of what was thrown.
 * @param {unknown} error
 * @returns {string}
 */
export const reasonOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * The same bytes packed, or null where the browser cannot.
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
export async function gzip(bytes) {
  if (typeof CompressionStream === "undefined") return null;
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export class Client {
  /** @param {{ base: string, fetch?: typeof globalThis.fetch }} parts  `base`: of the routes */
  constructor({ base, fetch }) {
    this.base = base;
    this.token = ""; // of the workspace
    /** @type {typeof globalThis.fetch} */
    this.fetch = fetch || ((...args) => globalThis.fetch(...args));
  }

  /**
   * The answer to a request; throws an error with a sentence for the user.
   * @param {string} path
   * @param {RequestInit} [options]
   */
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

  /**
   * @param {string} path
   * @param {RequestInit} [options]
   */
  async json(path, options) {
    return (await this.request(path, options)).json();
  }

  /** The ids of the workspace's pictures; none without a connection. */
  async ids() {
    /** @type {{ items?: { id: string }[] }} */
    const { items = [] } = await this.json("/items").catch(() => ({}));
    return new Set(items.map((item) => item.id));
  }

  /** @param {string} path */
  async bytes(path) {
    return new Uint8Array(await (await this.request(path)).arrayBuffer());
  }

  /** @param {string} path */
  async blob(path) {
    return (await this.request(path)).blob();
  }
}
