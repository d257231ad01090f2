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
const { home, files, first, served } = LENTIGO;
/** The app's folder. A server lets the worker keep watch over the pages outside it, too. */
const folder = new URL("./", self.location);
const urlOf = (path) => new URL(path, folder);
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
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== folder.origin) return;
  const path = pathOf(url);
  if (request.mode === "navigate") {
    if (["", home].includes(path)) event.respondWith(keptOr(home, request));
    else if (served && path === null) event.respondWith(askServer(request));
  } else if (path in files) {
    event.respondWith(keptOr(path, request));
  }
});

self.addEventListener("message", (event) => {
  const [port] = event.ports;
  const keepAll = async () => {
    try {
      for (const path of event.data.keep) await keep(path);
      port.postMessage({ finished: true });
    } catch (error) {
      port.postMessage({ error: String(error?.message ?? error) });
    }
  };
  event.waitUntil(keepAll());
});

/** The name of one of the app's files; null outside the app's folder. */
function pathOf({ pathname }) {
  if (!pathname.startsWith(folder.pathname)) return null;
  return decodeURIComponent(pathname.slice(folder.pathname.length));
}

const keptOr = async (path, request) => (await kept(path)) ?? fetch(request);

/** A page of the server; where that is out of reach, the way to the app. */
async function askServer(request) {
  try {
    return await Promise.race([fetch(request), expired()]);
  } catch (error) {
    if (await kept(home)) return Response.redirect(folder, 302);
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
