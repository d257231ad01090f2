/**
 * The pixels of a photo as stored.
 *
 * The counterpart of lentigo/image/decode.py. Photos are read in bands of rows, because canvases
 * of a whole photograph are refused by some phones.
 */

import { ImageError, TRUNCATED } from "./header.js";

/** Rows a band; every divisor of a reduced JPEG divides it. */
const BAND = 64;
/** What a JPEG's decoder makes of blocks that are not there. */
const ABSENT = 128;
/** How far a browser's colours may be from it. */
const ROUNDING = 2;
/** Begins with the zero that a cut pair of bytes may want, and holds no marker. */
const FILLER = Uint8Array.from({ length: 254 * 8 }, (_, i) => i % 254);
const AS_STORED = { colorSpaceConversion: "none", premultiplyAlpha: "none" };

/**
 * @param {object} header From `readHeader`.
 * @returns {Promise<ImageBitmap>} Not turned; to be closed.
 * @throws {ImageError} Damaged, or a JPEG that was cut short and closed again.
 */
export async function decode(header) {
  const { clean, kind, width, height } = header;
  const bitmap = await bitmapOf([clean], header);
  if (!bitmap) {
    throw new ImageError(
      `the ${kind} cannot be decoded: it is damaged, truncated, or of a rare kind that this ` +
        "browser does not read",
    );
  }
  let reason = "";
  if (bitmap.width !== width || bitmap.height !== height) {
    const size = `${bitmap.width} x ${bitmap.height}`;
    reason = `this browser decodes it to ${size} instead of ${width} x ${height}`;
  } else if (kind === "JPEG" && (await lacksBlocks(bitmap, header))) {
    reason = `${TRUNCATED}: the JPEG ends before all its blocks are there`;
  }
  if (!reason) return bitmap;
  bitmap.close();
  throw new ImageError(reason);
}

async function bitmapOf(parts, { type }) {
  try {
    return await createImageBitmap(new Blob(parts, { type }), AS_STORED);
  } catch {
    return null;
  }
}

/**
 * Whether a JPEG's data end before its pixels do, which its decoder tells no caller.
 *
 * The rest is filled with one grey then, so few images are looked at further: what is put in
 * front of the end marker changes pixels only where blocks are wanting.
 */
async function lacksBlocks(bitmap, header) {
  const corner = await createImageBitmap(bitmap, bitmap.width - 1, bitmap.height - 1, 1, 1);
  const [red, green, blue] = bands(corner).next().value.data;
  corner.close();
  if ([red, green, blue].some((level) => Math.abs(level - ABSENT) > ROUNDING)) return false;
  const end = header.clean.length - 2;
  const parts = [header.clean.subarray(0, end), FILLER, header.clean.subarray(end)];
  const longer = await bitmapOf(parts, header);
  if (!longer) return true;
  try {
    const others = bands(longer);
    for (const { data } of bands(bitmap)) {
      const other = others.next().value.data;
      if (data.some((level, i) => level !== other[i])) return true;
    }
    return false;
  } finally {
    longer.close();
  }
}

/** The pixels over a background, RGBA, some rows at a time. */
export function* bands(bitmap, background = [0, 0, 0]) {
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, Math.min(BAND, height));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.fillStyle = `rgb(${background.join(" ")})`;
  for (let top = 0; top < height; top += BAND) {
    const rows = Math.min(BAND, height - top);
    context.fillRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, top, width, rows, 0, 0, width, rows);
    yield { top, rows, data: context.getImageData(0, 0, width, rows).data };
  }
}
