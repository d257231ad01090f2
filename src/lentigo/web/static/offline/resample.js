/**
 * Shrinking by area and enlarging linearly, the way OpenCV does it (INTER_AREA, INTER_LINEAR).
 *
 * The counterpart of `resize` in lentigo/image/spec.py. A canvas shrinks differently in every
 * browser, so none is asked to. Pictures are {width, height, data}, three bytes a pixel.
 */

/** OpenCV leaves out parts of a pixel smaller than this. */
const CRUMB = 1e-3;

/**
 * Which source pixels make each target pixel of one axis, and with which weight.
 *
 * @param {number} from Pixels of the source.
 * @param {number} to Pixels of the target, at most `from`.
 * @param {number} scale Source pixels a target pixel.
 * @returns {{first: number, weights: number[]}[]} One entry a target pixel.
 */
function shares(from, to, scale) {
  return Array.from({ length: to }, (_, i) => {
    const [start, end] = [i * scale, (i + 1) * scale];
    const cell = Math.min(scale, from - start);
    const last = Math.min(Math.floor(end), from - 1);
    const first = Math.min(Math.ceil(start), last);
    const weights = Array(last - first).fill(1 / cell);
    const before = first - start > CRUMB;
    if (before) weights.unshift((first - start) / cell);
    if (end - last > CRUMB) weights.push(Math.min(end - last, 1, cell) / cell);
    // OpenCV holds weights in 32 bits; rounding of what lies half-way depends on it.
    return { first: before ? first - 1 : first, weights: weights.map(Math.fround) };
  });
}

/** Shrinks by area row by row, so that a large photograph never lies in memory as floats. */
export class AreaShrinker {
  /**
   * @param {{left: number, top: number, width: number, height: number}} box Part of the source.
   * @param {number} width Of the result, at most the box's.
   * @param {number} height Of the result, at most the box's.
   * @param {number[]} scale Source pixels a target pixel, across and down.
   */
  constructor(box, width, height, scale = [box.width / width, box.height / height]) {
    this.box = box;
    this.width = width;
    this.height = height;
    this.across = shares(box.width, width, scale[0]);
    this.down = Array.from({ length: box.height }, () => []);
    shares(box.height, height, scale[1]).forEach(({ first, weights }, row) =>
      weights.forEach((weight, i) => this.down[first + i].push([row, weight])),
    );
    this.sums = new Float64Array(width * height * 3);
    this.line = new Float64Array(width * 3);
  }

  /**
   * @param {number} y The source row.
   * @param {Uint8Array|Uint8ClampedArray} data Holds the row.
   * @param {number} at Where in `data` the row begins.
   * @param {number} step Bytes a pixel, 3 or 4.
   */
  add(y, data, at, step) {
    const targets = this.down[y - this.box.top];
    if (!targets?.length) return;
    const { across, line, sums } = this;
    const start = at + this.box.left * step;
    for (let x = 0, out = 0; x < across.length; x += 1, out += 3) {
      const { first, weights } = across[x];
      let [red, green, blue] = [0, 0, 0];
      for (let i = 0, from = start + first * step; i < weights.length; i += 1, from += step) {
        red += weights[i] * data[from];
        green += weights[i] * data[from + 1];
        blue += weights[i] * data[from + 2];
      }
      line[out] = red;
      line[out + 1] = green;
      line[out + 2] = blue;
    }
    for (const [row, weight] of targets) {
      const base = row * line.length;
      for (let i = 0; i < line.length; i += 1) sums[base + i] += weight * line[i];
    }
  }

  /** @returns {{width: number, height: number, data: Uint8ClampedArray}} After the last row. */
  picture() {
    // A clamped array rounds to the nearest, ties to even, as OpenCV does.
    const { width, height } = this;
    return { width, height, data: Uint8ClampedArray.from(this.sums) };
  }
}

/** A picture shrunk by area. */
export function shrink(picture, width, height) {
  const { width: wide, height: high, data } = picture;
  if (width === wide && height === high) return picture;
  const shrinker = new AreaShrinker({ left: 0, top: 0, width: wide, height: high }, width, height);
  for (let y = 0; y < high; y += 1) shrinker.add(y, data, y * wide * 3, 3);
  return shrinker.picture();
}

/** Two source pixels of each target pixel of one axis, with OpenCV's weights of 11 bits. */
function neighbours(from, to) {
  return Array.from({ length: to }, (_, i) => {
    const at = Math.fround((i + 0.5) * (from / to) - 0.5);
    const low = Math.min(Math.max(Math.floor(at), 0), from - 1);
    const share = low === from - 1 ? 0 : Math.max(at - low, 0);
    const weights = [1 - share, share].map((each) => Math.round(each * 2048));
    return [low, Math.min(low + 1, from - 1), ...weights];
  });
}

/** A picture enlarged linearly; pixel centres are aligned and the border is repeated. */
export function enlarge(picture, width, height) {
  const { width: wide, data } = picture;
  if (width === wide && height === picture.height) return picture;
  const [columns, rows] = [neighbours(wide, width), neighbours(picture.height, height)];
  const out = new Uint8ClampedArray(width * height * 3);
  let at = 0;
  for (const [top, bottom, upper, lower] of rows) {
    for (const [left, right, before, after] of columns) {
      for (let c = 0; c < 3; c += 1) {
        const level = (row, column) => data[(row * wide + column) * 3 + c];
        const across = (row) => (level(row, left) * before + level(row, right) * after) >> 4;
        out[at] = (((upper * across(top)) >> 16) + ((lower * across(bottom)) >> 16) + 2) >> 2;
        at += 1;
      }
    }
  }
  return { width, height, data: out };
}

/** A square picture made a square of another side. */
export function resize(picture, side) {
  const less = Math.min(side, picture.width);
  return enlarge(shrink(picture, less, less), side, side);
}

/**
 * Turns a picture upright.
 *
 * @param {{width: number, height: number, data: Uint8ClampedArray}} picture As stored.
 * @param {number} orientation EXIF 2.32 tag 274, 1 to 8.
 */
export function upright(picture, orientation) {
  if (orientation === 1) return picture;
  const { width: wide, height: high, data } = picture;
  const turned = orientation >= 5;
  const [width, height] = turned ? [high, wide] : [wide, high];
  const out = new Uint8ClampedArray(data.length);
  const upsideDown = [3, 4, 7, 8].includes(orientation);
  const mirrored = [2, 3, 6, 7].includes(orientation);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [row, column] = [upsideDown ? height - 1 - y : y, mirrored ? width - 1 - x : x];
      const from = (turned ? column * wide + row : row * wide + column) * 3;
      const to = (y * width + x) * 3;
      for (let c = 0; c < 3; c += 1) out[to + c] = data[from + c];
    }
  }
  return { width, height, data: out };
}
