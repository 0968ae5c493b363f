import type { DetectedFrame, Frame, Instance, TrackedFrame } from '../../operators/types.js';

/** A frame without pixels that counts its releases. */
export function testFrame(
  camera: string,
  index: number,
  more: Partial<Frame> = {},
): Frame & { readonly released: () => number } {
  let count = 0;
  return {
    camera,
    epoch: 0,
    index,
    pts: index / 10,
    time: index * 100,
    receivedMs: 0,
    captureMs: 0,
    source: { width: 100, height: 100 },
    placement: { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 },
    droppable: true,
    pixels: new Uint8Array(0),
    release: () => {
      count++;
    },
    released: () => count,
    ...more,
  };
}

export function detectedFrame(camera: string, index: number, more: Partial<DetectedFrame> = {}): DetectedFrame {
  return {
    camera,
    epoch: 0,
    index,
    pts: index / 10,
    time: 1_000_000 + index * 100,
    receivedMs: 0,
    captureMs: 0,
    queueMs: 0,
    detectMs: 0,
    source: { width: 100, height: 100 },
    detections: [],
    ...more,
  };
}

export function trackedFrame(
  index: number,
  instances: readonly Instance[],
  more: Partial<TrackedFrame> = {},
): TrackedFrame {
  return {
    camera: 'cam',
    epoch: 0,
    index,
    pts: index / 10,
    time: 1_000_000 + index * 100,
    source: { width: 100, height: 100 },
    latency: { capture: 0, queue: 0, detect: 0, track: 0, total: 0 },
    instances,
    ended: [],
    ...more,
  };
}

export function instance(id: string, more: Partial<Instance> = {}): Instance {
  return {
    id,
    label: 'person',
    score: 0.8,
    box: [10, 10, 30, 60],
    state: 'moving',
    zones: [],
    age: 0,
    velocity: [0, 0],
    ...more,
  };
}
