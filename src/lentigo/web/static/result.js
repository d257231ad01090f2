// The slider over the photo, and keeping the answer in this browser.
import { add, all } from "./store.js";

const attention = document.getElementById("attention");
const strength = document.getElementById("strength");
strength.closest("[hidden]").hidden = false;
const show = () => attention.setAttribute("opacity", strength.value / 100);
strength.addEventListener("input", show);
show();

const form = document.getElementById("keep");
form.hidden = false;
const names = document.getElementById("names");
all().then((photos) => {
  const known = [...new Set(photos.map((each) => each.series))];
  names.replaceChildren(...known.map((value) => Object.assign(document.createElement("option"), { value })));
}).catch(() => { form.hidden = true; });

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = JSON.parse(form.dataset.answer);
  const photo = document.getElementById("photo-image").getAttribute("href");
  const series = new FormData(form).get("series").trim();
  await add({ ...answer, series, photo, name: form.dataset.name, model: form.dataset.model, at: new Date().toISOString() });
  form.querySelector("button").disabled = true;
  document.getElementById("kept").hidden = false;
});
