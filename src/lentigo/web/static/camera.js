// Says what the camera is doing, and shows the picture again when it is back.
import { busyOnSubmit } from "./form.js";

const status = document.getElementById("camera-status");
const live = document.getElementById("live");
busyOnSubmit(document.getElementById("camera"));

async function ask() {
  try {
    const answer = await fetch("/camera/status", { cache: "no-store" });
    const { state, sentence } = await answer.json();
    if (status.dataset.state !== state || status.textContent !== sentence) {
      status.textContent = sentence;
      status.dataset.state = state;
    }
    if (broken) {
      broken = false;
      live.src = `/camera/stream?${Date.now()}`;
    }
  } catch {
    broken = true;
    status.dataset.state = "lost";
  }
}

let broken = false;
live.addEventListener("error", () => { broken = true; });
ask();
setInterval(ask, 1500);
