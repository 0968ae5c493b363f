import { identity, type MonoTypeOperatorFunction, map } from 'rxjs';
import type { Size, TrackedFrame } from '../types.js';
import { type Polygon, polygonPx, shareInside } from './overlap.js';

/** A zone as the configuration describes it. */
export interface Zone {
  /** Corners `[x, y]`, 0…1 of the picture. */
  readonly polygon: readonly (readonly [number, number])[];
  /** Classes that count; left out: all. */
  readonly labels?: readonly string[] | undefined;
  /** Share of the instance that must lie inside, 0…1. */
  readonly overlap: number;
}

/**
 * Tells for each instance in which zones it is: those in which at least `overlap` of its mask (of its box, when the
 * model gives no masks) lies. Lost instances are in none.
 */
export function findZones(zones: Readonly<Record<string, Zone>>): MonoTypeOperatorFunction<TrackedFrame> {
  const named = Object.entries(zones);
  if (named.length === 0) return identity;
  let size: Size | undefined;
  let polygons: readonly Polygon[] = [];
  return map((frame) => {
    if (frame.source.width !== size?.width || frame.source.height !== size.height) {
      size = frame.source;
      polygons = named.map(([, zone]) => polygonPx(zone.polygon, frame.source));
    }
    const instances = frame.instances.map((instance) =>
      instance.state === 'lost'
        ? instance
        : {
            ...instance,
            zones: named
              .filter(
                ([, { labels, overlap }], index) =>
                  (!labels || labels.includes(instance.label)) && shareInside(instance, polygons[index]!) >= overlap,
              )
              .map(([name]) => name),
          },
    );
    return { ...frame, instances };
  });
}
