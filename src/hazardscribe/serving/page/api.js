/** What the page asks of the server, and how its refusals are told apart. */

import { memory } from "./memory.js";
import { readEvents } from "./sse.js";
import { language, t } from "./words.js";

/** The server answered and refused. */
export class ApiError extends Error {
  constructor(status, error, { retryAfter = null, answer = null } = {}) {
    const said = error?.message || t("failed_plain", { status });
    // This one asks the person to pass the id on: only the server's log knows more.
    const internal = error?.code === "internal" && error.request_id;
    super(internal ? `${said} ${t("request_id", { id: internal })}` : said);
    this.status = status;
    this.code = error?.code ?? `http_${status}`;
    this.retryAfter = retryAfter;
    this.answer = answer;
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return this.status === 429 || this.status === 408 || this.status >= 500;
  }
}

/** No answer came: no network, server down (or a proxy says so), or silent for too long. */
export class Unreachable extends Error {
  constructor(words = t("unreachable")) {
    super(words);
    this.code = "unreachable";
  }
}

/**
 * The token that this page asks with. It is this page's own: another tab may sign somebody else in,
 * and what one person confirmed is not sent with the token of the next.
 */
let mine = memory.get("token");

/** Whether this page asks with a token. */
export const hasToken = () => Boolean(mine);

/** Whether another tab has signed out, or somebody else in, since this page was opened. */
export const changedHands = () => memory.get("token") !== mine;

/** From now on this page, and those opened later, ask with the token. */
export function keepToken(token) {
  mine = token;
  memory.set("token", token);
}

// Milliseconds without a byte. A description may take longer: its stream shows every 15 seconds that
// the server is still at work, and the server says when it gives up.
const PATIENCE = 120_000;
const EXPORT_PATIENCE = 900_000; // a file is written whole before its first byte comes
const SLOWEST = 5; // bytes per millisecond that an upload is given time for

function bodySize(body) {
  if (!(body instanceof FormData)) return 0;
  return [...body.values()].reduce((sum, part) => sum + (part.size ?? part.length), 0);
}

/** Aborts when nothing has come for a while; `touch` starts the wait anew. */
function patience(signal, size, first) {
  const controller = new AbortController();
  const giveUp = () => controller.abort(new Unreachable());
  let timer = setTimeout(giveUp, first + size / SLOWEST);
  const leave = () => controller.abort(signal.reason);
  signal?.addEventListener("abort", leave);
  if (signal?.aborted) leave();
  return {
    signal: controller.signal,
    touch() {
      clearTimeout(timer);
      timer = setTimeout(giveUp, PATIENCE);
    },
    end() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", leave);
    },
  };
}

/** What a proxy says in its own words while the server behind it is down or starting. */
const OF_PROXY = [502, 503, 504];

async function refusal(response) {
  let answer = null;
  try {
    answer = await response.json();
  } catch {
    // a proxy's own page, perhaps: the status says enough
  }
  if (!answer?.error && OF_PROXY.includes(response.status)) return new Unreachable(t("server_away"));
  const seconds = Number.parseFloat(response.headers.get("Retry-After"));
  const retryAfter = Number.isFinite(seconds) ? seconds : null;
  return new ApiError(response.status, answer?.error, { retryAfter, answer });
}

/**
 * One request; `read` makes the result of the response. Throws ApiError, Unreachable, or the
 * reason of `signal` (an AbortError in browsers before 2022).
 */
async function request(
  path,
  read,
  { method = "GET", body, headers = {}, signal, cache = "no-store", first = PATIENCE, token = mine } = {},
) {
  const wait = patience(signal, bodySize(body), first);
  try {
    const response = await fetch(path, {
      method,
      body,
      signal: wait.signal,
      cache,
      headers: {
        "Accept-Language": language(),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
    });
    wait.touch();
    if (!response.ok) {
      const error = await refusal(response);
      if (response.status === 401) window.dispatchEvent(new Event("unauthorised"));
      throw error;
    }
    return await read(response, wait.touch);
  } catch (error) {
    if (error instanceof ApiError || error instanceof Unreachable) throw error;
    if (signal?.aborted) throw error;
    throw new Unreachable();
  } finally {
    wait.end();
  }
}

const json = (response) => response.json();
const nothing = () => null;
const blob = (response) => response.blob();

function query(filters) {
  const kept = Object.entries(filters).filter(([, value]) => value);
  return kept.length ? `?${new URLSearchParams(kept)}` : "";
}

const at = (id) => encodeURIComponent(id);

/** Who asks; with another token than this page's, whose it is. */
export const session = (token = mine) => request("/v1/session", json, { token });

/**
 * Descriptions of photos (blobs). `onText(photo, text)` gets each photo's draft so far,
 * `onWaiting(position)` the place in the server's queue.
 */
export function describe(photos, { together, onText, onWaiting, signal }) {
  const body = new FormData();
  photos.forEach((photo, i) => body.append("photos", photo, `photo-${i + 1}`));
  body.append("together", String(together));
  body.append("alternatives", "3");
  const read = async (response, touch) => {
    const type = response.headers.get("Content-Type") ?? "";
    if (!type.startsWith("text/event-stream")) return response.json();
    for await (const event of readEvents(response.body, touch)) {
      if (event.event === "waiting") onWaiting?.(event.position);
      else if (event.event === "text") onText?.(event.photo, event.text);
      else if (event.event === "result") return event;
      else if (event.event === "error") {
        const retryAfter = event.retry_after ?? null;
        throw new ApiError(event.status ?? 503, event.error, { retryAfter });
      }
    }
    throw new Unreachable(); // the stream broke off before its result
  };
  return request("/v1/describe", read, {
    method: "POST",
    body,
    signal,
    headers: { Accept: "text/event-stream" },
  });
}

export const reject = (id) =>
  request(`/v1/descriptions/${at(id)}/reject`, nothing, { method: "POST" });

/** Puts a finding and its photos into the ledger; the same key never makes a second record. */
export function confirm(finding, photos, key) {
  const body = new FormData();
  body.append("finding", JSON.stringify(finding));
  photos.forEach((photo, i) => body.append("photos", photo, `photo-${i + 1}`));
  return request("/v1/findings", json, {
    method: "POST",
    body,
    headers: { "Idempotency-Key": key },
  });
}

export const findings = (filters, signal) =>
  request(`/v1/findings${query(filters)}`, json, { signal });
export const finding = (id) => request(`/v1/findings/${at(id)}`, json);
export const history = (id) => request(`/v1/findings/${at(id)}/history`, json);
export const remove = (id) => request(`/v1/findings/${at(id)}`, nothing, { method: "DELETE" });
export const change = (id, fields, version) =>
  request(`/v1/findings/${at(id)}`, json, {
    method: "PATCH",
    body: JSON.stringify(fields),
    headers: { "Content-Type": "application/json", "If-Match": `"${version}"` },
  });
export const dashboard = (weeks) => request(`/v1/dashboard${query({ weeks })}`, json);
export const photo = (id, size) =>
  request(`/v1/photos/${at(id)}?size=${size}`, blob, { cache: "default" });

/** The ledger as a file: its bytes and the name that the server gives it. */
export function exported(to, filters) {
  const read = async (response) => {
    const named = /filename="?([^";]+)/.exec(response.headers.get("Content-Disposition") ?? "");
    return {
      name: named?.[1] ?? (to === "xlsx" ? "ledger.xlsx" : "pairs.zip"),
      file: await response.blob(),
    };
  };
  return request(`/v1/export${query({ to, ...filters })}`, read, { first: EXPORT_PATIENCE });
}
