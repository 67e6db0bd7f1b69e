/** Where the queue lives between visits: IndexedDB, or memory where the browser forbids it. */

const NAME = "hazardscribe";
const STORES = ["cards", "photos"];

const settled = (request) =>
  new Promise((resolve, refuse) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => refuse(request.error);
  });

function opened() {
  return new Promise((resolve, refuse) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      for (const store of STORES) request.result.createObjectStore(store, { keyPath: "id" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => refuse(request.error);
  });
}

/** What fails where the browser has dropped the connection: under pressure, or in a phone asleep. */
const DROPPED = ["InvalidStateError", "UnknownError", "AbortError"];

class InMemory {
  durable = false;
  protect() {}
  #stores;

  constructor() {
    // Not where it is declared: Safari 15 loses the names in a field's parentheses (webkit.org/b/236843).
    this.#stores = new Map(STORES.map((name) => [name, new Map()]));
  }

  async all(store) {
    return [...this.#stores.get(store).values()];
  }
  async ids(store) {
    return [...this.#stores.get(store).keys()];
  }
  async get(store, id) {
    return this.#stores.get(store).get(id);
  }
  async put(store, value) {
    this.#stores.get(store).set(value.id, value);
    return true;
  }
  async remove(store, id) {
    this.#stores.get(store).delete(id);
  }
}

/** Reading throws where the database cannot be reached: what is there is not taken for absent. */
class InDatabase {
  durable = true;
  #database;
  #protected = false; // or asked for: once a visit
  #opening = null;
  #spill = new InMemory(); // what the full disk refused

  constructor(database) {
    this.#database = database;
  }

  /**
   * Asks the browser not to clear what is kept here under pressure; only there on HTTPS. Firefox
   * passes the question on to the person, who should by then have something to lose.
   */
  protect() {
    if (!this.#protected) navigator.storage?.persist?.().catch(() => {});
    this.#protected = true;
  }

  /** `act` on a store; once more on a new connection where the browser has dropped this one. */
  async #on(store, mode, act) {
    const objects = () => this.#database.transaction(store, mode).objectStore(store);
    try {
      return await act(objects());
    } catch (error) {
      if (!DROPPED.includes(error?.name)) throw error;
      this.#opening ??= opened().finally(() => (this.#opening = null));
      this.#database = await this.#opening;
      return await act(objects());
    }
  }
  async all(store) {
    const kept = await this.#on(store, "readonly", (objects) => settled(objects.getAll()));
    const newer = await this.#spill.all(store);
    return [...new Map([...kept, ...newer].map((value) => [value.id, value])).values()];
  }
  async ids(store) {
    const kept = await this.#on(store, "readonly", (objects) => settled(objects.getAllKeys()));
    return [...new Set([...kept, ...(await this.#spill.ids(store))])];
  }
  async get(store, id) {
    const newer = await this.#spill.get(store, id);
    return newer ?? this.#on(store, "readonly", (objects) => settled(objects.get(id)));
  }
  /** Whether it is on the disk; where that is full, or not to be reached, it is kept in memory. */
  async put(store, value) {
    try {
      const write = (objects) =>
        new Promise((resolve, refuse) => {
          objects.transaction.oncomplete = resolve;
          objects.transaction.onabort = () => refuse(objects.transaction.error);
          objects.put(value);
        });
      await this.#on(store, "readwrite", write);
      await this.#spill.remove(store, value.id);
      return true;
    } catch {
      await this.#spill.put(store, value);
      return false;
    }
  }
  async remove(store, id) {
    await this.#spill.remove(store, id);
    try {
      await this.#on(store, "readwrite", (objects) => settled(objects.delete(id)));
    } catch {
      // it comes back with the next visit, and can be thrown away then
    }
  }
}

export async function openKeep() {
  try {
    return new InDatabase(await opened());
  } catch {
    return new InMemory();
  }
}
