import { type Material, whole } from './material.js';
import { blend, cross, dot, length, minus, plus, times, unit, type Vec3 } from './vector.js';

/** Triangles with a normal at every corner. */
export interface Mesh {
  /** `[V, 3]` metres. */
  readonly positions: Float32Array;
  /** `[V, 3]` of length 1, outward. */
  readonly normals: Float32Array;
  /** `[T, 3]` indices of corners. */
  readonly triangles: Uint32Array;
  /** `[T]` indices into `palette`. */
  readonly materials: Uint16Array;
  readonly palette: readonly Material[];
}

/** Material of the face between ring `i` and `i + 1`, points `k` and `k + 1`; undefined leaves a hole. */
type FaceMaterial = Material | ((i: number, k: number) => Material | undefined);

interface LoftOptions {
  /** Faces whose normals' cosine is above this are shaded as one curved surface; default: all. */
  readonly crease?: number;
  /** Material of the flat end faces: first ring, last ring; absent: open. */
  readonly caps?: readonly [Material | undefined, Material | undefined];
  /** The last ring is joined to the first (a tyre). */
  readonly closed?: boolean;
}

/** Collects shapes into one mesh. */
export class MeshBuilder {
  /** Share of the sides that round shapes have when they are seen from near. */
  private readonly fineness: number;
  private readonly positions: number[] = [];
  private readonly normals: number[] = [];
  private readonly triangles: number[] = [];
  private readonly materials: number[] = [];
  private readonly palette: Material[] = [];
  /** As given; `palette` holds them with all fields, for objects of one form are quicker to read. */
  private readonly given: Material[] = [];

  /** @param fineness  below 1 round shapes get fewer sides: enough for figures a few pixels wide, and much quicker */
  constructor(fineness = 1) {
    this.fineness = fineness;
  }

  finish(): Mesh {
    return {
      positions: Float32Array.from(this.positions),
      normals: Float32Array.from(this.normals),
      triangles: Uint32Array.from(this.triangles),
      materials: Uint16Array.from(this.materials),
      palette: this.palette,
    };
  }

  /**
   * Skin over a row of rings of equally many points each; outward is away from the rings' centres.
   */
  loft(rings: readonly (readonly Vec3[])[], material: FaceMaterial, options: LoftOptions = {}): this {
    const { crease = -1, caps, closed = false } = options;
    const sides = rings[0]!.length;
    const rows = closed ? rings.length : rings.length - 1;
    const at = (i: number, k: number): Vec3 => rings[i % rings.length]![k % sides]!;
    const centres = rings.map((ring) =>
      times(
        ring.reduce<Vec3>((sum, point) => plus(sum, point), [0, 0, 0]),
        1 / sides,
      ),
    );
    /** Normals of the faces, as long as the faces are large, and of length 1. */
    const faces: Vec3[] = [];
    for (let i = 0; i < rows; i++) {
      const centre = blend(centres[i]!, centres[(i + 1) % rings.length]!, 0.5);
      for (let k = 0; k < sides; k++) {
        const n = cross(minus(at(i + 1, k + 1), at(i, k)), minus(at(i + 1, k), at(i, k + 1)));
        const middle = blend(blend(at(i, k), at(i + 1, k + 1), 0.5), blend(at(i + 1, k), at(i, k + 1), 0.5), 0.5);
        faces.push(dot(n, minus(middle, centre)) < 0 ? times(n, -1) : n);
      }
    }
    const units = faces.map(unit);
    const cornerNormal = (i: number, k: number, own: Vec3): Vec3 => {
      let [x, y, z] = [0, 0, 0];
      for (let a = i - 1; a <= i; a++) {
        const row = closed ? (a + rows) % rows : a;
        if (row < 0 || row >= rows) continue;
        for (let b = k - 1; b <= k; b++) {
          const index = row * sides + ((b + sides) % sides);
          if (crease > -1 && dot(units[index]!, own) <= crease) continue;
          const face = faces[index]!;
          x += face[0];
          y += face[1];
          z += face[2];
        }
      }
      const sum = unit([x, y, z]);
      return sum[0] || sum[1] || sum[2] ? sum : own;
    };
    // Without a crease every face has the same normal at a corner.
    const shared =
      crease > -1
        ? undefined
        : Array.from({ length: (rows + 1) * sides }, (_, c) =>
            cornerNormal(Math.floor(c / sides), c % sides, units[c % units.length]!),
          );
    for (let i = 0; i < rows; i++) {
      for (let k = 0; k < sides; k++) {
        const own = units[i * sides + k]!;
        const made = typeof material === 'function' ? material(i, k) : material;
        if (!made || length(own) < 0.5) continue;
        const corners = [
          [i, k],
          [i + 1, k],
          [i + 1, k + 1],
          [i, k + 1],
        ] as const;
        this.face(
          corners.map(([a, b]) => at(a, b)),
          corners.map(([a, b]) => (shared ? shared[a * sides + (b % sides)]! : cornerNormal(a, b, own))),
          made,
        );
      }
    }
    if (caps?.[0]) this.fan(rings[0]!, unit(minus(centres[0]!, centres[1]!)), caps[0]);
    if (caps?.[1]) this.fan(rings.at(-1)!, unit(minus(centres.at(-1)!, centres.at(-2)!)), caps[1]);
    return this;
  }

  /** A flat face with corners in order round it. */
  fan(corners: readonly Vec3[], normal: Vec3, material: Material): this {
    return this.face(
      corners,
      corners.map(() => normal),
      material,
    );
  }

  /** A tapering limb with round ends; `bulge` thickens the part near its beginning, as calf and thigh are. */
  limb(from: Vec3, to: Vec3, fromRadius: number, toRadius: number, material: Material, bulge = 0, sides = 9): this {
    const axis = unit(minus(to, from));
    const [u, v] = acrossOf(axis);
    const rings: Vec3[][] = [];
    const ring = (centre: Vec3, radius: number): void => {
      rings.push(circle(centre, times(u, radius), times(v, radius), this.sides(sides)));
    };
    for (const a of [-80, -45]) {
      const t = (a * Math.PI) / 180;
      ring(plus(from, times(axis, fromRadius * Math.sin(t))), fromRadius * Math.cos(t));
    }
    for (const s of this.fineness < 1 ? [0, 0.35, 1] : [0, 0.15, 0.3, 0.5, 0.75, 1]) {
      const radius = fromRadius + (toRadius - fromRadius) * s + bulge * Math.sin(Math.PI * Math.min(1, s * 1.4)) ** 2;
      ring(blend(from, to, s), radius);
    }
    for (const a of [45, 80]) {
      const t = (a * Math.PI) / 180;
      ring(plus(to, times(axis, toRadius * Math.sin(t))), toRadius * Math.cos(t));
    }
    return this.loft(rings, material);
  }

  /** An egg: `axes` are its half axes, at right angles to each other. */
  ellipsoid(
    centre: Vec3,
    axes: readonly [Vec3, Vec3, Vec3],
    material: Material | ((direction: Vec3) => Material | undefined),
    rows = 8,
    sides = 12,
  ): this {
    const rings: Vec3[][] = [];
    const heights: number[] = [];
    const [bands, points] = [this.sides(rows), this.sides(sides)];
    for (let i = 0; i <= bands; i++) {
      const t = (-0.495 + (0.99 * i) / bands) * Math.PI;
      heights.push(t);
      rings.push(
        circle(
          plus(centre, times(axes[2], Math.sin(t))),
          times(axes[0], Math.cos(t)),
          times(axes[1], Math.cos(t)),
          points,
        ),
      );
    }
    const at: FaceMaterial =
      typeof material !== 'function'
        ? material
        : (i, k) => {
            const t = (heights[i]! + heights[i + 1]!) / 2;
            const a = ((k + 0.5) / points) * 2 * Math.PI;
            return material([Math.cos(t) * Math.cos(a), Math.cos(t) * Math.sin(a), Math.sin(t)]);
          };
    return this.loft(rings, at);
  }

  /** A box; `half` are its half edges, at right angles to each other. */
  box(centre: Vec3, half: readonly [Vec3, Vec3, Vec3], material: Material): this {
    for (let axis = 0; axis < 3; axis++) {
      const out = half[axis]!;
      const u = half[(axis + 1) % 3]!;
      const v = half[(axis + 2) % 3]!;
      for (const side of [-1, 1]) {
        const middle = plus(centre, times(out, side));
        const corners = [plus(u, v), minus(v, u), times(plus(u, v), -1), minus(u, v)].map((c) => plus(middle, c));
        this.fan(corners, unit(times(out, side)), material);
      }
    }
    return this;
  }

  /** A box along the axes from one corner to the other. */
  block(low: Vec3, high: Vec3, material: Material): this {
    const half = times(minus(high, low), 0.5);
    return this.box(
      blend(low, high, 0.5),
      [
        [half[0], 0, 0],
        [0, half[1], 0],
        [0, 0, half[2]],
      ],
      material,
    );
  }

  /** A flat ring round `centre`; `material` may differ by segment (the spokes of a wheel). */
  disc(
    centre: Vec3,
    normal: Vec3,
    outer: number,
    inner: number,
    material: Material | ((segment: number) => Material),
    segments = 20,
  ): this {
    const [u, v] = acrossOf(normal);
    const rim = circle(centre, times(u, outer), times(v, outer), segments);
    const hub = circle(centre, times(u, inner), times(v, inner), segments);
    for (let k = 0; k < segments; k++) {
      const l = (k + 1) % segments;
      this.fan([rim[k]!, rim[l]!, hub[l]!, hub[k]!], normal, typeof material === 'function' ? material(k) : material);
    }
    return this;
  }

  /** A tyre: a tube of `radius` bent to a circle. */
  tyre(centre: Vec3, axis: Vec3, wheelRadius: number, radius: number, material: Material, segments = 28): this {
    const [u, v] = acrossOf(axis);
    const rings = Array.from({ length: segments }, (_, i) => {
      const a = (i / segments) * 2 * Math.PI;
      const out = plus(times(u, Math.cos(a)), times(v, Math.sin(a)));
      return circle(plus(centre, times(out, wheelRadius)), times(out, radius), times(axis, radius), 5);
    });
    return this.loft(rings, material, { closed: true });
  }

  private sides(wanted: number): number {
    return Math.max(Math.min(wanted, 5), Math.round(wanted * this.fineness));
  }

  private face(corners: readonly Vec3[], normals: readonly Vec3[], material: Material): this {
    const first = this.positions.length / 3;
    for (const [x, y, z] of corners) this.positions.push(x, y, z);
    for (const [x, y, z] of normals) this.normals.push(x, y, z);
    let index = this.given.lastIndexOf(material);
    if (index < 0) {
      index = this.given.push(material) - 1;
      this.palette.push(whole(material));
    }
    for (let k = 2; k < corners.length; k++) {
      this.triangles.push(first, first + k - 1, first + k);
      this.materials.push(index);
    }
    return this;
  }
}

/** Points of an ellipse, the first at `u`, turning towards `v`. */
export function circle(centre: Vec3, u: Vec3, v: Vec3, points: number): Vec3[] {
  return Array.from({ length: points }, (_, k) => {
    const a = (k / points) * 2 * Math.PI;
    return plus(centre, plus(times(u, Math.cos(a)), times(v, Math.sin(a))));
  });
}

/** Two directions at right angles to `axis` and to each other. */
export function acrossOf(axis: Vec3): [Vec3, Vec3] {
  const help: Vec3 = Math.abs(axis[1]) < 0.9 ? [0, 1, 0] : [1, 0, 0];
  const u = unit(cross(help, axis));
  return [u, unit(cross(axis, u))];
}
