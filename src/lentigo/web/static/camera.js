// Says what the camera is doing, and shows the picture again when it is back.
import { busyOnSubmit } from "./form.js";

const status = document.getElementById("camera-status");
const live = document.getElementById("live");
busyOnSubmit(document.getElementById("camera"));

function say(state, sentence) {
  if (status.dataset.state === state && status.textContent === sentence) return;
  status.textContent = sentence;
  status.dataset.state = state;
}

/** How often in a row the picture did not come, and whether it is to be asked for again. */
let failures = 0;
let broken = false;
live.addEventListener("error", () => {
  broken = true;
  failures += 1;
});

async function ask() {
  try {
    const answer = await fetch("/camera/status", { cache: "no-store" });
    // A server that was started anew may ask for its code.
    if (answer.status === 401) return location.reload();
    if (!answer.ok) throw new Error(answer.statusText);
    const { state, sentence } = await answer.json();
    if (live.naturalWidth > 0) failures = 0;
    const crowded = state === "live" && failures > 1;
    say(crowded ? "lost" : state, crowded ? status.dataset.crowded : sentence);
    if (broken) {
      broken = false;
      live.src = `/camera/stream?${Date.now()}`;
    }
  } catch {
    broken = true;
    say("lost", status.dataset.away);
  }
}

ask();
setInterval(ask, 1500);
