/**
 * What an image file says about itself, and a copy of it without what browsers read differently.
 *
 * The counterpart of lentigo/image/header.py, with the same refusals. Browsers turn a photo by
 * its EXIF tag, apply its colour profile, brighten it by its gain map; Python's path turns it
 * itself and does nothing else. So the copy for the browser's decoder carries none of these,
 * and the orientation is applied by us.
 */

export const TRUNCATED = "it is truncated";
const CUT = "reason.truncated";
/** lentigo.image.header.MAX_SCANS */
const MAX_SCANS = 100;
const NOT_IN_BROWSER = new Set(["TIFF"]);
const READ = { JPEG: jpeg, PNG: png, WebP: webp, BMP: bmp, GIF: gif };
const TYPES = {
  JPEG: "image/jpeg", PNG: "image/png", WebP: "image/webp", BMP: "image/bmp", GIF: "image/gif",
};

/** A reason why a photo is not read, as the end of the sentence "FILE: ...". */
export class ImageError extends Error {
  /**
   * @param {string} reason In English, as Python's library says it.
   * @param {string} key The same in the catalogue.
   * @param {object} values What fills the gaps of that sentence.
   */
  constructor(reason, key = "reason.damaged", values = {}) {
    super(reason);
    this.key = key;
    this.values = values;
  }
}

/**
 * Reads the header of an image and checks that the file reaches its own end.
 *
 * @param {Uint8Array} bytes The whole file.
 * @returns {{kind: string, type: string, width: number, height: number, orientation: number,
 *     sampling: number[][], interlaced?: boolean, animated?: boolean, clean: Uint8Array}} Size as
 *     stored; EXIF orientation 1 to 8; sampling factors of a JPEG's components; whether a PNG
 *     moves; `clean` is for the decoder.
 * @throws {ImageError} Not an image, one that the browser does not read, or truncated.
 */
export function readHeader(bytes) {
  const kind = sniff(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header;
  try {
    header = READ[kind](bytes, view);
  } catch (error) {
    if (error instanceof RangeError) throw new ImageError(TRUNCATED, CUT);
    throw error;
  }
  const { width, height } = header;
  if (!(width >= 1 && height >= 1)) {
    throw new ImageError(`its header states a size of ${width} x ${height} pixels`);
  }
  return { kind, type: TYPES[kind], orientation: 1, sampling: [], clean: bytes, ...header };
}

function sniff(bytes) {
  if (!bytes.length) throw new ImageError("the file is empty", "reason.empty");
  const text = String.fromCharCode(...bytes.subarray(0, 32));
  const brand = text.slice(4, 8) === "ftyp" ? text.slice(8, 12) : "";
  const found = Object.entries({
    JPEG: text.startsWith("\xff\xd8"),
    PNG: text.startsWith("\x89PNG\r\n\x1a\n"),
    TIFF: text.startsWith("II*\0") || text.startsWith("MM\0*"),
    WebP: text.startsWith("RIFF") && text.slice(8, 12) === "WEBP",
    BMP: text.startsWith("BM") && text.slice(6, 10) === "\0\0\0\0",
    GIF: text.startsWith("GIF87a") || text.startsWith("GIF89a"),
    HEIC: ["heic", "heix", "hevc", "mif1", "msf1"].includes(brand),
    AVIF: ["avif", "avis"].includes(brand),
    "JPEG 2000": text.startsWith("\0\0\0\x0cjP  ") || text.startsWith("\xff\x4f\xff\x51"),
    PDF: text.startsWith("%PDF"),
    ZIP: text.startsWith("PK\x03\x04"),
  }).find(([, matches]) => matches);
  if (!found) {
    const empty = bytes.subarray(0, 32).every((byte) => byte === 0);
    if (!empty) throw new ImageError("it is not an image", "reason.no_image");
    throw new ImageError(
      "it holds only zero bytes, as an interrupted copy leaves them", "reason.zeros",
    );
  }
  const [kind] = found;
  if (!(kind in READ)) {
    const told = `it is ${kind.startsWith("A") ? "an" : "a"} ${kind} file`;
    const why = NOT_IN_BROWSER.has(kind) ? "which browsers do not read" : "which is not read here";
    throw new ImageError(`${told}, ${why}`, "reason.foreign", { kind });
  }
  return kind;
}

function join(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const letters = (bytes, at, count) => String.fromCharCode(...bytes.subarray(at, at + count));

/** Markers up to the end-of-image marker; what follows it is not looked at. */
function jpeg(bytes, view) {
  let [at, width, height, orientation, sampling] = [2, 0, 0, 1, []];
  const kept = [bytes.subarray(0, 2)];
  let [from, missing, scans] = [2, [], 0];
  for (;;) {
    const marker = nextMarker(bytes, at);
    if (!marker) throw new ImageError(`${TRUNCATED}: the JPEG has no end marker`, CUT);
    const [code, body] = marker;
    if (code === 0xd9) {
      if (missing.length) {
        throw new ImageError(`${TRUNCATED}: the JPEG ends before all its scans are there`);
      }
      kept.push(bytes.subarray(from, body));
      return { width, height, orientation, sampling, clean: join(kept) };
    }
    at = body;
    if (code === 0x01 || code === 0xd8) continue;
    const length = view.getUint16(body);
    if (code >= 0xc0 && code <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(code)) {
      if (scans || missing.length) throw new ImageError("the JPEG has more than one frame");
      [height, width] = [view.getUint16(body + 3), view.getUint16(body + 5)];
      sampling = Array.from({ length: view.getUint8(body + 7) }, (_, i) => {
        const factors = view.getUint8(body + 9 + 3 * i);
        return [factors >> 4, factors & 15];
      });
      missing = partsOfFrame(code, view, body);
    } else if (code === 0xda) {
      missing = leftByScan(missing, view, body);
      scans += 1;
      if (scans > MAX_SCANS) throw new ImageError(`the JPEG has more than ${MAX_SCANS} scans`);
    }
    at += Math.max(length, 2);
    // APP1 holds EXIF and XMP; APP2 colour profiles, gain maps and further pictures.
    if (code === 0xe1 || code === 0xe2) {
      if (code === 0xe1 && letters(bytes, body + 2, 6) === "Exif\0\0") {
        orientation = exifOrientation(bytes.subarray(body + 8, body + length));
      }
      kept.push(bytes.subarray(from, body - 2));
      from = at;
    }
  }
}

/**
 * [component, coefficient] of all that the scans of a frame have to bring, T.81 B.2.2.
 *
 * Of a frame that is not progressive one scan brings a component whole, whatever it states.
 */
function partsOfFrame(code, view, body) {
  const coefficients = [0xc2, 0xca].includes(code) ? 64 : 1;
  return Array.from({ length: view.getUint8(body + 7) }, (_, i) => {
    const component = view.getUint8(body + 8 + 3 * i);
    return Array.from({ length: coefficients }, (__, at) => [component, at]);
  }).flat();
}

/** What of `parts` a scan does not bring to the last bit, T.81 B.2.3 and G.1.1.1. */
function leftByScan(parts, view, body) {
  const count = view.getUint8(body + 2);
  const components = Array.from({ length: count }, (_, i) => view.getUint8(body + 3 + 2 * i));
  const [first, last, shift] = [3, 4, 5].map((i) => view.getUint8(body + i + 2 * count));
  if (shift & 15) return parts; // further scans refine it
  // A lossless frame names its predictor where others name the first coefficient.
  const brought = (at) => at >= (last && first) && at <= last;
  return parts.filter(([component, at]) => !components.includes(component) || !brought(at));
}

function nextMarker(bytes, from) {
  let at = from;
  while ((at = bytes.indexOf(0xff, at)) >= 0 && at + 1 < bytes.length) {
    const code = bytes[at + 1];
    // 00 is a stuffed byte and D0 to D7 are restarts, both inside a scan; FF is padding.
    if (code !== 0x00 && code !== 0xff && !(code >= 0xd0 && code <= 0xd7)) return [code, at + 2];
    at += code === 0xff ? 1 : 2;
  }
  return null;
}

function png(bytes, view) {
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const interlaced = bytes[28] !== 0;
  const kept = [bytes.subarray(0, 8)];
  let [at, orientation, animated] = [8, 1, false];
  while (at + 12 <= bytes.length) {
    const [length, name] = [view.getUint32(at), letters(bytes, at + 4, 4)];
    const end = at + 12 + length;
    if (end > bytes.length) break;
    if (name === "eXIf") orientation = exifOrientation(bytes.subarray(at + 8, at + 8 + length));
    animated ||= name === "acTL";
    // Without gAMA, iCCP and the like the values are what they are.
    if (["IHDR", "PLTE", "tRNS", "IDAT", "IEND"].includes(name)) kept.push(bytes.subarray(at, end));
    if (name === "IEND") {
      return { width, height, orientation, interlaced, animated, clean: join(kept) };
    }
    at = end;
  }
  throw new ImageError(`${TRUNCATED}: the PNG has no end chunk`, CUT);
}

function webp(bytes, view) {
  const declared = view.getUint32(4, true) + 8;
  if (bytes.length < declared) {
    throw new ImageError(`${TRUNCATED}: ${bytes.length} of ${declared} bytes are here`, CUT);
  }
  const kept = [];
  let [at, orientation, size] = [12, 1, null];
  while (at + 8 <= declared) {
    const [name, length] = [letters(bytes, at, 4), view.getUint32(at + 4, true)];
    const [body, end] = [at + 8, at + 8 + length + (length % 2)];
    size ??= webpSize(name, view, body);
    if (name === "EXIF") orientation = webpOrientation(bytes.subarray(body, body + length));
    if (!["EXIF", "ICCP", "XMP "].includes(name)) kept.push(bytes.slice(at, end));
    at = end;
  }
  // The extended header's flags of profile, EXIF and XMP.
  for (const chunk of kept) if (letters(chunk, 0, 4) === "VP8X") chunk[8] &= ~0x2c;
  const clean = join([bytes.slice(0, 12), ...kept]);
  new DataView(clean.buffer).setUint32(4, clean.length - 8, true);
  const [width, height] = size ?? [0, 0];
  return { width, height, orientation, clean };
}

function webpOrientation(exif) {
  return exifOrientation(letters(exif, 0, 6) === "Exif\0\0" ? exif.subarray(6) : exif);
}

function webpSize(name, view, body) {
  const byte = (offset) => view.getUint8(body + offset);
  if (name === "VP8X") {
    const three = (offset) => byte(offset) + (byte(offset + 1) << 8) + (byte(offset + 2) << 16);
    return [three(4) + 1, three(7) + 1];
  }
  if (name === "VP8L") {
    const bits = view.getUint32(body + 1, true);
    return [(bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1];
  }
  if (name !== "VP8 ") return null;
  return [view.getUint16(body + 6, true) & 0x3fff, view.getUint16(body + 8, true) & 0x3fff];
}

function bmp(_, view) {
  if (view.getUint32(14, true) === 12) {
    return { width: view.getUint16(18, true), height: view.getUint16(20, true) };
  }
  return { width: view.getInt32(18, true), height: Math.abs(view.getInt32(22, true)) };
}

function gif(_, view) {
  return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
}

/** EXIF orientation of a TIFF block; 1 where there is none or it is nonsense. */
function exifOrientation(tiff) {
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const order = letters(tiff, 0, 2);
  if (order !== "II" && order !== "MM") return 1;
  const little = order === "II";
  try {
    const directory = view.getUint32(4, little);
    for (let i = 0; i < view.getUint16(directory, little); i += 1) {
      const entry = directory + 2 + 12 * i;
      if (view.getUint16(entry, little) !== 274) continue;
      const read = { 1: "getUint8", 3: "getUint16", 4: "getUint32" }[
        view.getUint16(entry + 2, little)
      ];
      const value = read ? view[read](entry + 8, little) : 1;
      return value >= 1 && value <= 8 ? value : 1;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return 1;
}
