/** Keeping an answer in a series of the visitor's own browser. */

import { element } from "./dom.js";
import { add, all } from "./store.js";

/**
 * A form that keeps an answer; hidden where this browser keeps nothing.
 *
 * @param {{text: Function, heading: string, shelf: string, record: Function}} about `heading` is
 *     h2 or h3; `shelf` is the address of the series; `record` gives what is kept, beside the
 *     name of its series and the time.
 */
export function keepsake({ text, heading, shelf, record }) {
  const names = element("datalist", { id: "names" });
  const input = element("input", {
    id: "series-name", name: "series", type: "text", maxlength: 60, list: "names", required: "",
    autocomplete: "off",
  });
  const button = element("button", { type: "submit" }, text("series.keep"));
  const done = element("span", { id: "kept", role: "status" });
  const form = element(
    "form",
    { id: "keep", class: "card" },
    element(heading, {}, text("nav.series")),
    element("p", {}, element("label", { for: "series-name" }, text("series.name")), input, names),
    element("p", { class: "hint" }, text("series.keep.hint")),
    element("p", { class: "actions" }, button, done),
  );
  all().then((photos) => {
    const known = [...new Set(photos.map(({ series }) => series))];
    names.replaceChildren(...known.map((value) => element("option", { value })));
  }).catch(() => { form.hidden = true; });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      await add({ ...record(), series: input.value.trim(), at: new Date().toISOString() });
      done.replaceChildren(text("series.kept"), " ", element("a", { href: shelf }, text("nav.series")));
    } catch (error) {
      button.disabled = false;
      done.replaceChildren(text("series.full", { reason: error?.message ?? error }));
    }
  });
  return form;
}
