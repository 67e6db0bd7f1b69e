/**
 * Opens the page where there is no network: browsers allow this on HTTPS only. Asks the server
 * first; what it keeps is one whole version of the page, never data of the ledger.
 */

// The server puts the files' names here, and one fingerprint of them all: when any file changes,
// so does this script, and the browser fetches the new version as a whole.
const VERSION = "{{version}}";
const FILES = ["{{files}}"];
const PATIENCE = 4000; // milliseconds that a slow network is waited for

self.addEventListener("install", (event) => {
  const fresh = FILES.map((path) => new Request(path, { cache: "reload" }));
  event.waitUntil(
    caches
      .open(VERSION)
      .then((cache) => cache.addAll(fresh))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const tidy = async () => {
    for (const name of await caches.keys()) if (name !== VERSION) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

async function answer(request) {
  const kept = await caches.match(request, { ignoreSearch: true });
  const asked = fetch(request);
  if (!kept) return asked;
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, kept));
  return Promise.race([
    asked.then(
      (response) => (response.status < 500 ? response : kept),
      () => kept,
    ),
    late,
  ]);
}

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const ours = url.origin === location.origin && FILES.includes(url.pathname);
  if (ours && event.request.method === "GET") event.respondWith(answer(event.request));
});
