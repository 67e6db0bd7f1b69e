/** Small things this device remembers: token, language, last place. Never photos. */

const PREFIX = "hazardscribe.";
const lost = new Map(); // where the browser forbids localStorage: until the page closes

export const memory = {
  get(name) {
    try {
      return localStorage.getItem(PREFIX + name) ?? lost.get(name) ?? null;
    } catch {
      return lost.get(name) ?? null;
    }
  },
  set(name, value) {
    try {
      localStorage.setItem(PREFIX + name, value);
    } catch {
      lost.set(name, value);
    }
  },
  remove(name) {
    lost.delete(name);
    try {
      localStorage.removeItem(PREFIX + name);
    } catch {
      // nothing was kept there
    }
  },
  getJson(name) {
    try {
      return JSON.parse(this.get(name));
    } catch {
      return null;
    }
  },
};

const RECENT = 8;

/** What was last typed into a field, newest first. */
export function recent(name) {
  const values = memory.getJson(`recent.${name}`);
  return Array.isArray(values) ? values : [];
}

export function rememberRecent(name, value) {
  if (!value) return;
  const values = [value, ...recent(name).filter((other) => other !== value)].slice(0, RECENT);
  memory.set(`recent.${name}`, JSON.stringify(values));
}

/** 128 random bits. `crypto.randomUUID` is missing on plain HTTP, `getRandomValues` is not. */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
