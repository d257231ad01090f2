/** The page's words, from the one catalogue, one small file a language. */

import { percent, speaker } from "./speech.js";

const LANGUAGES = ["en", "es", "id", "tr"];

/** The first wish that is spoken here, else the first of the browser's languages, else English. */
export function preferred(...wishes) {
  const wanted = [...wishes, ...navigator.languages].map((each) => each?.slice(0, 2).toLowerCase());
  return wanted.find((each) => LANGUAGES.includes(each)) ?? "en";
}

/**
 * @param {string} language One of LANGUAGES.
 * @returns {Promise<{language: string, text: Function, percent: Function, className: Function}>}
 *     `text(key, values, otherwise)` is a sentence with its {name} filled in.
 */
export async function loadWords(language) {
  const words = await (await fetch(`words/${language}.json`)).json();
  const text = speaker(words);
  const className = ({ code, name }) => text(`class.${code.toLowerCase()}`, {}, name);
  return { language, text, className, percent: (share) => percent(share, language) };
}

/** Fills every element that names a key of the catalogue. */
export function fill(root, text) {
  const put = (attribute, set) => {
    for (const each of root.querySelectorAll(`[data-${attribute}]`)) {
      set(each, text(each.dataset[attribute]));
    }
  };
  put("text", (each, words) => each.replaceChildren(words));
  put("alt", (each, words) => each.setAttribute("alt", words));
  put("label", (each, words) => each.setAttribute("aria-label", words));
}
