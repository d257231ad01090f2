/** What speaks against relying on an answer. */

/**
 * @param {object} answer Its `familiarity`, what was said of a dermatoscope (`scope`: yes, no or
 *     nothing), and whether its model is `leaky`.
 * @returns {string[]} Keys of the catalogue, in the order in which they are said.
 */
export function doubts({ familiarity, scope, leaky }) {
  const found = {
    "result.unfamiliar": familiarity?.unfamiliar,
    "result.plain": scope === "no",
    "result.leaky": leaky,
  };
  return Object.keys(found).filter((key) => found[key]);
}
