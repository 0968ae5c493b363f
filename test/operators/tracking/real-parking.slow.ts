import { describe, expect, it } from 'vitest';
import { detectClip, MODELS, missing } from './real-detections.js';
import { realParking } from './real-parking.js';

const PETS = 'mot/PETS09-S2L1-first400.mp4';
const TRAFFIC = 'traffic.mp4';
/** `wide` loses what it follows too rarely (four gaps in both clips) to make a day's misses of. */
const DETECTORS = MODELS.filter((model) => model !== 'wide');
const absent = missing([PETS, TRAFFIC]);
if (absent.length > 0)
  console.warn(`SKIPPED: ${absent.join(', ')} absent, so no parked car is made of real detections`);

describe.skipIf(absent.length > 0)('a parked car through 24 h at 5 fps, made of real detections', () => {
  it.each(DETECTORS)('%s: one id, one event', { timeout: 1_200_000 }, async (model) => {
    const { carIds, ...day } = realParking(await detectClip(PETS, model), await detectClip(TRAFFIC, model), {
      hours: 24,
      seed: 1,
    });
    console.log(model, Object.fromEntries(carIds), day);
    expect(day.missed).toBeGreaterThan(10_000);
    expect(day.passages).toBeGreaterThan(2_000);
    expect(carIds.size).toBe(1);
    expect(day.carEvents).toBe(1);
  });
});
