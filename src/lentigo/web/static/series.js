// Photos of the same spot side by side, out of this browser's own store.
import { all, clear, remove } from "./store.js";

const list = document.getElementById("series");
const words = list.dataset;
const date = new Intl.DateTimeFormat(words.language, { dateStyle: "medium", timeStyle: "short" });
const percent = new Intl.NumberFormat(words.language, { style: "percent", maximumFractionDigits: 1 });

function make(tag, { text, className, ...rest } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), rest);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function button(text, label, action) {
  const made = make("button", { type: "button", text });
  made.setAttribute("aria-label", label);
  made.addEventListener("click", async () => {
    if (!confirm(words.sure)) return;
    await action();
    await show();
    document.getElementById("content").focus();
  });
  return made;
}

function figure(photo) {
  const when = date.format(new Date(photo.at));
  const image = make("img", { src: photo.photo, alt: `${words.photo} ${when}`, width: 220, height: 220, loading: "lazy" });
  const lines = [make("strong", { text: when }), make("span", { text: `${photo.name}: ${percent.format(photo.probability[photo.top])}` })];
  if (photo.malignant_probability !== null) {
    lines.push(make("span", { text: `${words.malignant}: ${percent.format(photo.malignant_probability)}` }));
  }
  const caption = make("figcaption", {}, ...lines);
  return make("figure", {}, image, caption, button(words.delete, `${words.delete}: ${when}`, () => remove(photo.id)));
}

async function show() {
  const photos = await all();
  const groups = Map.groupBy ? Map.groupBy(photos, (each) => each.series) : grouped(photos);
  list.replaceChildren(...[...groups].map(([name, group]) => {
    group.sort((a, b) => a.at.localeCompare(b.at));
    const drop = button(words.deleteSeries, `${words.deleteSeries}: ${name}`, () => Promise.all(group.map((each) => remove(each.id))));
    return make("section", { className: "card" }, make("h2", { text: name }), make("div", { className: "row" }, ...group.map(figure)), drop);
  }));
  document.getElementById("none").hidden = photos.length > 0;
  document.getElementById("actions").hidden = photos.length === 0;
}

function grouped(photos) {
  const groups = new Map();
  for (const photo of photos) groups.set(photo.series, [...(groups.get(photo.series) ?? []), photo]);
  return groups;
}

document.getElementById("export").addEventListener("click", async () => {
  const content = JSON.stringify({ schema_version: 1, photos: await all() }, null, 1);
  const address = URL.createObjectURL(new Blob([content], { type: "application/json" }));
  make("a", { href: address, download: "lentigo-series.json" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
});
document.getElementById("delete-all").addEventListener("click", async () => {
  if (!confirm(words.sure)) return;
  await clear();
  await show();
});
show();
