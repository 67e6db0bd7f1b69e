/**
 * Cards and photos on this device. The order of writing is such that a page closed at any moment
 * loses no photo and nothing that a person said: at worst a photo is there twice.
 */

import { FIELDS } from "./card_state.js";
import { memory, randomKey } from "./memory.js";
import { packed, prepare, unpacked } from "./photos.js";
import { t } from "./words.js";

const JOTTED = "jotted";

/** The device has the photo, but the browser does not give it just now. */
class Withheld extends Error {
  constructor() {
    super(t("withheld"));
    this.code = "withheld";
  }
}

export class Shelf {
  #keep;
  #urls = new Map(); // photo id: object URL of its small picture

  constructor(keep) {
    this.#keep = keep;
  }

  get durable() {
    return this.#keep.durable;
  }

  // ---- cards ----

  /** All cards, with what was jotted down in the last moment of the page before. */
  async cards() {
    const jotted = memory.getJson(JOTTED) ?? {};
    const cards = [];
    for (const kept of await this.#keep.all("cards")) {
      const late = kept.finding ? null : jotted[kept.id];
      const card = { ...kept, ...late, running: false, retryAt: 0 };
      cards.push(card);
      if (late) await this.save(card);
    }
    memory.remove(JOTTED);
    return cards;
  }

  /** Whether the card is on the disk now. */
  async save(card) {
    const { running, ...lasting } = card;
    // What is in the ledger stays so, whatever an older tab believes.
    if (!card.finding && (await this.#kept(card.id))?.finding) return true;
    const done = await this.#keep.put("cards", lasting);
    if (done) this.#unjot(card.id);
    return done;
  }

  /** The card as it was kept last, if it can be read: what is to be saved is saved all the same. */
  async #kept(id) {
    try {
      return await this.#keep.get("cards", id);
    } catch {
      return null;
    }
  }

  async drop(id) {
    await this.#keep.remove("cards", id);
  }

  /**
   * Put down at once what the person said last. A page that is closed now may not live to see its
   * database write through; this is where writing is immediate, until `save` is done.
   */
  jot(cards) {
    if (!cards.length) return;
    const jotted = memory.getJson(JOTTED) ?? {};
    for (const card of cards) {
      const said = [...FIELDS, "touched", "task", "key", "by"].map((name) => [name, card[name]]);
      jotted[card.id] = Object.fromEntries(said);
    }
    memory.set(JOTTED, JSON.stringify(jotted));
  }

  #unjot(id) {
    const jotted = memory.getJson(JOTTED);
    if (!jotted?.[id]) return;
    delete jotted[id];
    if (Object.keys(jotted).length) memory.set(JOTTED, JSON.stringify(jotted));
    else memory.remove(JOTTED);
  }

  // ---- photos ----

  /** Takes a photo in; gives its id, and whether it is on the disk. Throws where it cannot be read. */
  async addPhoto(file, maxBytes) {
    const id = randomKey();
    const { blob, thumb } = await prepare(file, maxBytes);
    const photo = { id, name: file.name, blob: await packed(blob), thumb: await packed(thumb) };
    this.#keep.protect();
    return { id, kept: await this.#keep.put("photos", photo) };
  }

  /** The photo as it is sent; null once it is in the ledger. Throws where it cannot be read. */
  async photo(id) {
    return unpacked((await this.#record(id))?.blob);
  }

  /** Not taken for absent: a finding would be sent without its photo. */
  async #record(id) {
    try {
      return await this.#keep.get("photos", id);
    } catch {
      throw new Withheld();
    }
  }

  /** URL of the photo's small picture; null where the browser cannot show it. */
  async thumbUrl(id) {
    if (!this.#urls.has(id)) {
      try {
        const picture = unpacked((await this.#record(id))?.thumb);
        this.#urls.set(id, picture && URL.createObjectURL(picture));
      } catch {
        return null; // perhaps the next time
      }
    }
    return this.#urls.get(id);
  }

  /** The ledger has the photo: its small picture is enough here. */
  async lighten(id) {
    try {
      const photo = await this.#record(id);
      if (photo) await this.#keep.put("photos", { ...photo, blob: null });
    } catch {
      // then it stays whole, which only takes space
    }
  }

  async forget(id) {
    const url = this.#urls.get(id);
    if (url) URL.revokeObjectURL(url);
    this.#urls.delete(id);
    await this.#keep.remove("photos", id);
  }

  /** Ids of photos that no card holds: the page was closed between the two. */
  async strays(cards) {
    const held = new Set(cards.flatMap((card) => card.photos));
    return (await this.#keep.ids("photos")).filter((id) => !held.has(id));
  }
}
