/**
 * The words of maskcast as types: what travels from a camera to a topic.
 * Boxes are `[x1, y1, x2, y2]` in pixels of the source frame, origin top left, may carry fractions.
 */

/** Camera name as in the configuration, `[A-Za-z0-9_-]{1,64}`. */
export type CameraId = string;

/** `[x1, y1, x2, y2]`, source pixels, x2 ≥ x1, y2 ≥ y1. */
export type BoxXyxy = readonly [number, number, number, number];

/** Width and height in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Where the source picture lies in the model's input:
 * `input = source · scale + offset` on each axis, in pixel-edge coordinates (0 is the left edge of the first pixel).
 */
export interface Placement {
  readonly scaleX: number;
  readonly scaleY: number;
  readonly offsetX: number;
  readonly offsetY: number;
}

/** Form of picture that a model takes. Channel order, mean and scale are the adapter's own affair. */
export interface InputForm extends Size {
  /** `stretch`: both axes scaled to fill; `letterbox-top-left` / `letterbox-center`: aspect kept, rest filled. */
  readonly fit: 'stretch' | 'letterbox-top-left' | 'letterbox-center';
  /** Grey level 0…255 of the filling. */
  readonly fill: number;
}

/**
 * One decoded picture, scaled to the model's input. A handle: whoever takes it from a batch calls `release()`
 * exactly once, after which `pixels` belongs to the pool again.
 */
export interface Frame {
  readonly camera: CameraId;
  /** Counts the connections of a camera from 0; `pts` is strictly monotonic inside one. */
  readonly epoch: number;
  /** Counts the delivered frames of this camera from 0, over all epochs. */
  readonly index: number;
  /** Seconds in the source's own clock. */
  readonly pts: number;
  /** UTC of capture, milliseconds since 1970, may carry fractions. */
  readonly time: number;
  /** Monotonic clock (ms, `performance.now()` of the main thread) when the whole frame had arrived. */
  readonly receivedMs: number;
  /** Milliseconds between the first byte and the last byte of the frame at our end of the pipe. */
  readonly captureMs: number;
  /** Size of the source picture as shown (after rotation), to which boxes refer. */
  readonly source: Size;
  readonly placement: Placement;
  /** True for a live camera: a fresher frame may take this one's place. False for a file, of which no frame is lost. */
  readonly droppable: boolean;
  /** `[height, width, 3]` rgb24 at the model's input size, on a SharedArrayBuffer. */
  readonly pixels: Uint8Array;
  release(): void;
}

/**
 * The picture of a frame, small and grey: what the comparison of one frame with the next looks at. Cell `(i, j)` covers the
 * source from `(i · cellWidth, j · cellHeight)` on.
 */
export interface Thumbnail extends Size {
  /** Source pixels that a cell covers, across and down; they may be fractions. */
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** `[height, width]` mean brightness of each cell, 0…255. */
  readonly luma: Float32Array;
}

/** COCO run-length code (compressed string, column-major) of a box's own crop. */
export interface MaskRle {
  /** `[height, width]` of the crop in pixels. */
  readonly size: readonly [number, number];
  /** `[x, y]` of the crop's top-left pixel in the source frame. */
  readonly origin: readonly [number, number];
  readonly counts: string;
}

/** What a model found in one frame, before identity. */
export interface Detection {
  /** COCO class name. */
  readonly label: string;
  /** 0…1. */
  readonly score: number;
  readonly box: BoxXyxy;
  readonly mask?: MaskRle;
}

/** Milliseconds spent in each stage; `total` runs from the arrival of the first byte to the end of tracking. */
export interface Latency {
  readonly capture: number;
  readonly queue: number;
  readonly detect: number;
  readonly track: number;
  readonly total: number;
}

/** All detections of one frame. The frame's pixels were released already. */
export interface DetectedFrame {
  readonly camera: CameraId;
  readonly epoch: number;
  readonly index: number;
  readonly pts: number;
  readonly time: number;
  readonly receivedMs: number;
  readonly captureMs: number;
  /** Waited for a batch, ms. */
  readonly queueMs: number;
  /** Inference with pre- and post-processing, ms. */
  readonly detectMs: number;
  readonly source: Size;
  readonly detections: readonly Detection[];
  /** Where the detector was asked for it. It goes no further than to `watchCamera`: nothing published or recorded holds it. */
  readonly thumbnail?: Thumbnail;
}

export type InstanceState = 'moving' | 'stationary' | 'lost';

/** One object of one frame, with its identity. */
export interface Instance {
  /** `<camera>-<start in base 36>-<n>`: unique across cameras, runs and restarts. */
  readonly id: string;
  readonly label: string;
  readonly score: number;
  readonly box: BoxXyxy;
  readonly mask?: MaskRle;
  readonly state: InstanceState;
  readonly zones: readonly string[];
  /** Seconds (pts) since the track's first detection. */
  readonly age: number;
  /** `[vx, vy]` of the box centre, source pixels per second. */
  readonly velocity: readonly [number, number];
}

/** Why a confirmed track is over. */
export type TrackEndReason = 'gone' | 'gap' | 'cut' | 'epoch' | 'closed';

/** A confirmed track that has ended; it will not come back under this id. */
export interface EndedTrack {
  readonly id: string;
  readonly label: string;
  /** pts of the last detection. */
  readonly lastPts: number;
  readonly reason: TrackEndReason;
}

/**
 * The confirmed instances of one frame. Unconfirmed tracks are never in it. Instances with state `lost` carry a
 * predicted box and no mask.
 */
export interface TrackedFrame {
  readonly camera: CameraId;
  readonly epoch: number;
  readonly index: number;
  readonly pts: number;
  readonly time: number;
  readonly source: Size;
  readonly latency: Latency;
  readonly instances: readonly Instance[];
  /** Confirmed tracks that ended with this frame. */
  readonly ended: readonly EndedTrack[];
}

/** State of a camera as published on `<c>/status`. */
export type CameraState = 'connecting' | 'live' | 'reconnecting' | 'paused' | 'ended' | 'failed';

export interface CameraStatus {
  readonly camera: CameraId;
  readonly state: CameraState;
  /** UTC ms when this state began. */
  readonly since: number;
  /** One readable sentence without credentials; absent when all is well. */
  readonly reason?: string;
  /** Frames per second delivered, over the last seconds. */
  readonly fps: number;
  readonly epoch: number;
}

/** One file of the continuous recorder: a stream copy whose timestamps are the source's (`pts` of the frames). */
export interface Segment {
  readonly camera: CameraId;
  readonly epoch: number;
  readonly path: string;
  /** Source pts (s) of its first and of the end of its last picture. */
  readonly startPts: number;
  readonly endPts: number;
  /** UTC ms of pts 0 of this epoch: `time = pts0Time + pts · 1000`. */
  readonly pts0Time: number;
}

/** What a camera source emits, in order of happening. */
export type SourceMessage =
  | { readonly kind: 'status'; readonly status: CameraStatus }
  | { readonly kind: 'frame'; readonly frame: Frame }
  | { readonly kind: 'segment'; readonly segment: Segment };

/** Something that began, changed or ended for a track; published on `<c>/events`. */
export interface TrackEvent {
  readonly type: 'start' | 'update' | 'end';
  readonly camera: CameraId;
  readonly epoch: number;
  /** Event id: the track's id, for an event is one confirmed track of a chosen label. */
  readonly event: string;
  readonly track: string;
  readonly label: string;
  /** Best score so far. */
  readonly score: number;
  readonly box: BoxXyxy;
  readonly mask?: MaskRle;
  /** Zones the instance is in now. */
  readonly zones: readonly string[];
  /** Zones it was ever in, in order of entry. */
  readonly entered: readonly string[];
  /** UTC ms and pts of the track's first detection. */
  readonly start: number;
  readonly startPts: number;
  /** UTC ms and pts of its last detection; only in `end`. */
  readonly end?: number;
  readonly endPts?: number;
  /** UTC ms and pts of the frame that this message speaks of. */
  readonly time: number;
  readonly pts: number;
}

/** State of a clip; published on `<c>/clips`. */
export interface ClipMessage {
  readonly camera: CameraId;
  readonly clip: string;
  readonly event: string;
  readonly state: 'ready' | 'failed' | 'deleted';
  /** UTC ms of the clip's first and last picture. */
  readonly start: number;
  readonly end: number;
  /** Seconds. */
  readonly duration: number;
  /** Paths relative to the data folder; empty unless `ready`. */
  readonly files: {
    readonly clip?: string;
    readonly annotated?: string;
    readonly best?: string;
    readonly tracks?: string;
  };
  readonly reason?: string;
}
