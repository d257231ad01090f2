/**
 * Is the photograph good enough, and is it skin at all? Warns, never blocks.
 *
 * The counterpart of lentigo/image/quality.py, with the limits and sentences of verdict.py;
 * where the limits come from stands there.
 */

import { luma } from "./preprocess.js";
import { shrink } from "./resample.js";

const SHARPNESS_PX = 224;
const LAYOUT_PX = 128;
const DARK = 40;
const GLARE = 250;

export const LIMITS = {
  square: 112, sharpness: 8, overexposed: 0.1, brightness: 60, blackFrame: 0.35, busyness: 88, redness: 2,
};

/** A bundle's own limits, where it carries any (bundle.json: quality). */
export function limitsOf({ quality }) {
  if (!quality) return LIMITS;
  return {
    // Bundles of before have no such limit.
    square: quality.min_square_px ?? LIMITS.square,
    sharpness: quality.min_sharpness,
    overexposed: quality.max_overexposed_share,
    brightness: quality.min_brightness,
    blackFrame: quality.max_black_frame_share,
    busyness: quality.max_busyness,
    redness: quality.min_redness,
  };
}

/** Key in the page's catalogue, sentence, and when it holds. */
const WARNINGS = [
  [
    "not_skin",
    "This does not look like a close-up of skin: the answer means nothing for anything else.",
    (q, limits) => q.busyness > limits.busyness || q.redness < limits.redness,
  ],
  [
    "small",
    "The photo has too few pixels: take it larger, and do not send a thumbnail.",
    (q, limits) => q.square < limits.square,
  ],
  [
    "blur",
    "The photo is blurred: hold still, or move away until it is in focus.",
    (q, limits) => q.sharpness < limits.sharpness,
  ],
  [
    "glare",
    "Parts of the photo are burnt out to white: use less light or avoid glare.",
    (q, limits) => q.overexposed > limits.overexposed,
  ],
  [
    "dark",
    "The photo is too dark: use more light.",
    (q, limits) => q.brightness < limits.brightness,
  ],
  [
    "frame",
    "Much of the photo is black frame: move closer or zoom in.",
    (q, limits) => q.blackFrame > limits.blackFrame,
  ],
];

/** What is doubtful, as {key, sentence}; empty where nothing is wrong. */
export function warnings(quality, limits = LIMITS) {
  return WARNINGS.filter(([, , wrong]) => wrong(quality, limits)).map(([key, sentence]) => ({
    key, sentence,
  }));
}

/**
 * Measures sharpness, exposure, frame and likeness to skin.
 *
 * @param {{width: number, height: number, data: Uint8ClampedArray}} photo RGB, the whole photo.
 * @param {object} seen Its central square with at most 224 pixels, where it is there already.
 */
export function assess(photo, seen = shrunk(centreSquare(photo), SHARPNESS_PX)) {
  const whole = shrunk(photo, LAYOUT_PX);
  const frame = blackFrame(whole);
  const inside = [...grey(whole)].filter((_, i) => !frame[i]).sort((a, b) => a - b);
  const burnt = channels(whole, Math.min).reduce((sum, least) => sum + (least >= GLARE), 0);
  return {
    square: seen.width,
    sharpness: sharpness(seen),
    overexposed: burnt / frame.length,
    brightness: median(inside),
    blackFrame: frame.reduce((sum, dark) => sum + dark, 0) / frame.length,
    ...layout(centreSquare(whole)),
  };
}

function median(sorted) {
  if (!sorted.length) return 0;
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}

function shrunk(picture, shorter) {
  const scale = shorter / Math.min(picture.width, picture.height);
  if (scale >= 1) return picture;
  const fit = (length) => Math.max(1, Math.round(length * scale));
  return shrink(picture, fit(picture.width), fit(picture.height));
}

function centreSquare({ width, height, data }) {
  const side = Math.min(width, height);
  const [top, left] = [(height - side) >> 1, (width - side) >> 1];
  const out = new Uint8ClampedArray(side * side * 3);
  for (let y = 0; y < side; y += 1) {
    const from = ((top + y) * width + left) * 3;
    out.set(data.subarray(from, from + side * 3), y * side * 3);
  }
  return { width: side, height: side, data: out };
}

function eachPixel({ width, height, data }, Type, value) {
  const out = new Type(width * height);
  for (let i = 0; i < out.length; i += 1) {
    out[i] = value(data[3 * i], data[3 * i + 1], data[3 * i + 2]);
  }
  return out;
}

const grey = (picture) => eachPixel(picture, Uint8Array, luma);
const channels = (picture, choose) => eachPixel(picture, Uint8Array, choose);

/** Dark pixels connected to the border: a dark lesion in the middle is none of them. */
function blackFrame(picture) {
  const { width, height } = picture;
  const brightest = channels(picture, Math.max);
  const frame = new Uint8Array(width * height);
  const queue = [];
  const visit = (x, y) => {
    const at = y * width + x;
    if (x < 0 || y < 0 || x >= width || y >= height || frame[at] || brightest[at] > DARK) return;
    frame[at] = 1;
    queue.push([x, y]);
  };
  for (let x = 0; x < width; x += 1) [0, height - 1].forEach((y) => visit(x, y));
  for (let y = 0; y < height; y += 1) [0, width - 1].forEach((x) => visit(x, y));
  while (queue.length) {
    const [x, y] = queue.pop();
    for (let i = 0; i < 9; i += 1) visit(x + (i % 3) - 1, y + Math.floor(i / 3) - 1);
  }
  return frame;
}

/** Reads a grey picture beyond its border as OpenCV does, mirrored without the edge itself. */
function mirrored(levels, width, height) {
  const inside = (at, length) => {
    if (length === 1) return 0;
    if (at < 0) return -at;
    return at < length ? at : 2 * length - 2 - at;
  };
  return (x, y) => levels[inside(y, height) * width + inside(x, width)];
}

/** Variance of the Laplacian. */
function sharpness(picture) {
  const { width, height } = picture;
  const at = mirrored(grey(picture), width, height);
  let [sum, squares] = [0, 0];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const edge = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4 * at(x, y);
      sum += edge;
      squares += edge * edge;
    }
  }
  const count = width * height;
  return squares / count - (sum / count) ** 2;
}

/** Busyness and redness of a small square. */
function layout(square) {
  const { data } = square;
  const lit = channels(square, Math.max);
  let [count, redness] = [0, 0];
  const [a, b] = [[], []];
  for (let i = 0; i < lit.length; i += 1) {
    if (lit[i] <= DARK) continue;
    const [red, green, blue] = data.subarray(3 * i, 3 * i + 3);
    count += 1;
    redness += red - green;
    const [greenRed, blueYellow] = chroma(red, green, blue);
    a.push(greenRed);
    b.push(blueYellow);
  }
  const gradient = meanSlope(square);
  if (!count) return { busyness: gradient, redness: 0 };
  const spread = Math.hypot(deviation(a), deviation(b));
  return { busyness: gradient + 2 * spread, redness: redness / count };
}

/** Mean length of the Sobel gradient. */
function meanSlope(picture) {
  const { width, height } = picture;
  const at = mirrored(grey(picture), width, height);
  const column = (x, y) => at(x, y - 1) + 2 * at(x, y) + at(x, y + 1);
  const row = (x, y) => at(x - 1, y) + 2 * at(x, y) + at(x + 1, y);
  let sum = 0;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      sum += Math.hypot(column(x + 1, y) - column(x - 1, y), row(x, y + 1) - row(x, y - 1));
    }
  }
  return sum / (width * height);
}

function deviation(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

const LINEAR = Array.from({ length: 256 }, (_, level) => {
  const share = level / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
});

/** CIE a* and b* of an sRGB pixel under D65, rounded as 8-bit pictures hold them. */
function chroma(red, green, blue) {
  const [r, g, b] = [LINEAR[red], LINEAR[green], LINEAR[blue]];
  const bend = (t) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = bend((0.412453 * r + 0.35758 * g + 0.180423 * b) / 0.950456);
  const y = bend(0.212671 * r + 0.71516 * g + 0.072169 * b);
  const z = bend((0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.088754);
  return [Math.round(500 * (x - y)), Math.round(200 * (y - z))];
}
