/** An answer in words and pictures, with the markup of the server's result page. */

import { element } from "./dom.js";
import { doubts } from "./doubts.js";
import { keepsake } from "./keepsake.js";
import { whole } from "./speech.js";

/** Width of the drawn scale in units of its own, and the photo's longest side. */
const [SCALE, PHOTO_PX] = [400, 720];
/** As lentigo.web.pictures.JPEG_QUALITY. */
const JPEG_QUALITY = 0.82;

/**
 * Shows an answer.
 *
 * @param {HTMLElement} target Emptied first.
 * @param {{prediction: object, hints: string[], attention: object, photo: ImageBitmap}} answer
 *     From Predictor.predict, with the upright photo.
 * @param {{info: object, words: object, scope: string, shelf: string}} about `scope` is what the
 *     visitor said of a dermatoscope: yes, no or empty; `shelf` is the address of the series.
 */
export function showResult(target, answer, { info, words, scope, shelf }) {
  const { text } = words;
  const told = { ...answer.prediction, scope: scope || null };
  target.replaceChildren(
    element("h2", { id: "result-title" }, text("result.title")),
    ...doubts(told).map((key) => element("p", { class: "alert" }, text(key))),
    ...warnings(answer, text),
    element(
      "div",
      { class: answer.prediction.familiarity?.unfamiliar ? "result doubtful" : "result" },
      picture(answer, info, text),
      answerCard(answer.prediction, info, words, scope),
      next(answer.prediction, text),
      keeping({ ...answer, told }, info, words, shelf),
      ...(answer.hints.length ? [] : [flawless(text)]),
      classes(answer.prediction, info, words),
    ),
  );
}

const card = (kind, ...children) => element("section", { class: `card ${kind}` }, ...children);

function answerCard(prediction, info, words, scope) {
  const { text, percent, className } = words;
  const top = info.taxonomy.classes.find(({ code }) => code === prediction.top);
  const share = percent(prediction.probability[prediction.top]);
  const parts = [
    element("p", { class: "eyebrow" }, text("result.top")),
    element("p", { class: "top-class" }, className(top)),
    element("p", { class: "top-share" }, text("result.probability", { percent: share })),
    ...malignant(prediction, info, words),
  ];
  if (!scope) parts.push(element("p", { class: "hint" }, text("result.unknown")));
  parts.push(element("p", { class: "hint" }, text("offline.answered")));
  return card("answer", ...parts);
}

function malignant(prediction, info, words) {
  const { text, percent } = words;
  const probability = prediction.malignant_probability;
  if (probability === null) return [];
  const share = percent(probability);
  const readings = prediction.operating_points.map((point) => {
    const values = {
      threshold: percent(point.threshold),
      share: percent(point.target_sensitivity),
      missed: percent(1 - point.target_sensitivity),
    };
    const sentence = text(point.above ? "result.above" : "result.below", values);
    return element("li", {}, sentence, measured(info, point, words));
  });
  const parts = [
    element("h3", {}, `${text("result.malignant")}: ${share}`),
    scale(probability, prediction.operating_points, words),
    element("ul", { class: "readings" }, ...readings),
  ];
  if (info.mixture) {
    const flags = info.taxonomy.classes.map((each) => Number(each.malignant));
    const before = info.mixture.reduce((sum, part, i) => sum + part * flags[i], 0);
    const sentence = text("result.mixture", { percent: percent(before) });
    parts.push(element("p", { class: "hint" }, sentence));
  }
  return parts;
}

/** What share of held-out malignant images reached an operating point, where it was measured. */
function measured(info, { name, above }, { text, percent }) {
  const figure = info.metrics?.[`sensitivity.malignant.${name}`];
  if (typeof figure?.low !== "number" || typeof figure.high !== "number") return "";
  const { value, low, high } = figure;
  const shares = above ? [value, low, high] : [1 - value, 1 - high, 1 - low];
  const [share, from, to] = shares.map(percent);
  const key = above ? "result.above.measured" : "result.below.measured";
  return ` ${text(key, { share, low: from, high: to })}`;
}

/** The malignant probability from 0 to 100%, with the operating points marked. */
function scale(probability, points, { text, percent, language }) {
  const thresholds = points.map(({ threshold }) => percent(threshold)).join(", ");
  const label = text("result.malignant.scale", { percent: percent(probability), thresholds });
  const bar = { x: 0, y: 20, height: 10, rx: 5 };
  const at = SCALE * probability;
  const marks = points.map(({ threshold }) => {
    const x = SCALE * threshold;
    return element("line", { class: "mark", x1: x, x2: x, y1: 15, y2: 35 });
  });
  return element(
    "svg",
    { class: "scale", viewBox: `-8 0 ${SCALE + 16} 44`, role: "img", "aria-label": label },
    element("rect", { class: "track", width: SCALE, ...bar }),
    element("rect", { class: "filled", width: at, ...bar }),
    ...marks,
    element("circle", { class: "here", cx: at, cy: 25, r: 7 }),
    element("text", { x: 0, y: 10 }, "0"),
    element("text", { x: SCALE, y: 10, "text-anchor": "end" }, whole(language)),
  );
}

function next(prediction, text) {
  const items = ["next.doctor", "next.diagnosis"].map((key) => element("li", {}, text(key)));
  if (prediction.operating_points.some(({ above }) => above)) {
    items.unshift(element("li", {}, element("strong", {}, text("next.above"))));
  }
  return card("next", element("h3", {}, text("next.title")), element("ul", {}, ...items));
}

/** What makes the answer doubtful, before it. */
function warnings({ prediction, hints }, text) {
  if (!hints.length) return [];
  const items = hints.map((key, i) =>
    element("li", {}, text(`warning.${key}`, {}, prediction.warnings[i])),
  );
  const title = element("strong", {}, text("result.quality"));
  return [element("div", { class: "alert warnings" }, title, element("ul", {}, ...items))];
}

function flawless(text) {
  const title = element("h3", {}, text("result.quality"));
  return card("", title, element("p", {}, text("result.quality.none")));
}

function classes({ probability }, info, { text, percent, className }) {
  const sorted = [...info.taxonomy.classes].sort(
    (a, b) => probability[b.code] - probability[a.code],
  );
  const rows = sorted.map((each) => {
    const value = probability[each.code];
    const name = [`${className(each)} `, element("span", { class: "code" }, each.code)];
    if (each.malignant) {
      name.push(" ", element("span", { class: "tag" }, text("result.malignant.mark")));
    }
    const bar = element(
      "svg",
      {
        class: each.malignant ? "bar malignant" : "bar",
        viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true",
      },
      element("rect", { class: "track", width: 100, height: 4 }),
      element("rect", { class: "filled", width: 100 * value, height: 4 }),
    );
    const head = element("th", { scope: "row" }, ...name, bar);
    return element("tr", {}, head, element("td", { class: "number" }, percent(value)));
  });
  const heads = element(
    "tr",
    {},
    element("th", { scope: "col" }, text("result.class")),
    element("th", { scope: "col", class: "number" }, text("result.share")),
  );
  const table = element("table", {}, element("thead", {}, heads), element("tbody", {}, ...rows));
  return card("classes", element("h3", {}, text("result.classes")), table);
}

function picture({ attention, prediction, photo }, info, text) {
  const [width, height] = shownSize(photo);
  const square = info.spec.crop === "center-square";
  const box = square
    ? { width: Math.min(width, height), height: Math.min(width, height) }
    : { width, height };
  Object.assign(box, { x: (width - box.width) >> 1, y: (height - box.height) >> 1 });
  const index = info.taxonomy.classes.findIndex(({ code }) => code === prediction.top);
  const map = element("image", {
    href: drawn(...warm(attention, index)), preserveAspectRatio: "none", opacity: 0.5, ...box,
  });
  const [width2, height2] = [box.width, box.height].map((side) => Math.max(0, side - 2));
  const seen = { x: box.x + 1, y: box.y + 1, width: width2, height: height2 };
  const framed = box.width !== width || box.height !== height;
  const shown = element(
    "svg",
    {
      class: "photo", viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
      "aria-label": text("result.photo"),
    },
    element("image", { href: portrait(photo, width, height), width, height }),
    map,
    ...(framed ? [element("rect", { class: "seen", ...seen })] : []),
  );
  const slider = element("input", { id: "strength", type: "range", min: 0, max: 100, value: 50 });
  slider.addEventListener("input", () => map.setAttribute("opacity", slider.value / 100));
  const label = element("label", { for: "strength" }, text("result.attention"));
  const means = info.attention === "feature-mean" ? "mean" : "hint";
  const keys = framed ? [means, "frame"] : [means];
  const sentences = keys.map((key) => text(`result.attention.${key}`));
  const hint = element("p", { class: "hint" }, sentences.join(" "));
  return card("picture", shown, element("p", { class: "slider" }, label, slider), hint);
}

/** The card that keeps an answer, in the form in which a server's page keeps it. */
function keeping({ told, hints, photo }, info, { text, className }, shelf) {
  const top = info.taxonomy.classes.find(({ code }) => code === told.top);
  const record = () => ({
    ...told,
    hints,
    photo: portrait(photo, ...shownSize(photo)),
    name: className(top),
    model: `${info.name} ${info.graph_sha256.slice(0, 12)}`,
  });
  return keepsake({ text, heading: "h3", shelf, record });
}

function shownSize({ width, height }) {
  const shrink = Math.min(1, PHOTO_PX / Math.max(width, height));
  return [width, height].map((side) => Math.round(side * shrink) || 1);
}

/** The photo over white as a small JPEG. */
function portrait(photo, width, height) {
  const draw = (context) => {
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.drawImage(photo, 0, 0, width, height);
  };
  return drawn(width, height, draw, "image/jpeg");
}

/** A picture as an address that belongs to the page alone. */
function drawn(width, height, draw, type = "image/png") {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  draw(canvas.getContext("2d"));
  return canvas.toDataURL(type, JPEG_QUALITY);
}

/** The attention map of a class: what is negative or small is clear, the rest yellow to red. */
function warm({ shape: [high, wide, classes], data }, index) {
  const values = Array.from({ length: high * wide }, (_, i) =>
    Math.max(0, data[i * classes + (classes === 1 ? 0 : index)]),
  );
  const highest = Math.max(...values, 1e-6);
  const smooth = 128;
  return [smooth, smooth, (context) => {
    const small = new OffscreenCanvas(wide, high);
    const pixels = new ImageData(wide, high);
    values.forEach((value, i) => {
      const share = value / highest;
      pixels.data.set([255, 220 - 190 * share, 20, 235 * share], 4 * i);
    });
    small.getContext("2d").putImageData(pixels, 0, 0);
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, smooth, smooth);
  }];
}
