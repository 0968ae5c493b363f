import { expect, it } from 'vitest';
import { parkedCar } from './parked-car.js';

it.each([1, 2, 3])('a parked car through 24 h at 5 fps (seed %i): one id, one event', { timeout: 600_000 }, (seed) => {
  const { carIds, carEvents, maxTracks } = parkedCar({ hours: 24, seed });
  expect(carIds.size).toBe(1);
  expect(carEvents).toBe(1);
  expect(maxTracks).toBeLessThan(20);
});
