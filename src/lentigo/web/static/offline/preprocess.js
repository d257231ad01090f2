/**
 * From a photo to the square that the network takes: PreprocessSpec in the browser.
 *
 * The counterpart of lentigo/image/spec.py; golden images tie the two together. The browser
 * decodes, and nothing else is left to it.
 */

import { matchChroma } from "./chroma.js";
import { bands, decode } from "./decode.js";
import { readHeader } from "./header.js";
import { AreaShrinker, enlarge, resize, upright } from "./resample.js";
import { screen } from "./screening.js";

/** lentigo.image.spec.SPARE: a reduced JPEG keeps this many times the pixels needed. */
const SPARE = 2;
/** lentigo.image.quality.SHARPNESS_PX */
const SHARPNESS_PX = 224;
/** lentigo.image.strips.LARGE_PX: Python decodes larger PNGs in strips, and shrinks them. */
const LARGE_PX = 8_000_000;
const KNOWN = new Set([
  "version", "size", "crop", "interpolation", "hair_removal", "colour_constancy", "greyscale",
  "background", "reduce", "first_size",
]);

/**
 * Why the browser cannot do a spec, as a sentence; null where it can.
 *
 * The counterpart of lentigo.web.offline.decline, sentence by sentence.
 *
 * @param {object} spec The `spec` of a bundle.json.
 */
export function decline(spec) {
  if (spec.version !== 1 || Object.keys(spec).some((key) => !KNOWN.has(key))) {
    return "The model's preprocessing is of another version than this app's.";
  }
  if (spec.hair_removal !== null) {
    return (
      "The model's preprocessing removes hair by inpainting (Telea 2004), for which browsers have " +
      "no equivalent that gives the same pixels."
    );
  }
  if (!["center-square", "none"].includes(spec.crop) || spec.interpolation !== "area") {
    return "The model's preprocessing crops or resizes in a way that this app does not know.";
  }
  return null;
}

/**
 * The network's input, and a small copy of the whole photo to judge its quality by.
 *
 * @param {Uint8Array} bytes An image file.
 * @param {object} spec The `spec` of a bundle.json, one that is not declined.
 * @returns {Promise<{input: Uint8ClampedArray, small: object, seen: object}>} `input` holds
 *     size * size RGB pixels; `small` is a picture with a shorter side of at most 448 pixels,
 *     `seen` its central square with at most 224, both upright.
 * @throws {ImageError} The file is not an image, another kind of file as well, animated,
 *     truncated, damaged or too large.
 */
export async function preprocess(bytes, spec) {
  const header = readHeader(bytes);
  screen(bytes, header);
  const { orientation } = header;
  const bitmap = await decode(header);
  try {
    const rows = reducedRows(bitmap, spec, header);
    const box = cropBox(rows, spec, orientation);
    const side = workingSize(spec);
    const fitted = [Math.min(side, box.width), Math.min(side, box.height)];
    const square = new AreaShrinker(box, ...fitted);
    const small = smallShrinker(rows);
    const seen = seenShrinker(cropBox(rows, { crop: "center-square" }, orientation));
    rows.forEach((y, data, at, step) => {
      for (const each of [square, small, seen]) each.add(y, data, at, step);
    });
    const first = upright(enlarge(square.picture(), side, side), orientation);
    const input = resize({ ...first, data: finish(first.data, spec) }, spec.size).data;
    const [whole, middle] = [small, seen].map((each) => upright(each.picture(), orientation));
    return { input, small: whole, seen: middle };
  } finally {
    bitmap.close();
  }
}

/** Side of the first square, which colour is worked on. */
function workingSize(spec) {
  return spec.first_size ?? spec.size;
}

/** By how much Python's decoder shrinks: the largest divisor that leaves enough pixels. */
function divisor({ kind, width, height, interlaced }, spec) {
  const striped = kind === "PNG" && !interlaced && width * height > LARGE_PX;
  if (!spec.reduce || !(kind === "JPEG" || striped)) return 1;
  const enough = SPARE * workingSize(spec);
  return [8, 4, 2].find((d) => Math.floor(Math.min(width, height) / d) >= enough) ?? 1;
}

/** The photo's rows over the background, reduced as the spec says, one call a row. */
function reducedRows(bitmap, spec, header) {
  const d = divisor(header, spec);
  if (d > 1) return pictureRows(reduced(bitmap, spec.background, d, header.sampling));
  const { width, height } = bitmap;
  const forEach = (use) => {
    for (const { top, rows, data } of bands(bitmap, spec.background)) {
      for (let y = 0; y < rows; y += 1) use(top + y, data, y * width * 4, 4);
    }
  };
  return { width, height, forEach };
}

function pictureRows({ width, height, data }) {
  const forEach = (use) => {
    for (let y = 0; y < height; y += 1) use(y, data, y * width * 3, 3);
  };
  return { width, height, forEach };
}

/**
 * The photo at 1/d of its size.
 *
 * libjpeg's reduced inverse transforms give the averages of the pixels that the full one gives,
 * so averages are what Python's decoder makes, but for the colour planes. Of a large PNG it makes
 * averages itself.
 */
function reduced(bitmap, background, d, sampling) {
  const [width, height] = [Math.ceil(bitmap.width / d), Math.ceil(bitmap.height / d)];
  const averages = new Float32Array(width * height * 3);
  for (const { top, rows, data } of bands(bitmap, background)) {
    boxAverage(data, bitmap.width, rows, d, averages, (top / d) * width * 3);
  }
  matchChroma(averages, width, height, d, sampling);
  return { width, height, data: Uint8ClampedArray.from(averages) };
}

/** Averages of d by d pixels, RGBA to RGB, written from `to` on. */
function boxAverage(data, wide, high, d, out, to) {
  let at = to;
  for (let y = 0; y < high; y += d) {
    const bottom = Math.min(y + d, high);
    for (let x = 0; x < wide; x += d) {
      const right = Math.min(x + d, wide);
      let [red, green, blue] = [0, 0, 0];
      for (let row = y; row < bottom; row += 1) {
        for (let from = (row * wide + x) * 4; from < (row * wide + right) * 4; from += 4) {
          red += data[from];
          green += data[from + 1];
          blue += data[from + 2];
        }
      }
      const count = (bottom - y) * (right - x);
      out[at] = red / count;
      out[at + 1] = green / count;
      out[at + 2] = blue / count;
      at += 3;
    }
  }
}

/** The crop in stored coordinates; upright, an odd remainder is left out at bottom and right. */
function cropBox({ width, height }, spec, orientation) {
  if (spec.crop === "none") return { left: 0, top: 0, width, height };
  const side = Math.min(width, height);
  // Where the stored picture is mirrored, upright's right is stored left.
  const [fromRight, fromBottom] = {
    1: [0, 0], 2: [1, 0], 3: [1, 1], 4: [0, 1], 5: [0, 0], 6: [0, 1], 7: [1, 1], 8: [1, 0],
  }[orientation];
  const margin = (rest, other) => (other ? Math.ceil(rest / 2) : Math.floor(rest / 2));
  const left = margin(width - side, fromRight);
  return { left, top: margin(height - side, fromBottom), width: side, height: side };
}

function smallShrinker({ width, height }) {
  const factor = Math.min(1, (SPARE * SHARPNESS_PX) / Math.min(width, height));
  const box = { left: 0, top: 0, width, height };
  const [wide, high] = [Math.round(width * factor), Math.round(height * factor)];
  return new AreaShrinker(box, Math.max(1, wide), Math.max(1, high), [1 / factor, 1 / factor]);
}

/** The square that sharpness is measured on, shrunk in one step, as Python does. */
function seenShrinker(box) {
  const side = Math.min(SHARPNESS_PX, box.width);
  return new AreaShrinker(box, side, side);
}

function finish(rgb, spec) {
  const balanced = spec.colour_constancy ? shadesOfGrey(rgb, spec.colour_constancy.power) : rgb;
  return spec.greyscale ? toGreyscale(balanced) : balanced;
}

/** Shades of grey (Finlayson & Trezzi 2004), as lentigo.image.colour.shades_of_grey. */
function shadesOfGrey(rgb, power) {
  const pixels = rgb.length / 3;
  const sums = [0, 0, 0];
  const weights = Array.from({ length: 256 }, (_, level) => (level / 255) ** power);
  for (let i = 0; i < rgb.length; i += 1) sums[i % 3] += weights[rgb[i]];
  const illuminant = sums.map((sum) => (sum / pixels) ** (1 / power));
  const length = Math.hypot(...illuminant);
  const gains = illuminant.map((each) => (each > 0 ? length / (Math.sqrt(3) * each) : 1));
  return rgb.map((level, i) => level * gains[i % 3]);
}

/** Luma (ITU-R BT.601) with OpenCV's fixed-point weights, of one pixel. */
export function luma(red, green, blue) {
  return (red * 9798 + green * 19235 + blue * 3735 + 16384) >> 15;
}

function toGreyscale(rgb) {
  const grey = new Uint8ClampedArray(rgb.length);
  for (let i = 0; i < rgb.length; i += 3) grey.fill(luma(rgb[i], rgb[i + 1], rgb[i + 2]), i, i + 3);
  return grey;
}
