/** Photos of the same spot side by side, out of this browser's own store. */

import { element } from "./dom.js";
import { doubts } from "./doubts.js";
import { percent } from "./speech.js";
import { all, clear, remove } from "./store.js";

const PHOTO_PX = 220;

/** The series of this browser in a part of the page that has a place for each of its pieces. */
export class Shelf {
  /** @param {HTMLElement} place Holds elements with the `data-part` list, none, actions, ... */
  constructor(place) {
    this.place = place;
    this.part("export").addEventListener("click", () => this.hand());
    this.part("delete-all").addEventListener("click", () => this.drop(clear));
  }

  part(name) {
    return this.place.querySelector(`[data-part=${name}]`);
  }

  /**
   * Shows what is kept.
   *
   * @param {Function} text Says the sentences of the catalogue.
   * @param {string} language In which dates and percentages are written.
   */
  async show(text, language) {
    Object.assign(this, { text, language });
    const photos = await all().catch(() => []);
    const groups = grouped(photos);
    this.part("list").replaceChildren(...[...groups].map(([name, group]) => this.series(name, group)));
    this.part("none").hidden = photos.length > 0;
    this.part("actions").hidden = photos.length === 0;
  }

  series(name, group) {
    const figures = group.map((photo) => this.figure(photo));
    const drop = this.button("series.delete.series", name, () =>
      Promise.all(group.map(({ id }) => remove(id))),
    );
    return element(
      "section",
      { class: "card" },
      element("h2", {}, name),
      element("div", { class: "row", tabindex: 0, role: "group", "aria-label": name }, ...figures),
      drop,
    );
  }

  figure(photo) {
    const { text, language } = this;
    const style = { dateStyle: "medium", timeStyle: "short" };
    const when = new Intl.DateTimeFormat(language, style).format(new Date(photo.at));
    const image = element("img", {
      src: photo.photo, alt: `${text("series.photo")} ${when}`, width: PHOTO_PX, height: PHOTO_PX,
    });
    const share = percent(photo.probability[photo.top], language);
    // Kept in the language of that day; the class is named in that of today where it is known.
    const name = text(`class.${photo.top.toLowerCase()}`, {}, photo.name);
    const lines = [element("strong", {}, when), ...this.doubted(photo)];
    lines.push(element("span", {}, `${name}: ${share}`));
    if (photo.malignant_probability !== null) {
      const malignant = percent(photo.malignant_probability, language);
      lines.push(element("span", {}, `${text("result.malignant")}: ${malignant}`));
    }
    // Photos that were kept before their answer to the question was are among them.
    if (!["yes", "no"].includes(photo.scope)) {
      lines.push(element("span", { class: "hint" }, text("result.unknown")));
    }
    const drop = this.button("series.delete", when, () => remove(photo.id));
    return element("figure", {}, image, element("figcaption", {}, ...lines), drop);
  }

  /** Every doubt that the page of the answer told, before the figures as there. */
  doubted(photo) {
    const { text } = this;
    const said = doubts(photo).map((key) => element("p", {}, text(key)));
    for (const [i, sentence] of (photo.warnings ?? []).entries()) {
      const today = text(`warning.${photo.hints?.[i]}`, {}, "");
      // Older ones, and those of a newer page, have the library's English alone.
      said.push(element("p", today ? {} : { lang: "en" }, today || sentence));
    }
    return said.length ? [element("div", { class: "alert doubts" }, ...said)] : [];
  }

  button(key, what, action) {
    const label = this.text(key);
    const made = element("button", { type: "button", class: "small", "aria-label": `${label}: ${what}` }, label);
    made.addEventListener("click", () => this.drop(action));
    return made;
  }

  /** Deletes once the visitor has said so twice. */
  async drop(action) {
    if (!confirm(this.text("series.sure"))) return;
    await action();
    await this.show(this.text, this.language);
    document.getElementById("content").focus();
  }

  /** All that is kept as a file of the visitor's own. */
  async hand() {
    const content = JSON.stringify({ schema_version: 1, photos: await all() }, null, 1);
    const href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
    element("a", { href, download: "lentigo-series.json" }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
  }
}

/** Photos by series, the oldest first. */
function grouped(photos) {
  const groups = new Map();
  for (const photo of [...photos].sort((a, b) => a.at.localeCompare(b.at))) {
    groups.set(photo.series, [...(groups.get(photo.series) ?? []), photo]);
  }
  return groups;
}
