/** The live picture of this device's camera; browsers give it to secure pages only. */

/**
 * Offers the live picture, and hands a photo out of it on.
 *
 * @param {HTMLElement} live Holds the picture, its buttons and the sentences of what is missing.
 * @param {{use: Function, ready?: Function}} handling `use` takes the photo, a File; `ready` says
 *     whether one may be taken now.
 * @returns {{stop: Function}} `stop` lets the camera go.
 */
export function offerPreview(live, { use, ready = () => true }) {
  const part = (name) => live.querySelector(`[data-part=${name}]`);
  const video = live.querySelector("video");
  live.hidden = false;
  if (!window.isSecureContext || !navigator.mediaDevices) {
    part("start").hidden = true;
    part("insecure").hidden = false;
  }

  function show(running) {
    part("start").hidden = running;
    for (const name of ["stage", "take"]) part(name).hidden = !running;
  }

  function stop() {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
    if (!part("stage").hidden) show(false);
  }

  part("start").addEventListener("click", async () => {
    part("denied").hidden = true;
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1440 } },
      });
      await video.play();
      show(true);
      part("take").focus();
    } catch {
      part("denied").hidden = false;
    }
  });

  part("take").addEventListener("click", async () => {
    if (!ready()) return;
    const photo = await taken(video);
    stop();
    use(photo);
  });
  return { stop };
}

async function taken(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
  return new File([blob], "camera.jpg", { type: "image/jpeg" });
}
