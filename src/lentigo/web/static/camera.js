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

const EVERY_MS = 1500;
const PATIENCE_MS = 5000;
/** How often in a row the picture did not come, and whether it is to be asked for again. */
let failures = 0;
let broken = false;
/** When the server answered last. */
let answered = Date.now();
live.addEventListener("error", () => {
  broken = true;
  failures += 1;
});

async function ask() {
  try {
    const signal = AbortSignal.timeout?.(PATIENCE_MS);
    const answer = await fetch("/camera/status", { cache: "no-store", signal });
    // A server that was started anew may ask for its code.
    if (answer.status === 401) return location.reload();
    if (!answer.ok) throw new Error(answer.statusText);
    const { state, sentence } = await answer.json();
    if (live.naturalWidth > 0) failures = 0;
    const crowded = state === "live" && failures > 1;
    say(crowded ? "lost" : state, crowded ? status.dataset.crowded : sentence);
    // Of a picture that breaks off later, as where the device slept, browsers tell nothing.
    if (broken || Date.now() - answered > EVERY_MS + PATIENCE_MS) {
      broken = false;
      live.src = `/camera/stream?${Date.now()}`;
    }
    answered = Date.now();
  } catch {
    broken = true;
    say("lost", status.dataset.away);
  }
  setTimeout(ask, EVERY_MS);
}

ask();
