/** The page's words, from the one catalogue, one small file a language. */

const LANGUAGES = ["en", "es", "id", "tr"];
/** How a percentage is written; the counterpart of lentigo.web.strings.Words.percent. */
const PERCENT = { en: "{n}%", es: "{n} %", id: "{n}%", tr: "%{n}" };

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
  const text = (key, values = {}, otherwise = key) =>
    (words[key] ?? otherwise).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  const className = ({ code, name }) => text(`class.${code.toLowerCase()}`, {}, name);
  return { language, text, className, percent: (share) => percent(share, language) };
}

/** A share as people write it; what rounds to 0 or 100 is bounded, since it is neither. */
function percent(share, language) {
  const bounded = Math.min(Math.max(100 * share, 0.1), 99.9);
  const sign = { [-1]: "<", 0: "", 1: ">" }[Math.sign(100 * share - bounded)];
  const digits = bounded.toFixed(1).replace(".", language === "en" ? "." : ",");
  return sign + PERCENT[language].replace("{n}", digits);
}

/** The end of a scale. */
export const whole = (language) => PERCENT[language].replace("{n}", "100").replace(" ", "\u00a0");

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
