/** Keeping the app in the browser: what the page asks of its service worker. */

/** What the page needs once it works, in the order of use. */
const RUNTIME = ["litert/index.js", "litert/wasm-utils.js"];

/**
 * Keeps model and runtime for a time without a network.
 *
 * @param {string} wasm Which of LiteRT.js's variants this browser takes.
 * @returns {Promise<void>} Settled when all is kept.
 * @throws {Error} Why nothing can be kept; the app works all the same while there is a network.
 */
export async function keepForLater(wasm) {
  if (!("serviceWorker" in navigator)) throw new Error("offline.insecure");
  const registration = await navigator.serviceWorker.register("sw.js", { updateViaCache: "none" });
  const active = registration.active ?? (await installed(registration.installing));
  const channel = new MessageChannel();
  await new Promise((resolve, reject) => {
    channel.port1.onmessage = ({ data }) => {
      if (data.finished) resolve();
      if (data.error) reject(new Error(data.error));
    };
    const keep = [...RUNTIME, `litert/${wasm}.js`, `litert/${wasm}.wasm`, "model.tflite"];
    active.postMessage({ keep: [...keep, "LICENSES.txt"] }, [channel.port2]);
  });
  channel.port1.close();
}

/** The worker once it has kept the page; it may be refused for files that do not fit together. */
function installed(worker) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "activated") resolve(worker);
      if (worker.state === "redundant") reject(new Error("offline.mixed"));
    };
    worker.addEventListener("statechange", look);
    look();
  });
}
