import type { Frame } from '../../../operators/types.js';

/** A frame of one grey level, at source size = input size, on shared memory. */
export function greyFrame(grey: number, side = 32): Frame {
  return {
    camera: 'grey',
    epoch: 0,
    index: grey,
    pts: grey,
    time: 0,
    receivedMs: 0,
    captureMs: 0,
    source: { width: side, height: side },
    placement: { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 },
    droppable: false,
    pixels: new Uint8Array(new SharedArrayBuffer(side * side * 3)).fill(grey),
    release() {},
  };
}
