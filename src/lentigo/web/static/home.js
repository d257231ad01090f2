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

// The live picture of this device; browsers give it to secure pages only.
const live = document.getElementById("live");
const video = live.querySelector("video");
const start = document.getElementById("live-start");
const take = document.getElementById("live-take");
live.hidden = false;
if (!window.isSecureContext || !navigator.mediaDevices) {
  start.hidden = true;
  document.getElementById("live-insecure").hidden = false;
}

start.addEventListener("click", async () => {
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1440 } },
    });
    await video.play();
    start.hidden = true;
    live.querySelector(".stage").hidden = false;
    take.hidden = false;
    take.focus();
  } catch {
    document.getElementById("live-denied").hidden = false;
  }
});

take.addEventListener("click", async () => {
  if (!form.reportValidity()) return;
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
  for (const track of video.srcObject.getTracks()) track.stop();
  const files = new DataTransfer();
  files.items.add(new File([blob], "camera.jpg", { type: "image/jpeg" }));
  for (const input of inputs) input.value = "";
  inputs[0].files = files.files;
  form.requestSubmit();
});
