/** One cross-section of a car: place along its length (0 rear, 1 front), half width, heights of sill, belt line and roof; m. */
type Station = readonly [along: number, half: number, sill: number, belt: number, roof: number];

/** Measures of a car, in metres and in shares of its length. */
export interface CarForm {
  readonly length: number;
  readonly half: number;
  readonly wheel: number;
  readonly axles: readonly [number, number];
  readonly stations: readonly Station[];
  /** Stations that bound the side windows, and the pillars between. */
  readonly windows: readonly [number, number];
}

export const SALOON: CarForm = {
  length: 4.55,
  half: 0.9,
  wheel: 0.32,
  axles: [0.19, 0.81],
  windows: [0.15, 0.75],
  stations: [
    [0, 0.84, 0.38, 0.72, 0.74],
    [0.015, 0.92, 0.27, 0.9, 0.92],
    [0.06, 0.96, 0.22, 0.97, 1.0],
    [0.15, 0.985, 0.2, 0.97, 1.02],
    [0.28, 1, 0.19, 0.955, 1.39],
    [0.32, 1, 0.19, 0.95, 1.43],
    [0.455, 1, 0.19, 0.94, 1.46],
    [0.475, 1, 0.19, 0.94, 1.46],
    [0.585, 1, 0.19, 0.93, 1.42],
    [0.605, 1, 0.19, 0.93, 1.39],
    [0.75, 1, 0.19, 0.92, 0.96],
    [0.86, 0.985, 0.2, 0.86, 0.9],
    [0.95, 0.95, 0.22, 0.76, 0.8],
    [0.985, 0.9, 0.26, 0.66, 0.69],
    [1, 0.82, 0.36, 0.58, 0.6],
  ],
};
export const HATCH: CarForm = {
  length: 4.0,
  half: 0.87,
  wheel: 0.31,
  axles: [0.17, 0.82],
  windows: [0.06, 0.76],
  stations: [
    [0, 0.85, 0.38, 0.8, 0.83],
    [0.015, 0.93, 0.27, 0.95, 0.98],
    [0.06, 0.97, 0.22, 1.0, 1.06],
    [0.14, 0.985, 0.2, 0.99, 1.42],
    [0.19, 1, 0.19, 0.98, 1.47],
    [0.3, 1, 0.19, 0.97, 1.5],
    [0.455, 1, 0.19, 0.96, 1.51],
    [0.48, 1, 0.19, 0.96, 1.51],
    [0.585, 1, 0.19, 0.95, 1.47],
    [0.605, 1, 0.19, 0.95, 1.44],
    [0.77, 1, 0.19, 0.95, 0.99],
    [0.87, 0.98, 0.2, 0.89, 0.93],
    [0.955, 0.95, 0.22, 0.79, 0.83],
    [0.988, 0.9, 0.26, 0.68, 0.71],
    [1, 0.82, 0.36, 0.6, 0.62],
  ],
};
export const SUV: CarForm = {
  length: 4.6,
  half: 0.94,
  wheel: 0.37,
  axles: [0.18, 0.81],
  windows: [0.04, 0.73],
  stations: [
    [0, 0.87, 0.46, 0.9, 0.94],
    [0.015, 0.94, 0.36, 1.05, 1.09],
    [0.045, 0.97, 0.32, 1.1, 1.16],
    [0.1, 0.985, 0.3, 1.1, 1.6],
    [0.14, 1, 0.28, 1.09, 1.67],
    [0.27, 1, 0.28, 1.08, 1.7],
    [0.285, 1, 0.28, 1.08, 1.7],
    [0.455, 1, 0.28, 1.07, 1.71],
    [0.475, 1, 0.28, 1.07, 1.71],
    [0.58, 1, 0.28, 1.06, 1.66],
    [0.6, 1, 0.28, 1.06, 1.62],
    [0.735, 1, 0.28, 1.06, 1.11],
    [0.86, 0.985, 0.29, 1.02, 1.07],
    [0.96, 0.96, 0.32, 0.93, 0.97],
    [0.99, 0.92, 0.36, 0.8, 0.83],
    [1, 0.86, 0.44, 0.7, 0.72],
  ],
};
