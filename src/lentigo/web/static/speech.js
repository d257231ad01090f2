/** Sentences, figures and percentages in the visitor's language. */

/** How a percentage is written; the counterpart of lentigo.web.strings.Words.percent. */
const PERCENT = { en: "{n}%", es: "{n}\u00a0%", id: "{n}%", tr: "%{n}" };

/**
 * @param {Record<string, string>} words Sentences by key.
 * @returns {Function} `text(key, values, otherwise)`: a sentence with its {name} filled in.
 */
export const speaker = (words) => (key, values = {}, otherwise = key) =>
  (words[key] ?? otherwise).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

/** A share as people write it; what rounds to 0 or 100 is bounded, since it is neither. */
export function percent(share, language) {
  const bounded = Math.min(Math.max(100 * share, 0.1), 99.9);
  const sign = { [-1]: "<", 0: "", 1: ">" }[Math.sign(100 * share - bounded)];
  const digits = bounded.toFixed(1).replace(".", language === "en" ? "." : ",");
  return sign + PERCENT[language].replace("{n}", digits);
}

/** A figure with three decimals; the counterpart of lentigo.web.strings.Words.number. */
export const number = (value, language) =>
  value.toFixed(3).replace(".", language === "en" ? "." : ",");

/** The end of a scale. */
export const whole = (language) => PERCENT[language].replace("{n}", "100");
