/** Elements for the page's own scripts. */

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "rect", "line", "circle", "text", "image"]);

/** An element with attributes and children; text becomes text, never markup. */
export function element(name, attributes = {}, ...children) {
  const made = DRAWN.has(name)
    ? document.createElementNS(SVG, name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
