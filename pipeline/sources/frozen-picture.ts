/** Says when the same picture comes again and again while the clock runs. */
export interface FrozenPicture {
  /** @returns whether the picture is frozen now */
  look(pixels: Uint8Array, nowMs: number): boolean;
}

const FROZEN_MS = 10_000;
const LOOK_EVERY_MS = 500;
/** A prime, so that the samples wander over columns and channels. */
const STRIDE = 257;

/**
 * Compares a hash of about 2000 spread samples of a picture twice a second. A real sensor's noise changes it; an encoder
 * or proxy that repeats a frame does not.
 */
export function watchFrozen(): FrozenPicture {
  let hash: number | undefined;
  let sinceMs = 0;
  let lookedMs = Number.NEGATIVE_INFINITY;
  let frozen = false;
  return {
    look(pixels, nowMs) {
      if (nowMs - lookedMs < LOOK_EVERY_MS) return frozen;
      lookedMs = nowMs;
      let next = 0x811c9dc5; // FNV-1a
      for (let i = 0; i < pixels.length; i += STRIDE) next = Math.imul(next ^ pixels[i]!, 0x01000193);
      if (next !== hash) {
        hash = next;
        sinceMs = nowMs;
      }
      frozen = nowMs - sinceMs >= FROZEN_MS;
      return frozen;
    },
  };
}
