/**
 * Reads a bundle: a LiteRT graph with a stored zip behind it that holds bundle.json.
 *
 * The counterpart of lentigo/deploy/bundle.py, with the same refusals.
 */

const SCHEMA_VERSION = 1;
const MEMBER = "bundle.json";
const CARD = "model_card.md";
const AGAIN = "Copy the file again from where it came from.";
const END_OF_DIRECTORY = 0x06054b50;
const IN_DIRECTORY = 0x02014b50;
const AT_ENTRY = 0x04034b50;
const STORED = 0;

/** A bundle that cannot be used; the message says why and what to do. */
export class BundleError extends Error {}

/**
 * Checks a bundle's bytes.
 *
 * @param {Uint8Array} bytes The whole file.
 * @returns {Promise<{info: object, graph: Uint8Array, modelCard: string, digestChecked: boolean}>}
 *     `digestChecked` is false where the browser has no digests: on plain http.
 * @throws {BundleError} Damaged, foreign, or newer than this app.
 */
export async function readBundle(bytes) {
  if (text(bytes.subarray(4, 8)) !== "TFL3") {
    throw new BundleError("The model is not a LiteRT graph, so it is no bundle.");
  }
  const { members, graphBytes } = readMembers(bytes);
  if (!members.has(MEMBER)) {
    throw new BundleError(`The model is foreign: the zip behind its graph holds no ${MEMBER}.`);
  }
  const info = parse(members.get(MEMBER));
  const graph = bytes.subarray(0, graphBytes);
  const digest = await sha256(graph);
  if (digest !== null && digest !== info.graph_sha256) {
    throw new BundleError(
      `The model is damaged: its graph does not have the digest that it states. ${AGAIN}`,
    );
  }
  const modelCard = members.has(CARD) ? text(members.get(CARD)) : "";
  return { info, graph, modelCard, digestChecked: digest !== null };
}

const text = (bytes) => new TextDecoder().decode(bytes);

function parse(member) {
  let info;
  try {
    info = JSON.parse(text(member));
  } catch (error) {
    throw new BundleError(`The model is damaged: ${MEMBER}: ${error.message}. ${AGAIN}`);
  }
  if (info?.schema_version > SCHEMA_VERSION) {
    throw new BundleError(
      `The model has schema ${info.schema_version}; this app reads up to ${SCHEMA_VERSION}. ` +
        "Take a newer lentigo for the app.",
    );
  }
  const classes = info?.taxonomy?.classes;
  const shares = info?.mixture?.length ?? classes?.length;
  if (
    !(info?.spec && classes?.length > 1 && info.temperature > 0 && info.operating_points) ||
    shares !== classes.length
  ) {
    throw new BundleError(`The model is foreign or damaged; its ${MEMBER} cannot be used.`);
  }
  return info;
}

/** The zip's entries, and how many bytes stand before it. */
function readMembers(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const end = endOfDirectory(view);
    const members = new Map();
    let [at, graphBytes] = [view.getUint32(end + 16, true), bytes.length];
    for (let i = 0; i < view.getUint16(end + 10, true); i += 1) {
      if (view.getUint32(at, true) !== IN_DIRECTORY) throw new RangeError("no directory entry");
      const [nameBytes, extra] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true)];
      const name = text(bytes.subarray(at + 46, at + 46 + nameBytes));
      const offset = view.getUint32(at + 42, true);
      graphBytes = Math.min(graphBytes, offset);
      members.set(name, readEntry(bytes, view, at, offset));
      at += 46 + nameBytes + extra + view.getUint16(at + 32, true);
    }
    return { members, graphBytes };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new BundleError(
      `The model carries no readable ${MEMBER}: a plain .tflite of another origin, or a bundle ` +
        `that was cut short or changed on the way (${error.message}). ${AGAIN}`,
    );
  }
}

/** The end of a zip's directory stands within its last 64 KiB. */
function endOfDirectory(view) {
  const first = Math.max(0, view.byteLength - 22 - 0xffff);
  for (let at = view.byteLength - 22; at >= first; at -= 1) {
    if (view.getUint32(at, true) === END_OF_DIRECTORY) return at;
  }
  throw new RangeError("no end of a zip");
}

function readEntry(bytes, view, directory, at) {
  if (view.getUint32(at, true) !== AT_ENTRY) throw new RangeError("no entry");
  if (view.getUint16(at + 8, true) !== STORED) throw new RangeError("a compressed entry");
  const start = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
  const content = bytes.subarray(start, start + view.getUint32(directory + 24, true));
  if (crc32(content) !== view.getUint32(directory + 16, true)) throw new RangeError("bad CRC-32");
  return content;
}

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
