// The slider over the photo, and keeping the answer in this browser.
import { keepsake } from "./keepsake.js";
import { speaker } from "./speech.js";

const attention = document.getElementById("attention");
const strength = document.getElementById("strength");
strength.closest("[hidden]").hidden = false;
const show = () => attention.setAttribute("opacity", strength.value / 100);
strength.addEventListener("input", show);
show();

const place = document.getElementById("keep-here");
const { words, answer, name, model } = place.dataset;
const photo = document.getElementById("photo-image").getAttribute("href");
place.replaceWith(keepsake({
  text: speaker(JSON.parse(words)),
  heading: "h2",
  shelf: "/series",
  record: () => ({ ...JSON.parse(answer), photo, name, model }),
}));
