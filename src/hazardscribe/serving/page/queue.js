/**
 * The inspector's queue: every photo from the shutter to the ledger. It outlives reloads, works on
 * while the inspector walks on, tries again when the network comes back, and sends nothing to the
 * ledger that no person has confirmed.
 *
 * Events: `change` with the card as detail, `gone` with its id, `alarm` with a key of words.
 */

import * as api from "./api.js";
import {
  findingOf,
  FIELDS,
  isUnusable,
  joinTexts,
  newCard,
  stateOf,
  takeIn,
  toDescribe,
  usablePhotos,
} from "./card_state.js";
import { memory, randomKey, rememberRecent } from "./memory.js";
import { t } from "./words.js";

const AT_ONCE = { describe: 2, confirm: 1, reject: 1 };
const FIRST_WAIT = 2; // seconds
const LONGEST_WAIT = 60;
const DONE_KEPT = 50; // confirmed cards, and for how long in milliseconds
const DONE_FOR = 7 * 24 * 3600 * 1000;
const TRIES = 6; // of a description that the server refuses; a confirmed finding is never given up
const SAVE_AFTER = 300; // milliseconds of quiet while a person types

class Left extends Error {}

export class Queue extends EventTarget {
  #shelf;
  #cards = new Map();
  #running = new Map(); // card id: AbortController
  #dirty = new Map(); // card id: timer
  #timer;
  #active = false;
  #tasks;
  who = null; // the name of the person at this device
  language = "zh"; // that the model writes
  limits = { max_photos: 20, max_photo_bytes: Infinity };

  constructor(shelf) {
    super();
    this.#shelf = shelf;
    // Not where it is declared: Safari 15 loses the names in a field's parentheses (webkit.org/b/236843).
    this.#tasks = {
      describe: (card, signal) => this.#describe(card, signal),
      confirm: (card) => this.#send(card),
      reject: (card) => this.#reject(card),
    };
  }

  get durable() {
    return this.#shelf.durable;
  }

  /** Newest first, without those that are only waiting to be rejected. */
  get cards() {
    return [...this.#cards.values()]
      .filter((card) => card.task !== "reject")
      .sort((a, b) => b.number - a.number);
  }

  card(id) {
    return this.#cards.get(id);
  }

  get unconfirmed() {
    return this.cards.filter((card) => !card.finding).length;
  }

  get offline() {
    return [...this.#cards.values()].some((card) => stateOf(card) === "offline");
  }

  /** Whether this tab works on the queue, and so may change it. */
  get active() {
    return this.#active;
  }

  /** Whether a card may still be changed: one on its way is as the person confirmed it. */
  isOpen(id) {
    const card = this.#cards.get(id);
    return Boolean(card) && !card.finding && card.task !== "confirm";
  }

  /** Read what this device keeps, and work on it. */
  async start() {
    // A finding on its way keeps its card, which learns that it arrived and is not sent again.
    const before = new Map(this.#cards);
    for (const id of before.keys()) if (!this.#running.has(id)) this.#cards.delete(id);
    this.#active = true;
    this.dispatchEvent(new Event("turn"));
    for (const card of await this.#read([...before.values()])) {
      // A photo may have been quicker than the database.
      if (!this.#cards.has(card.id)) this.#cards.set(card.id, card);
    }
    // What another tab has thrown away meanwhile.
    for (const id of before.keys()) if (!this.#cards.has(id)) this.#gone(id);
    await this.#takeStrays();
    await this.#clearOld();
    for (const card of this.#cards.values()) this.#tell(card);
    this.#pump();
  }

  /** Another tab works on it from now on. */
  stop() {
    this.flush();
    this.#active = false;
    this.dispatchEvent(new Event("turn"));
    clearTimeout(this.#timer);
    for (const controller of this.#running.values()) controller.abort(new Left());
  }

  /** Try at once whatever waits for a network or a token; a busy server is not pressed. */
  hurry() {
    for (const card of this.#cards.values()) if (!card.why?.busy) card.retryAt = 0;
    this.#pump();
  }

  /**
   * Photos from the camera, the album, a drop or a paste: each a card, or all into one card. Gives
   * how many there are; of those that cannot be read, the alarm tells.
   */
  async add(files, into = null) {
    let added = 0;
    const kept = [];
    for (const file of files) {
      let photo;
      try {
        photo = await this.#shelf.addPhoto(file, this.limits.max_photo_bytes);
      } catch {
        this.#alarm("problem_missing"); // taken away meanwhile, or a folder
        continue;
      }
      added += 1;
      if (!photo.kept && this.durable) this.#alarm("storage_full");
      if (into === null) await this.#insert([photo.id]);
      else kept.push(photo.id);
    }
    if (kept.length && this.isOpen(into)) {
      const card = this.#cards.get(into);
      card.photos.push(...kept);
      await this.#describeAnew(card);
    } else {
      // It was confirmed meanwhile, or is gone.
      for (const id of kept) await this.#insert([id]);
    }
    this.#pump();
    return added;
  }

  /** Several cards become one finding; what the person wrote in them is kept, one below the other. */
  async join(ids) {
    const open = ids.filter((id) => this.isOpen(id)).map((id) => this.#cards.get(id));
    const cards = open.sort((a, b) => a.number - b.number);
    const [first, ...others] = cards;
    if (!others.length) return first;
    const texts = cards
      .filter((card) => card.touched && card.text.trim())
      .map((card) => card.text.trim());
    if (texts.length) Object.assign(first, { text: joinTexts(texts, this.language), touched: true });
    for (const other of others) {
      for (const field of FIELDS) if (!first[field]) first[field] = other[field];
      if (other.level === "重大") first.level = "重大";
      first.photos.push(...other.photos);
    }
    await this.#describeAnew(first);
    for (const other of others) await this.#drop(other);
    this.#pump();
    return first;
  }

  /** The photos of a finding become cards of their own again. */
  async split(id) {
    if (!this.isOpen(id)) return;
    const card = this.#cards.get(id);
    const rest = card.photos.splice(1);
    for (const photo of rest) await this.#insert([photo], card.place);
    await this.#describeAnew(card);
    this.#pump();
  }

  /** What a person typed or chose. Kept on the device a moment later, and at once by `flush`. */
  edit(id, fields) {
    if (!this.isOpen(id)) return;
    const card = this.#cards.get(id);
    Object.assign(card, fields);
    if ("text" in fields) card.touched = true;
    clearTimeout(this.#dirty.get(id));
    this.#dirty.set(
      id,
      setTimeout(() => this.#save(card), SAVE_AFTER),
    );
  }

  /** Keep at once what was just typed: the page is being left. */
  flush() {
    const cards = [...this.#dirty.keys()].map((id) => this.#cards.get(id)).filter(Boolean);
    this.#shelf.jot(cards);
    for (const card of cards) this.#save(card);
  }

  async confirm(id) {
    if (!this.#active || !this.isOpen(id)) return;
    const card = this.#cards.get(id);
    this.#leave(id); // a description that is still on its way is not waited for
    Object.assign(card, { task: "confirm", attempts: 0, retryAt: 0, why: null });
    Object.assign(card, { key: randomKey(), by: this.who });
    memory.set("place", card.place.trim());
    rememberRecent("place", card.place.trim());
    rememberRecent("responsible", card.responsible.trim());
    this.#shelf.jot([card]);
    await this.#save(card);
    this.#pump();
  }

  /** Thrown away: gone from this device, and the model's saying counts as rejected. */
  async discard(id) {
    const card = this.#cards.get(id);
    if (!card) return; // another tab was quicker
    this.#leave(id);
    // The card stays until its photos are gone, and names them: those that no card holds would come
    // back as new cards, were the page closed in between.
    Object.assign(card, { task: "reject", attempts: 0, retryAt: 0, why: null });
    this.#shelf.jot([card]);
    await this.#save(card);
    for (const photo of card.photos) await this.#shelf.forget(photo);
    this.#gone(id);
    this.#pump();
  }

  retry(id) {
    const card = this.#cards.get(id);
    if (!card) return;
    if (card.task) {
      card.retryAt = 0;
    } else if (card.key) {
      Object.assign(card, { task: "confirm", attempts: 0, retryAt: 0, why: null });
    } else {
      toDescribe(card);
    }
    this.#tell(card);
    this.#pump();
  }

  async clearDone() {
    for (const card of this.cards) if (card.finding) await this.#drop(card);
  }

  /** What is in the ledger need not stay here for ever; the newest tell what was done today. */
  async #clearOld() {
    const done = this.cards.filter((card) => card.finding);
    for (const [place, card] of done.entries()) {
      const age = Date.now() - (card.finding.at ?? Date.now());
      if (place >= DONE_KEPT || age > DONE_FOR) await this.#drop(card);
    }
  }

  /** URL of a photo's small picture; null where the browser cannot show it. */
  thumbUrl(photoId) {
    return this.#shelf.thumbUrl(photoId);
  }

  /** The photo as it is sent; null once it is in the ledger. */
  photo(photoId) {
    return this.#shelf.photo(photoId);
  }

  // ---- within ----

  /** What this device keeps; where it cannot be read, what was known of it. */
  async #read(known) {
    try {
      return await this.#shelf.cards();
    } catch {
      return known;
    }
  }

  /** Photos that no card holds get one. */
  async #takeStrays() {
    try {
      for (const id of await this.#shelf.strays([...this.#cards.values()])) {
        if (await this.#shelf.photo(id)) await this.#insert([id]);
        else await this.#shelf.forget(id);
      }
    } catch {
      // they cannot be read now, and are found at the next visit
    }
  }

  async #insert(photos, place = memory.get("place") ?? "") {
    const number = 1 + Math.max(0, Number(memory.get("last")) || 0);
    memory.set("last", String(number));
    const card = newCard(number, photos, place);
    this.#cards.set(card.id, card);
    await this.#save(card);
  }

  async #describeAnew(card) {
    this.#leave(card.id);
    toDescribe(card);
    card.key = null;
    await this.#save(card);
  }

  #tell(card) {
    this.dispatchEvent(new CustomEvent("change", { detail: card }));
  }
  #gone(id) {
    this.dispatchEvent(new CustomEvent("gone", { detail: id }));
  }
  #alarm(key) {
    this.dispatchEvent(new CustomEvent("alarm", { detail: key }));
  }

  async #save(card) {
    clearTimeout(this.#dirty.get(card.id));
    this.#dirty.delete(card.id);
    this.#tell(card);
    if (!this.#active && !card.finding) return; // another tab has it now, and knows it better
    if (!(await this.#shelf.save(card)) && this.durable) this.#alarm("storage_full");
  }

  async #drop(card) {
    this.#leave(card.id);
    clearTimeout(this.#dirty.get(card.id));
    this.#dirty.delete(card.id);
    this.#cards.delete(card.id);
    await this.#shelf.drop(card.id);
    const still = new Set([...this.#cards.values()].flatMap((other) => other.photos));
    for (const photo of card.photos) if (!still.has(photo)) await this.#shelf.forget(photo);
    this.#gone(card.id);
  }

  #leave(id) {
    this.#running.get(id)?.abort(new Left());
    this.#running.delete(id);
    const card = this.#cards.get(id);
    if (card) card.running = false;
  }

  /** Start what may start now, and wake up when the next may. */
  #pump() {
    if (!this.#active) return;
    clearTimeout(this.#timer);
    const now = Date.now();
    const busy = { describe: 0, confirm: 0, reject: 0 };
    for (const id of this.#running.keys()) busy[this.#cards.get(id).task] += 1;
    const due = [...this.#cards.values()]
      .filter((card) => card.task && !this.#running.has(card.id) && !this.#held(card))
      .sort((a, b) => a.number - b.number);
    for (const card of due) {
      if (card.retryAt <= now && busy[card.task] < AT_ONCE[card.task]) {
        busy[card.task] += 1;
        this.#work(card);
      }
    }
    const next = Math.min(...due.map((card) => card.retryAt).filter((at) => at > now));
    if (Number.isFinite(next)) this.#timer = setTimeout(() => this.#pump(), next - now);
  }

  /** What one person confirmed does not enter the ledger under the name of the next. */
  #held(card) {
    const held = card.task === "confirm" && card.by && card.by !== this.who;
    if (held && card.why?.code !== "held") {
      card.why = { code: "held", message: t("held", { name: card.by }) };
      this.#tell(card);
    }
    return held;
  }

  async #work(card) {
    const controller = new AbortController();
    this.#running.set(card.id, controller);
    card.running = true;
    this.#tell(card);
    try {
      await this.#tasks[card.task](card, controller.signal);
    } catch (error) {
      // Browsers before 2022 abort with an error of their own.
      const left = error instanceof Left || error.name === "AbortError";
      if (left || this.#running.get(card.id) !== controller) return;
      this.#postpone(card, error);
    } finally {
      if (this.#running.get(card.id) === controller) {
        this.#running.delete(card.id);
        card.running = false;
        if (this.#active && this.#cards.has(card.id)) await this.#save(card);
      }
      this.#pump();
    }
  }

  #postpone(card, error) {
    card.attempts += 1;
    card.why = {
      code: error.code ?? "unexpected",
      message: error.message,
      busy: error.status === 429,
    };
    if (card.task === "describe" && !card.touched) card.text = ""; // half a draft is no text
    // Where only time, a network or a token is missing, there is no end to trying.
    const lasting =
      error instanceof api.Unreachable ||
      [401, 429].includes(error.status) ||
      error.code === "no_tokens"; // its administrator has started the server without any
    const again = lasting || (error.passing && (card.task !== "describe" || card.attempts < TRIES));
    if (!again) {
      // Refused for good: the person decides. A rejection that the server does not know is done.
      if (card.task === "reject") return this.#drop(card);
      const photos = isUnusable(error.code);
      if (photos && card.task === "confirm") {
        // Confirmed before it was described: that tells which of the photos cannot be read.
        card.touched = true;
        toDescribe(card);
        card.key = null;
        return;
      }
      card.task = null;
      // A description is refused for its photos only where none of them can be read.
      if (photos) card.unusable = [...card.photos];
      return;
    }
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(card.attempts - 1, 6));
    const spread = wait * (0.75 + Math.random() / 2); // many phones come back at the same moment
    card.retryAt = Date.now() + 1000 * Math.max(spread, error.retryAfter ?? 0);
  }

  /** Those of the photos that are still here: `[id, blob]`. */
  async #blobs(ids) {
    const blobs = await Promise.all(ids.map(async (id) => [id, await this.photo(id)]));
    return blobs.filter(([, blob]) => blob);
  }

  async #describe(card, signal) {
    const drafts = [];
    const came = () => {
      card.why = null;
      card.position = null;
    };
    const sent = await this.#blobs(card.photos);
    const blobs = sent.map(([, blob]) => blob);
    const answer = await api.describe(blobs, {
      together: card.photos.length > 1,
      signal,
      onWaiting: (position) => {
        came();
        card.position = position;
        this.#tell(card);
      },
      onText: (photo, text) => {
        came();
        drafts[photo] = text;
        card.streamed = joinTexts(drafts.filter(Boolean), this.language);
        if (!card.touched) card.text = card.streamed;
        this.#tell(card);
      },
    });
    takeIn(
      card,
      answer,
      sent.map(([id]) => id),
      this.language,
    );
  }

  async #send(card) {
    const sent = await this.#blobs(usablePhotos(card));
    const blobs = sent.map(([, blob]) => blob);
    if (card.by && card.by !== this.who) throw new Left(); // signed in while the photos were read
    const finding = await api.confirm(findingOf(card), blobs, card.key);
    Object.assign(card, {
      task: null,
      why: null,
      finding: { id: finding.id, number: finding.number, at: Date.now() },
    });
    card.text = finding.text;
    // First that it is in the ledger, then that its photos need not be kept: never the other way.
    await this.#save(card);
    for (const [id] of sent) await this.#shelf.lighten(id);
  }

  /** The server counts a rejection once, however often it comes. */
  async #reject(card) {
    for (const photo of card.photos) await this.#shelf.forget(photo);
    // Who agrees that there is nothing to see has not rejected what the model said.
    const ids = card.said?.doubt === "likely_safe" ? [] : (card.said?.ids ?? []);
    for (const id of ids) await api.reject(id);
    await this.#drop(card);
  }
}
