/** What the bundle says about itself, in its own words. */

import { element } from "./dom.js";
import { number } from "./speech.js";

/** Shows use, limits, licence, digest, classes and figures of a model. */
export function showModel(target, { info, digestChecked }, words) {
  const { text } = words;
  const facts = {
    "model.use": info.intended_use,
    "model.limits": info.limits,
    "model.license": info.license,
    "model.network": info.network,
    "model.stored": info.quantization,
    "model.digest": info.graph_sha256,
  };
  const rows = Object.entries(facts).flatMap(([key, value]) => [
    element("dt", {}, text(key)),
    element("dd", { class: key === "model.digest" ? "digest" : "" }, value),
  ]);
  const parts = [element("p", { class: "small" }, text("model.intro")), element("dl", { class: "facts" }, ...rows)];
  if (!digestChecked) parts.push(element("p", { class: "small" }, text("offline.unchecked")));
  parts.push(element("h3", {}, text("model.classes")), classes(info, words));
  if (info.metrics) parts.push(element("h3", {}, text("model.figures")), figures(info, words));
  target.replaceChildren(...parts);
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
  const heads = ["model.figure", "model.value", "model.interval", "model.groups"];
  const cell = (value) => element("td", {}, value);
  const digits = (value) => (value === null ? "–" : number(value, language));
  const rows = Object.entries(metrics).map(([name, each]) => {
    const known = each.low !== null && each.high !== null;
    const interval = known ? `${digits(each.low)}–${digits(each.high)}` : "–";
    const plain = text(`metric.${name}`, {}, "");
    const called = plain ? [plain] : breakable(name);
    const cells = [digits(each.value), interval, String(each.n_groups)].map(cell);
    return element("tr", {}, element("th", { scope: "row" }, ...called), ...cells);
  });
  const head = element("tr", {}, ...heads.map((key) => element("th", { scope: "col" }, text(key))));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  return element("div", { class: "wide", tabindex: "0" }, table);
}
