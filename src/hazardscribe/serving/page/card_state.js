/** A card of the queue: one finding-to-be, its photos, what the model said, what the person wrote. */

import { randomKey } from "./memory.js";
import { isoDay } from "./words.js";

/** What the server says of a photo that it can never use, for a description or in the ledger. */
const UNUSABLE = ["format", "not_an_image", "too_large", "too_small", "aspect", "damaged", "missing"];

export const isUnusable = (code) => UNUSABLE.includes(code);

/** Fields that a person fills in; the rest of a card is the page's own account. */
export const FIELDS = ["text", "place", "category", "level", "measure", "responsible", "due"];

export function newCard(number, photos, place) {
  return {
    id: randomKey(),
    number,
    photos,
    task: "describe", // what is to be done for it: describe, confirm, reject or nothing
    attempts: 0,
    retryAt: 0,
    why: null, // {code, message} of the last try that did not succeed
    unusable: [], // ids of photos that the server cannot read: they stay here
    text: "",
    touched: false, // whether the text is the person's: the model then never overwrites it
    streamed: "",
    position: null,
    said: null,
    place,
    category: "",
    level: "一般",
    measure: "",
    responsible: "",
    due: "",
    found_on: isoDay(),
    key: null,
    by: null, // who confirmed it
    finding: null,
  };
}

/** Texts of one finding as one, as the server joins them: by the language that the model writes. */
export const joinTexts = (texts, language) => texts.join(language === "en" ? "; " : "；");

/** What people see of it: waiting, describing, ready, failed, offline, sending or confirmed. */
export function stateOf(card) {
  if (card.finding) return "confirmed";
  if (card.why && !card.task) return "failed";
  if (card.task && card.why?.code === "unreachable") return "offline";
  if (card.task === "confirm") return "sending";
  if (card.task === "describe") return card.running ? "describing" : "waiting";
  return "ready";
}

/** A card whose photos are to be described anew, the person's own words kept. */
export function toDescribe(card) {
  const own = card.touched ? card.text : "";
  Object.assign(card, { task: "describe", attempts: 0, retryAt: 0, why: null, said: null });
  Object.assign(card, { streamed: "", position: null, text: own, unusable: [] });
}

/** The photos of a card that can go into the ledger; older cards know of none that cannot. */
export const usablePhotos = (card) =>
  card.photos.filter((id) => !(card.unusable ?? []).includes(id));

/**
 * Take in the server's answer. A text in doubt is not filled in: an inspector would file
 * "cannot judge" as a finding. Where the answer differs from the streamed draft, `replaced` keeps
 * the draft for the person to see. `sent` are the ids of the photos that were described, in order;
 * `language` is the model's.
 */
export function takeIn(card, answer, sent, language) {
  const sayings = answer.descriptions;
  const good = sayings.filter((saying) => saying.id && !saying.problem);
  const problems = sayings
    .filter((saying) => saying.problem)
    .map((saying) => ({ photo: saying.photo + 1, ...saying.problem }));
  card.unusable = problems.map((problem) => sent[problem.photo - 1]);
  Object.assign(card, { task: null, attempts: 0, why: null, position: null });
  if (!good.length) {
    card.why = { code: problems[0]?.code ?? "problem", message: problems[0]?.message ?? "" };
    card.said = null;
    return;
  }
  const joined = sayings.length > 1;
  const text = joined ? (answer.findings[0]?.text ?? "") : good[0].text;
  const certain = good.filter((saying) => !saying.doubt);
  const doubt = certain.length ? null : good[0].doubt;
  const drafts = good.map((saying) => saying.draft || saying.text);
  const others = good.flatMap((saying) => saying.alternatives);
  const confidences = (certain.length ? certain : good)
    .map((saying) => saying.confidence)
    .filter((value) => value !== null && value !== undefined);
  card.said = {
    ids: good.map((saying) => saying.id),
    text,
    draft: joined ? card.streamed || joinTexts(drafts, language) : drafts[0],
    replaced: card.streamed && card.streamed !== text && !joined ? card.streamed : null,
    alternatives: [...new Set(joined ? [...drafts, ...others] : others)].filter(
      (one) => one !== text,
    ),
    confidence: confidences.length ? Math.min(...confidences) : null,
    doubt,
    suggestions: joined ? (answer.findings[0]?.suggestions ?? []) : good[0].suggestions,
    similar: good.flatMap((saying) => saying.similar).slice(0, 3),
    model: answer.model,
    problems,
  };
  if (!card.touched) card.text = doubt ? "" : text;
}

/** What is sent when the person confirms. */
export function findingOf(card) {
  return {
    text: card.text.trim(),
    description_ids: card.said?.ids ?? [],
    place: card.place.trim(),
    category: card.category.trim(),
    level: card.level,
    measure: card.measure.trim(),
    responsible: card.responsible.trim(),
    due: card.due || null,
    found_on: card.found_on,
  };
}
