/**
 * A photo in, the answer of `lentigo predict --json` out, on this device alone.
 *
 * The counterpart of lentigo/deploy/runtime.py and prediction.py.
 */

import { BundleError, readBundle } from "./bundle.js";
import { Engine, faster, loadRuntime } from "./engine.js";
import { ImageError } from "./header.js";
import { decline, preprocess } from "./preprocess.js";
import { assess, limitsOf, warnings } from "./quality.js";

/** lentigo.taxonomy.NOT_A_MEDICAL_DEVICE */
export const NOTICE =
  "Research and teaching only: this is not a medical device. " +
  "Whatever it answers, show a lesion that worries you to a doctor.";

/** lentigo.deploy.prediction.UNFAMILIAR */
export const UNFAMILIAR = "I do not recognise this as a lesion like those I was trained on.";

/** A bundle ready to predict in the browser. */
export class Predictor {
  /**
   * @param {Uint8Array} bytes The bundle's own file.
   * @param {string} folder Where LiteRT.js lies, ending in a slash.
   * @returns {Promise<Predictor>}
   * @throws {BundleError} No bundle, or one whose preprocessing the browser cannot do.
   */
  static async load(bytes, folder) {
    const bundle = await readBundle(bytes);
    const reason = decline(bundle.info.spec);
    if (reason) throw new BundleError(reason);
    return new Predictor(bundle, await Engine.make(await loadRuntime(folder), bundle));
  }

  constructor(bundle, engine) {
    this.bundle = bundle;
    this.info = bundle.info;
    this.engine = engine;
    this.engineReason = "";
    this.turn = Promise.resolve();
  }

  /** One piece of work after the other: an engine answers one photo, and may be exchanged. */
  inTurn(work) {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }

  /** Moves to WebGPU where it gives the same answers sooner; for an idle moment. */
  accelerate() {
    return this.inTurn(async () => {
      const chosen = await faster(this.engine, this.bundle, (logits) => this.probabilities(logits));
      this.engine = chosen.engine;
      this.engineReason = chosen.reason;
    });
  }

  /** A graphics processor may be lost at any time; WebAssembly then answers. */
  async run(input) {
    try {
      return await this.engine.run(input);
    } catch (error) {
      if (this.engine.accelerator === "wasm") throw error;
      this.engine = await Engine.make(this.engine.runtime, this.bundle);
      this.engineReason = `WebGPU failed: ${error?.message ?? error}`;
      return this.engine.run(input);
    }
  }

  /** Calibrated probabilities of logits. */
  probabilities(logits) {
    const scaled = Array.from(logits, (logit) => logit / this.info.temperature);
    const highest = Math.max(...scaled);
    const powers = scaled.map((each) => Math.exp(each - highest));
    const sum = powers.reduce((total, each) => total + each, 0);
    return powers.map((each) => each / sum);
  }

  /**
   * The answer about one image file.
   *
   * @param {Uint8Array} bytes The file.
   * @param {string} name What it is called.
   * @returns {Promise<{prediction: object, hints: string[], attention: object,
   *     input: Uint8ClampedArray}>} `prediction` has the fields of `lentigo predict --json`;
   *     `hints` are its warnings as keys of the catalogue; `attention` is {shape, data}.
   * @throws {ImageError} The file is not an image, truncated, damaged or too large.
   */
  async predict(bytes, name) {
    const { input, small, seen } = await preprocess(bytes, this.info.spec);
    const { logits, attention, unfamiliarity } = await this.inTurn(() => this.run(input));
    const probability = this.probabilities(logits);
    const found = warnings(assess(small, seen), limitsOf(this.info));
    const sentences = found.map(({ sentence }) => sentence);
    const prediction = readOff(name, probability, this.info, sentences, unfamiliarity);
    return { prediction, hints: found.map(({ key }) => key), attention, input };
  }
}

/** The prediction that calibrated probabilities of one image amount to. */
function readOff(image, probability, info, sentences, unfamiliarity) {
  const { classes } = info.taxonomy;
  const highest = probability.indexOf(Math.max(...probability));
  const flagged = probability.filter((_, i) => classes[i].malignant);
  const sum = flagged.reduce((total, each) => total + each, 0);
  const malignant = flagged.length ? Math.min(sum, 1) : null;
  return {
    image,
    top: classes[highest].code,
    probability: Object.fromEntries(classes.map(({ code }, i) => [code, probability[i]])),
    malignant_probability: malignant,
    operating_points: malignant === null ? [] : info.operating_points.map((point) => ({
      name: point.name,
      target_sensitivity: point.target_sensitivity,
      threshold: point.threshold,
      above: malignant >= point.threshold,
    })),
    warnings: sentences,
    familiarity: recognition(unfamiliarity, info),
    leaky: info.leaky,
    notice: NOTICE,
  };
}

function recognition(score, { familiarity }) {
  if (score === null || !familiarity) return null;
  const { threshold } = familiarity;
  const unfamiliar = score > threshold;
  return { score, threshold, unfamiliar, message: unfamiliar ? UNFAMILIAR : null };
}

export { BundleError, ImageError };
