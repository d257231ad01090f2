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
  /** How often the camera was asked for or let go; it may come when nobody waits any more. */
  let turn = 0;
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
    turn += 1;
    release(video.srcObject);
    video.srcObject = null;
    if (!part("stage").hidden) show(false);
  }

  part("start").addEventListener("click", async () => {
    const mine = ++turn;
    part("denied").hidden = true;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1440 } },
      });
      if (mine !== turn) return release(stream);
      video.srcObject = stream;
      await video.play();
      if (mine !== turn) return;
      show(true);
      part("take").focus();
    } catch {
      if (mine === turn) part("denied").hidden = false;
    }
  });

  part("take").addEventListener("click", async () => {
    if (!ready()) return;
    const canvas = drawn(video);
    stop();
    use(await encoded(canvas));
  });
  return { stop };
}

function release(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function drawn(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas;
}

async function encoded(canvas) {
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
  return new File([blob], "camera.jpg", { type: "image/jpeg" });
}
