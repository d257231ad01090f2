// What the form does beyond plain HTML; without this script it works all the same.
import { busyOnSubmit } from "./form.js";
import { offerPreview } from "./preview.js";

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

offerPreview(document.getElementById("live"), {
  ready: () => form.reportValidity(),
  use(photo) {
    const files = new DataTransfer();
    files.items.add(photo);
    for (const input of inputs) input.value = "";
    inputs[0].files = files.files;
    form.requestSubmit();
  },
});
