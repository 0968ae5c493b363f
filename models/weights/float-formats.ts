/**
 * Little-endian numbers of a safetensors or ONNX element type as float32; undefined for a type that holds no weights.
 *
 * @param bytes  whole elements; float32 data come back as a view when their place in memory allows it
 */
export function floatsOf(type: string, bytes: Uint8Array<ArrayBufferLike>): Float32Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const map = (width: number, at: (offset: number) => number): Float32Array =>
    Float32Array.from({ length: bytes.length / width }, (_, i) => at(i * width));
  switch (type) {
    case 'F32':
    case 'float32':
      // A typed array needs an offset that is a multiple of its element's size.
      return new Float32Array(
        bytes.byteOffset % 4 ? bytes.slice().buffer : bytes.buffer,
        bytes.byteOffset % 4 ? 0 : bytes.byteOffset,
        bytes.length / 4,
      );
    case 'F64':
    case 'float64':
      return map(8, (offset) => view.getFloat64(offset, true));
    case 'F16':
    case 'float16':
      return map(2, (offset) => halfToNumber(view.getUint16(offset, true)));
    case 'BF16':
      return new Float32Array(
        Uint32Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(2 * i, true) << 16).buffer,
      );
    default:
      return undefined;
  }
}

/** IEEE 754 binary16 → number. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
