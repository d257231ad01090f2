/**
 * The offline app: photo in, answer out, all on this device.
 *
 * What is imported here makes the page work; LiteRT.js, the model and the modules that use them
 * or show what they found are fetched afterwards.
 */

import { keepForLater } from "./keeping.js";
import { offerPreview } from "./preview.js";
import { fill, loadWords, preferred } from "./words.js";

const LANGUAGE_KEY = "lentigo.language";
/** The view of the series. */
const SHELF = "#shelf";
const at = (id) => document.getElementById(id);

const app = {
  words: null, predictor: null, show: null, showModel: null, answer: null, shelf: null,
  /** How things stand, and what is said of the newest photo instead. */
  state: ["offline.loading"], news: null,
  /** What the visitor asked for last; what arrives for an earlier wish is dropped. */
  language: null, file: null,
};

/** The visitor's language of before; browsers may forbid remembering it. */
function remembered(language) {
  try {
    if (language) localStorage.setItem(LANGUAGE_KEY, language);
    return localStorage.getItem(LANGUAGE_KEY);
  } catch {
    return null;
  }
}

/** Says of a link that it leads where the visitor is. */
function mark(link, here) {
  if (here) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
}

async function speak(language) {
  app.language = language;
  const words = await loadWords(language);
  if (app.language !== language) return;
  app.words = words;
  document.documentElement.lang = language;
  fill(document, app.words.text);
  for (const link of document.querySelectorAll(".languages a")) {
    mark(link, link.lang === language);
  }
  say();
  document.body.classList.remove("speechless");
  if (app.predictor) app.showModel(at("model"), app.predictor.bundle, app.words);
  if (app.answer) present();
  if (location.hash === SHELF) showShelf();
}

function stand(...state) {
  app.state = state;
  say();
}

function report(...news) {
  app.news = news.length ? news : null;
  say();
}

/** Says how things stand; a value that is a key of the catalogue, or one with its own values, is
 * translated too. */
function say() {
  const [key, values = {}, trouble = false] = app.news ?? app.state;
  const { text } = app.words;
  const translated = Object.entries(values).map(([name, value]) => [name, text(...[value].flat())]);
  at("state").textContent = text(key, Object.fromEntries(translated));
  at("state").classList.toggle("trouble", trouble);
}

/** Fetches the model and what runs it; a photo chosen meanwhile waits for it. */
async function load() {
  const [{ Predictor }, { showResult }, { showModel }] = await Promise.all([
    import("./predict.js"),
    import("./result.js"),
    import("./model.js"),
  ]);
  Object.assign(app, { show: showResult, showModel });
  const response = await fetch("model.tflite");
  if (!response.ok) throw new Error(`model.tflite: ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  app.predictor = await Predictor.load(bytes, new URL("litert/", document.baseURI).href);
  app.showModel(at("model"), app.predictor.bundle, app.words);
  return app.predictor;
}

async function keep() {
  try {
    await keepForLater(document.documentElement.dataset.scope ?? "./");
    stand("offline.kept");
  } catch (error) {
    stand("offline.not_kept", { reason: error.message }, true);
  }
}

async function answer(file) {
  app.file = file;
  // What is shown would be taken for the answer about this photo.
  forget();
  report("home.busy");
  try {
    const predictor = await loading;
    const found = await predictor.predict(new Uint8Array(await file.arrayBuffer()), file.name);
    const photo = await createImageBitmap(file);
    if (app.file !== file) return photo.close();
    app.answer = { ...found, photo };
    report();
    present();
    at("result").focus();
  } catch (error) {
    if (app.file !== file) return;
    report(...refusal(file.name, error), true);
  }
}

/** Why a photo was not answered; what browsers themselves report is English. */
function refusal(name, { key, values, message }) {
  if (!key) return ["offline.problem", { name, reason: ["reason.inside", { detail: message }] }];
  const advised = key !== "reason.pixels";
  return [advised ? "offline.not_image" : "offline.problem", { name, reason: [key, values] }];
}

function forget() {
  at("result").hidden = true;
  at("result").replaceChildren();
  app.answer?.photo.close();
  app.answer = null;
}

function present() {
  const scope = new FormData(at("hand-in")).get("scope") ?? "";
  const about = { info: app.predictor.info, words: app.words, scope, shelf: SHELF };
  const typed = at("series-name")?.value ?? "";
  app.show(at("result"), app.answer, about);
  at("series-name").value = typed;
  at("result").hidden = false;
}

/** One of the page's two views; any other fragment, such as that of the skip link, is a place. */
function turnTo(hash) {
  if (!["", "#photo-view", SHELF].includes(hash)) return;
  const shelf = hash === SHELF;
  at("photo-view").hidden = shelf;
  at("shelf").hidden = !shelf;
  for (const link of document.querySelectorAll(".top nav a")) {
    mark(link, (link.hash === SHELF) === shelf);
  }
  if (!shelf) return;
  preview.stop();
  showShelf();
}

async function showShelf() {
  if (!app.shelf) {
    const { Shelf } = await import("./shelf.js");
    app.shelf ??= new Shelf(at("shelf"));
  }
  await app.shelf.show(app.words.text, app.words.language);
}

const preview = offerPreview(at("live"), { use: answer });
const asked = new URLSearchParams(location.search).get("lang");
await speak(preferred(asked, remembered()));
turnTo(location.hash);
addEventListener("hashchange", () => turnTo(location.hash));
const loading = load();
loading.then(keep, (error) => stand("offline.failed", { reason: error.message }, true));
loading.then(
  (predictor) => (window.requestIdleCallback ?? setTimeout)(() => predictor.accelerate()),
  () => {},
);

for (const link of document.querySelectorAll(".languages a")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    remembered(link.lang);
    speak(link.lang);
  });
}
for (const id of ["photo", "capture"]) {
  at(id).addEventListener("change", ({ target }) => {
    if (target.files.length) answer(target.files[0]);
    // One photo at a time: the last one chosen counts.
    for (const other of ["photo", "capture"]) if (other !== id) at(other).value = "";
  });
}
// Enter would send the form, and there is nobody to send it to.
at("hand-in").addEventListener("submit", (event) => event.preventDefault());
at("hand-in").addEventListener("change", ({ target }) => {
  if (target.name === "scope" && app.answer) present();
});
