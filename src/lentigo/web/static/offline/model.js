/** What the bundle says about itself. */

import { element } from "./dom.js";
import { number as written } from "./speech.js";

/** lentigo.taxonomy.INTENDED_USE and LIMITS, which the catalogue has in every language. */
const DEFAULTS = {
  "model.use":
    "Research and teaching about the classification of dermoscopic images. " +
    "Not a medical device; not for diagnosis, triage or reassurance.",
  "model.limits":
    "It has seen dermoscopic images of the training set's classes only. Other lesions, other " +
    "cameras, photos without a dermatoscope and skin tones that the training set lacks give " +
    "answers that mean nothing, with probabilities that look as sure as others.",
};

/** Shows use, limits, licence, digest, classes and figures of a model. */
export function showModel(target, { info, digestChecked }, words) {
  const { text } = words;
  const facts = {
    "model.use": stated("model.use", info.intended_use, text),
    "model.limits": stated("model.limits", info.limits, text),
    "model.license": [english(info.license)],
    "model.network": [english(info.network)],
    "model.stored": [text(`stored.${info.quantization}`, {}, info.quantization)],
    "model.digest": [info.graph_sha256],
  };
  const rows = Object.entries(facts).flatMap(([key, value]) => [
    element("dt", {}, text(key)),
    element("dd", { class: key === "model.digest" ? "digest" : "" }, ...value),
  ]);
  const parts = [element("p", { class: "small" }, text("model.intro")), element("dl", { class: "facts" }, ...rows)];
  if (!digestChecked) parts.push(element("p", { class: "small" }, text("offline.unchecked")));
  parts.push(element("h3", {}, text("model.classes")), classes(info, words));
  if (info.metrics) {
    const hint = element("p", { class: "hint" }, text("model.figures.hint"));
    parts.push(element("h3", {}, text("model.figures")), hint, figures(info, words));
  }
  target.replaceChildren(...parts);
}

const english = (words) => element("span", { lang: "en" }, words);

/** The counterpart of lentigo.web.strings.Words.stated. */
function stated(key, sentence, text) {
  if (!`${sentence} `.startsWith(`${DEFAULTS[key]} `)) return [english(sentence)];
  const own = sentence.slice(DEFAULTS[key].length).trim();
  return [text(`${key}.default`), ...(own ? [" ", english(own)] : [])];
}

/** A name that may be broken after its points and lines, as narrow pages need it. */
const breakable = (name) =>
  name.split(/(?<=[._])/).flatMap((part) => [part, element("wbr")]);

function classes({ taxonomy }, { text, className }) {
  const items = taxonomy.classes.map((each) => {
    const parts = [`${className(each)} `, element("span", { class: "code" }, each.code)];
    if (each.malignant) {
      parts.push(" ", element("span", { class: "tag" }, text("result.malignant.mark")));
    }
    return element("li", {}, ...parts);
  });
  return element("ul", {}, ...items);
}

function figures({ metrics }, { text, language }) {
  const number = (value, below) => {
    const range = below ? [" ", element("span", { class: "range" }, below)] : [];
    return [value, ...range];
  };
  const digits = (value) => (value === null ? "–" : written(value, language));
  const cell = (...parts) => element("td", { class: "number" }, ...parts);
  const rows = Object.entries(metrics).map(([name, each]) => {
    const known = each.low !== null && each.high !== null;
    const interval = known ? `${digits(each.low)}–${digits(each.high)}` : "";
    const plain = text(`metric.${name}`, {}, "");
    const called = plain ? [plain] : breakable(name);
    const head = element("th", { scope: "row", ...(plain ? {} : { lang: "en" }) }, ...called);
    const value = cell(...number(digits(each.value), interval));
    return element("tr", {}, head, value, cell(String(each.n_groups)));
  });
  const title = (...parts) => element("th", { scope: "col", class: "number" }, ...parts);
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, text("model.figure")),
    title(...number(text("model.value"), text("model.interval"))),
    title(text("model.groups")),
  );
  const parts = [element("thead", {}, head), element("tbody", {}, ...rows)];
  const table = element("table", { class: "figures" }, ...parts);
  const label = { role: "region", "aria-label": text("model.figures") };
  return element("div", { class: "wide", tabindex: "0", ...label }, table);
}
