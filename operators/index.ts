export * from './batch-freshest.js';
export * from './derive-events.js';
export * from './detect.js';
export * from './events/step-events.js';
export * from './share-detector.js';
export * from './split-epochs.js';
export * from './types.js';
