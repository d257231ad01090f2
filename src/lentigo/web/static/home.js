// What the form does beyond plain HTML; without this script it works all the same.
const form = document.getElementById("hand-in");
const inputs = [...form.querySelectorAll("input[type=file]")];

// One photo at a time: the last one chosen counts.
for (const input of inputs) {
  input.addEventListener("change", () => {
    if (input.files.length) inputs.filter((each) => each !== input).forEach((each) => { each.value = ""; });
  });
}

form.addEventListener("submit", () => {
  const button = form.querySelector("button.main");
  button.dataset.label = button.textContent;
  button.textContent = button.dataset.busy;
  button.disabled = true;
});

// The browser's back button shows the page as it was left.
addEventListener("pageshow", () => {
  const button = form.querySelector("button.main");
  if (button.dataset.label) button.textContent = button.dataset.label;
  button.disabled = false;
});
