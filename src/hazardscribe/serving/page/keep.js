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

class InMemory {
  durable = false;
  #stores = new Map(STORES.map((name) => [name, new Map()]));

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

class InDatabase {
  durable = true;
  #database;
  #spill = new InMemory(); // what the full disk refused

  constructor(database) {
    this.#database = database;
  }

  #objects(store, mode) {
    return this.#database.transaction(store, mode).objectStore(store);
  }
  async all(store) {
    const kept = await settled(this.#objects(store, "readonly").getAll());
    const newer = await this.#spill.all(store);
    return [...new Map([...kept, ...newer].map((value) => [value.id, value])).values()];
  }
  async ids(store) {
    const kept = await settled(this.#objects(store, "readonly").getAllKeys());
    return [...new Set([...kept, ...(await this.#spill.ids(store))])];
  }
  async get(store, id) {
    return (await this.#spill.get(store, id)) ?? settled(this.#objects(store, "readonly").get(id));
  }
  /** Whether it is on the disk; where that is full it is kept in memory. */
  async put(store, value) {
    try {
      const objects = this.#objects(store, "readwrite");
      await new Promise((resolve, refuse) => {
        objects.transaction.oncomplete = resolve;
        objects.transaction.onabort = () => refuse(objects.transaction.error);
        objects.put(value);
      });
      await this.#spill.remove(store, value.id);
      return true;
    } catch {
      await this.#spill.put(store, value);
      return false;
    }
  }
  async remove(store, id) {
    await this.#spill.remove(store, id);
    await settled(this.#objects(store, "readwrite").delete(id));
  }
}

export async function openKeep() {
  try {
    const database = await opened();
    // Asks the browser not to clear it under pressure; only there on HTTPS.
    navigator.storage?.persist?.().catch(() => {});
    return new InDatabase(database);
  } catch {
    return new InMemory();
  }
}
