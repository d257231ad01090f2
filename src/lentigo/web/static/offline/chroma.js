/**
 * The colour planes of a reduced JPEG, as libjpeg leaves them.
 *
 * Most JPEGs store colour at half the resolution. A full decode enlarges it with a triangle
 * filter; a reduced decode, as Python's, takes the stored samples where they are enough. So
 * averages of the browser's full decode are a little too smooth in colour (up to 7 grey levels on
 * harsh pictures); here that is undone. Sources: libjpeg-turbo's jdmaster.c (which size each
 * plane is decoded at) and jdsample.c (the filter).
 */

/**
 * @param {Float32Array} rgb Averages of d by d pixels of the full decode; changed in place.
 * @param {number} width
 * @param {number} height
 * @param {number} d How far it is reduced: 2, 4 or 8.
 * @param {number[][]} sampling Across and down, of each component of the JPEG.
 */
export function matchChroma(rgb, width, height, d, sampling) {
  const change = chooseChange(d, sampling);
  if (!change) return;
  const planes = [new Float32Array(width * height), new Float32Array(width * height)];
  const lumas = new Float32Array(width * height);
  const [blue, red] = planes;
  for (let i = 0; i < lumas.length; i += 1) {
    const y = 0.299 * rgb[3 * i] + 0.587 * rgb[3 * i + 1] + 0.114 * rgb[3 * i + 2];
    lumas[i] = y;
    blue[i] = (rgb[3 * i + 2] - y) / 1.772;
    red[i] = (rgb[3 * i] - y) / 1.402;
  }
  planes.forEach((plane) => change(plane, width, height));
  for (let i = 0; i < lumas.length; i += 1) {
    rgb[3 * i] = lumas[i] + 1.402 * red[i];
    rgb[3 * i + 1] = lumas[i] - 0.344136 * blue[i] - 0.714136 * red[i];
    rgb[3 * i + 2] = lumas[i] + 1.772 * blue[i];
  }
}

function chooseChange(d, sampling) {
  if (sampling.length !== 3) return null;
  const pairing = d < 8 ? pairSmoothly : pairFlatly;
  // Luma's sampling against that of both colour planes.
  switch (sampling.flat().join("")) {
    case "221111": // 4:2:0; from d = 4 on, what is left of the filter is below a grey level
      return d === 2 ? (plane, w, h) => (along(plane, w, h, sharpen), down(plane, w, h, sharpen)) : null;
    case "211111": // 4:2:2
      return (plane, w, h) => along(plane, w, h, pairing);
    case "121111": // 4:4:0, which is 4:2:2 turned
      return (plane, w, h) => down(plane, w, h, pairing);
    default:
      return null;
  }
}

function along(plane, width, height, change) {
  for (let y = 0; y < height; y += 1) change(plane.subarray(y * width, (y + 1) * width));
}

function down(plane, width, height, change) {
  const line = new Float32Array(height);
  for (let x = 0; x < width; x += 1) {
    for (let y = 0; y < height; y += 1) line[y] = plane[y * width + x];
    change(line);
    for (let y = 0; y < height; y += 1) plane[y * width + x] = line[y];
  }
}

/**
 * Undoes the triangle filter of a line of samples.
 *
 * Enlarged and averaged in pairs again, a sample is 6/8 of itself and 1/8 of each neighbour, the
 * outermost 7/8 of themselves: a tridiagonal system, solved from one end and back (Thomas).
 */
function sharpen(line) {
  const last = line.length - 1;
  if (last < 1) return;
  const above = new Float32Array(line.length);
  above[0] = 1 / 7;
  line[0] *= 8 / 7;
  for (let i = 1; i <= last; i += 1) {
    const pivot = (i === last ? 7 : 6) - above[i - 1];
    above[i] = 1 / pivot;
    line[i] = (8 * line[i] - line[i - 1]) / pivot;
  }
  for (let i = last - 1; i >= 0; i -= 1) line[i] -= above[i] * line[i + 1];
}

/** Means of pairs, enlarged with the triangle filter. */
function pairSmoothly(line) {
  const means = pairs(line);
  const mean = (i) => means[Math.min(Math.max(i, 0), means.length - 1)];
  for (let i = 0; i < line.length; i += 1) {
    const at = i >> 1;
    line[i] = (3 * mean(at) + mean(i % 2 ? at + 1 : at - 1)) / 4;
  }
}

/** Means of pairs, repeated. */
function pairFlatly(line) {
  const means = pairs(line);
  for (let i = 0; i < line.length; i += 1) line[i] = means[i >> 1];
}

function pairs(line) {
  return Float32Array.from({ length: Math.ceil(line.length / 2) }, (_, i) => {
    const second = Math.min(2 * i + 1, line.length - 1);
    return (line[2 * i] + line[second]) / 2;
  });
}
