// Binary messages: the header that app/protocol.py describes, then a JPEG.

const MAGIC = 0x31444c57; // "WLD1", read little-endian
const HEADER_BYTES = 80;
const LAST_ROW = [0, 0, 0, 1];

/** Reads a frame's header; times are in milliseconds, `c2w` has 4 rows. */
export function readHeader(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < HEADER_BYTES || view.getUint32(0, true) !== MAGIC) {
    throw new Error("a frame of another protocol version: reload the page");
  }
  const rows = [0, 1, 2].map((row) =>
    [0, 1, 2, 3].map((column) => view.getFloat32(32 + 16 * row + 4 * column, true)),
  );
  return {
    number: view.getUint32(4, true),
    chunk: view.getUint32(8, true),
    seq: view.getUint32(12, true),
    at: view.getFloat64(16, true),
    waited: view.getFloat32(24, true),
    generated: view.getFloat32(28, true),
    c2w: [...rows, LAST_ROW],
  };
}

/** Decodes a frame's picture now, so that nothing is left to do when its time comes. */
export function decodePicture(buffer) {
  return createImageBitmap(new Blob([new Uint8Array(buffer, HEADER_BYTES)], { type: "image/jpeg" }));
}
