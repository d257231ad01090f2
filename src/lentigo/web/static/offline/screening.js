/**
 * What is refused before a pixel is decoded: two kinds of file at once, animated, or too large.
 *
 * The counterpart of lentigo/web/screening.py, with the same refusals but that of memory.
 */

import { ImageError, letters } from "./header.js";

/** As many as the page takes; a phone has no memory for more. */
const MAX_PIXELS = 40_000_000;
const [ZIP_END, ZIP_END_BYTES, ZIP_ENTRY] = ["PK\x05\x06", 22, "PK\x01\x02"];
/** Their readers look for these wherever they stand. */
const ARCHIVES = { "Rar!\x1a\x07": "a RAR archive", "7z\xbc\xaf\x27\x1c": "a 7z archive" };
/** With what ends a name: by chance five bytes stand in one of two thousand files of 20 MB. */
const MARKUP = /^<(?:(?:script|html)[\t\n\f\r />]|!doctype|\?php[\t\n\r ])/i;
const MARKUP_BYTES = 9;
const PDF_BYTES = 1024;
const COMMENT_BYTES = 0xffff;

/**
 * Lets a photo through to the decoder.
 *
 * @param {Uint8Array} bytes The whole file.
 * @param {object} header From `readHeader`.
 * @throws {ImageError} It is another kind of file as well, animated, or too large.
 */
export function screen(bytes, header) {
  const { kind, width, height } = header;
  const other = otherKind(bytes);
  if (other) {
    const reason = `it is a ${kind} and ${other} at once, which no camera makes`;
    throw new ImageError(reason, "reason.two_kinds");
  }
  if (header.animated || animated(bytes, kind)) {
    const reason = `it is an animated ${kind}; hand in a single picture`;
    throw new ImageError(reason, "reason.animated");
  }
  if (width * height > MAX_PIXELS) {
    const megapixels = MAX_PIXELS / 1e6;
    const reason = `it has ${width} x ${height} pixels; ${megapixels} megapixels are taken`;
    throw new ImageError(reason, "reason.pixels", { width, height, megapixels });
  }
}

/** What else a file is; some programs read it from its end, or look for their mark inside. */
function otherKind(bytes) {
  if (endsAsZip(bytes)) return "a zip archive";
  const archive = Object.keys(ARCHIVES).find((mark) => stands(mark, bytes));
  if (archive) return ARCHIVES[archive];
  if (stands("%PDF-", bytes.subarray(0, PDF_BYTES))) return "a PDF";
  const markup = (at) => MARKUP.test(letters(bytes, at, MARKUP_BYTES));
  return someAt("<", bytes, markup) ? "a web page" : "";
}

function endsAsZip(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const last = bytes.length - ZIP_END_BYTES;
  for (let end = last; end >= Math.max(0, last - COMMENT_BYTES); end -= 1) {
    if (letters(bytes, end, 4) !== ZIP_END) continue;
    const [size, comment] = [view.getUint32(end + 12, true), view.getUint16(end + 20, true)];
    // Readers forgive what follows an archive, as long as its directory stands before its end.
    const listed = size <= end && letters(bytes, end - size, 4) === ZIP_ENTRY;
    return listed || end === last - comment;
  }
  return false;
}

const stands = (mark, bytes) =>
  someAt(mark[0], bytes, (at) => letters(bytes, at, mark.length) === mark);

/** Whether something holds at one of the places where a letter stands. */
function someAt(letter, bytes, holds) {
  const code = letter.charCodeAt(0);
  for (let at = bytes.indexOf(code); at >= 0; at = bytes.indexOf(code, at + 1)) {
    if (holds(at)) return true;
  }
  return false;
}

function animated(bytes, kind) {
  if (kind === "WebP") return letters(bytes, 12, 4) === "VP8X" && (bytes[20] & 0x02) !== 0;
  return kind === "GIF" && gifFrames(bytes) > 1;
}

/** Frames of a GIF, counted until the second (GIF89a, 20 to 26). */
function gifFrames(bytes) {
  const table = (flags) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  let [at, frames] = [13 + table(bytes[10]), 0];
  while (frames < 2 && at < bytes.length) {
    if (bytes[at] === 0x2c) {
      frames += 1;
      at += 11 + table(bytes[at + 9]);
    } else if (bytes[at] === 0x21) {
      at += 2;
    } else {
      break;
    }
    while (bytes[at]) at += bytes[at] + 1;
    at += 1;
  }
  return frames;
}
