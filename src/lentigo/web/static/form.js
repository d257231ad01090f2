// A form that was sent says so and is not sent twice.
export function busyOnSubmit(form) {
  const button = form.querySelector("button.main");
  const label = button.textContent;
  form.addEventListener("submit", () => {
    button.textContent = button.dataset.busy;
    button.disabled = true;
  });
  // The browser's back button shows the page as it was left.
  addEventListener("pageshow", () => {
    button.textContent = label;
    button.disabled = false;
  });
}
