/**
 * Keeps the app in the browser, so that it runs without a network.
 *
 * files.js, written with the app, names every file with its digest. A file is kept only if it has
 * its digest, under a key that holds the digest: a new version fetches what changed, and old and
 * new files never mix. Requests for anything else go to the network untouched.
 */

/* global LENTIGO */
importScripts("./files.js");

const CACHE = "lentigo";
/** A server that is out of reach may leave a request without any answer. */
const PATIENCE_MS = 5000;
const { home, files, first } = LENTIGO;
const scope = new URL(self.registration.scope);
const urlOf = (path) => new URL(path, scope);
const keyOf = (path) => new Request(`${urlOf(path)}?sha256=${files[path]}`);

self.addEventListener("install", (event) => {
  // The page first; LiteRT.js and the model follow when the page asks, once it works.
  // A newer version waits until the pages of the older one are closed.
  event.waitUntil(Promise.all(first.map(keep)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== scope.origin) return;
  if (event.request.mode === "navigate") {
    if (isHome(url)) event.respondWith(navigate(event.request));
    return;
  }
  const path = pathOf(url);
  if (path in files) event.respondWith(kept(path).then((found) => found ?? fetch(event.request)));
});

self.addEventListener("message", (event) => {
  const [port] = event.ports;
  const keepAll = async () => {
    try {
      for (const [done, path] of event.data.keep.entries()) {
        port.postMessage({ done, of: event.data.keep.length });
        await keep(path);
      }
      port.postMessage({ finished: true });
    } catch (error) {
      port.postMessage({ error: String(error?.message ?? error) });
    }
  };
  event.waitUntil(keepAll());
});

const pathOf = (url) => decodeURIComponent(url.pathname.slice(scope.pathname.length));
const isHome = (url) => ["", home].includes(pathOf(url));

/** A server's page is fetched while it answers; files of a plain web host come from here. */
async function navigate(request) {
  if (!LENTIGO.served) return (await kept(home)) ?? fetch(request);
  try {
    return await Promise.race([fetch(request), expired()]);
  } catch (error) {
    const found = await kept(home);
    if (found) return found;
    throw error;
  }
}

function expired() {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new TypeError("no answer")), PATIENCE_MS);
  });
}

async function kept(path) {
  return (await caches.open(CACHE)).match(keyOf(path));
}

async function keep(path) {
  const cache = await caches.open(CACHE);
  if (await cache.match(keyOf(path))) return;
  const response = await fetch(urlOf(path), { cache: "no-cache" });
  if (!response.ok) throw new Error(`${path}: the web host answered ${response.status}`);
  const bytes = await response.arrayBuffer();
  if ((await sha256(bytes)) !== files[path]) {
    throw new Error(`${path}: the web host gave another file than belongs to this version`);
  }
  const headers = new Headers(response.headers);
  // The bytes are unpacked by now.
  ["content-encoding", "content-length"].forEach((name) => headers.delete(name));
  await cache.put(keyOf(path), new Response(bytes, { headers }));
}

async function forgetOthers() {
  const cache = await caches.open(CACHE);
  const ours = new Set(Object.keys(files).map((path) => keyOf(path).url));
  const keys = await cache.keys();
  await Promise.all(keys.filter(({ url }) => !ours.has(url)).map((key) => cache.delete(key)));
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
