/**
 * maskcast as a library: every operator, the edges and the whole run, to build a graph of your own.
 * See `examples/`.
 */
export * from '../config/index.js';
export * from '../operators/index.js';
export { type CameraRoad, type GraphOptions, runGraph } from './graph.js';
export { type Detector, openDetector } from './inference/pool.js';
export { createLog, type Log, redactUrl } from './log.js';
export { cameraStatusPayload, clipPayload, eventPayload, infoPayload, tracksPayload } from './mqtt/payloads.js';
export { openPublisher, type Publisher } from './mqtt/publisher.js';
export { openRecorder, type Recorder } from './recording/recorder.js';
export { type RunOptions, type RunResult, type RunSummary, runPipeline } from './run.js';
export { openSource, type Source, type SourceOptions } from './sources/source.js';
