/** Keeping the app in the browser: what the page asks of its service worker. */

/** What a page needs once it works, in the order of use. */
const RUNTIME = ["litert/index.js", "litert/wasm-utils.js"];
/** A module with one instruction of relaxed SIMD, after which LiteRT.js chooses its variant. */
const RELAXED_SIMD = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253,
  15, 65, 2, 253, 15, 253, 128, 2, 11,
);

/**
 * Keeps model and runtime for a time without a network.
 *
 * @param {string} scope The pages that the service worker keeps watch over.
 * @returns {Promise<void>} Settled when all is kept.
 * @throws {Error} Why nothing can be kept; the app works all the same while there is a network.
 */
export async function keepForLater(scope) {
  if (!("serviceWorker" in navigator)) throw new Error("offline.insecure");
  const registration = await navigator.serviceWorker.register(new URL("sw.js", import.meta.url), {
    scope, updateViaCache: "none",
  });
  // Another tab may have begun, and its worker waits to be activated by now.
  const { active: before, waiting, installing } = registration;
  const active = before ?? (await installed(waiting ?? installing));
  const relaxed = WebAssembly.validate(RELAXED_SIMD);
  const wasm = relaxed ? "litert_wasm_internal" : "litert_wasm_compat_internal";
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
