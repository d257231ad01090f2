// What the form does beyond plain HTML; without this script it works all the same.
import { busyOnSubmit } from "./form.js";

const form = document.getElementById("hand-in");
const inputs = [...form.querySelectorAll("input[type=file]")];
busyOnSubmit(form);

// One photo at a time: the last one chosen counts.
for (const input of inputs) {
  input.addEventListener("change", () => {
    if (!input.files.length) return;
    for (const other of inputs) if (other !== input) other.value = "";
  });
}
