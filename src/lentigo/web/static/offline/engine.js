/**
 * LiteRT.js behind a bundle: WebAssembly, and WebGPU where it proves itself.
 *
 * The counterpart of lentigo/deploy/engine.py. A graphics processor computes with other
 * kernels, so it is taken only if it gives the same answers on this device, and sooner.
 */

import { BundleError } from "./bundle.js";

/** Largest difference of a probability that is called the same answer. */
const SAME = 0.02;

/**
 * @param {string} folder Where LiteRT.js lies, ending in a slash.
 * @returns {Promise<object>} LiteRT.js, its WebAssembly compiled.
 */
export async function loadRuntime(folder) {
  const runtime = await import(`${folder}index.js`);
  try {
    await (runtime.getGlobalLiteRtPromise() ?? runtime.loadLiteRt(folder));
  } catch (error) {
    throw new Error(`LiteRT.js could not be started: ${error?.message ?? error}`);
  }
  return runtime;
}

/** One compiled graph. */
export class Engine {
  /**
   * @param {object} runtime From `loadRuntime`.
   * @param {{info: object, graph: Uint8Array}} bundle From `readBundle`.
   * @param {"wasm"|"webgpu"} accelerator
   * @returns {Promise<Engine>}
   * @throws {BundleError} LiteRT.js refuses the graph, or it is not what the bundle says.
   */
  static async make(runtime, { info, graph }, accelerator = "wasm") {
    let model;
    try {
      model = await runtime.loadAndCompile(graph, { accelerator });
    } catch (error) {
      throw new BundleError(`LiteRT.js refuses the model's graph: ${error?.message ?? error}`);
    }
    return new Engine(runtime, model, info, accelerator);
  }

  constructor(runtime, model, info, accelerator) {
    const [size, classes] = [info.spec.size, info.taxonomy.classes.length];
    const inputs = model.getInputDetails().map((each) => `${each.dtype} ${[...each.shape]}`);
    const shapes = model.getOutputDetails().map(({ shape }) => [...shape]);
    const ofRank = (rank) => shapes.findIndex(({ length }) => length === rank);
    this.outputsAt = { logits: ofRank(2), attention: ofRank(4), unfamiliarity: ofRank(1) };
    const { logits, attention, unfamiliarity } = this.outputsAt;
    const known = shapes.every(({ length }) => [1, 2, 4].includes(length));
    if (
      inputs.join() !== `uint8 1,${size},${size},3` || !known || attention < 0 ||
      String(shapes[logits]) !== `1,${classes}` || (info.familiarity && unfamiliarity < 0)
    ) {
      model.delete();
      throw new BundleError(
        `The model's graph does not take one uint8 image of ${size} pixels a side, or does not ` +
          `give ${classes} logits, an attention map, and how familiar an image is where its ` +
          "description has a threshold for that.",
      );
    }
    this.attentionShape = shapes[attention].slice(1);
    Object.assign(this, { runtime, model, size, accelerator });
  }

  /**
   * @param {Uint8Array|Uint8ClampedArray} rgb size * size pixels.
   * @returns {Promise<{logits: Float32Array, attention: {shape: number[], data: Float32Array},
   *     unfamiliarity: ?number}>}
   */
  async run(rgb) {
    const { runtime, size } = this;
    const input = new runtime.Tensor(new Uint8Array(rgb), [1, size, size, 3]);
    let outputs = [];
    try {
      outputs = await this.model.run([input]);
      const read = (at) => (at < 0 ? null : outputs[at].data());
      const { logits, attention, unfamiliarity } = this.outputsAt;
      return {
        logits: await read(logits),
        attention: { shape: this.attentionShape, data: await read(attention) },
        unfamiliarity: (await read(unfamiliarity))?.[0] ?? null,
      };
    } finally {
      for (const tensor of [input, ...outputs]) tensor.delete();
    }
  }

  delete() {
    this.model.delete();
  }
}

/**
 * A WebGPU engine, if there is one that gives the same answers sooner; otherwise the one given.
 *
 * @param {Engine} engine On WebAssembly.
 * @param {{info: object, graph: Uint8Array}} bundle
 * @param {(logits: Float32Array) => number[]} probabilities
 * @returns {Promise<{engine: Engine, reason: string}>} The reason is for the curious.
 */
export async function faster(engine, bundle, probabilities) {
  if (!engine.runtime.getWebGpuDevice()) return { engine, reason: "no WebGPU adapter" };
  let rival;
  try {
    rival = await Engine.make(engine.runtime, bundle, "webgpu");
    const [ours, theirs] = [await trial(engine), await trial(rival)];
    const [a, b] = [probabilities(ours.logits), probabilities(theirs.logits)];
    const difference = Math.max(...a.map((value, i) => Math.abs(value - b[i])));
    if (difference <= SAME && theirs.ms < ours.ms) {
      engine.delete();
      return { engine: rival, reason: `WebGPU agrees within ${difference.toFixed(4)}` };
    }
    rival.delete();
    const slow = difference <= SAME;
    return { engine, reason: slow ? "WebGPU is not faster" : "WebGPU gives other answers" };
  } catch (error) {
    rival?.delete();
    return { engine, reason: `WebGPU failed: ${error?.message ?? error}` };
  }
}

/** A fixed picture, three times; the first run compiles. */
async function trial(engine) {
  const { size } = engine;
  const picture = Uint8Array.from({ length: size * size * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % size, Math.floor(i / (3 * size))];
    const inside = Math.hypot(x / size - 0.5, y / size - 0.5) < 0.3;
    return inside ? [120, 80, 60][i % 3] + ((x * y) % 17) : [220, 170, 150][i % 3];
  });
  let [logits, ms] = [null, Infinity];
  for (let i = 0; i < 3; i += 1) {
    const started = performance.now();
    ({ logits } = await engine.run(picture));
    ms = Math.min(ms, performance.now() - started);
  }
  return { logits, ms };
}
