import type { FigureAt } from './figures.js';
import type { Light } from './light.js';
import { type Mesh, MeshBuilder } from './mesh.js';
import { addPerson } from './person.js';
import { type PersonLook, randomLook } from './person-look.js';
import type { Actor } from './plan.js';
import { type ArmHabit, type Pose, seatedPose, strideOf, walkingPose } from './pose.js';
import { between, partSeed, pick, seededRandom } from './random.js';
import {
  addBicycle,
  addMotorcycle,
  type BicycleLook,
  bicycleSeating,
  type MotorcycleLook,
  motorcycleSeating,
  randomBicycle,
  randomMotorcycle,
} from './two-wheelers.js';
import { randomVehicle, type VehicleKind } from './vehicles.js';

/** Gives every figure its body at a moment. What does not move in itself is made once. */
export interface Wardrobe {
  /** @param far  it is so small in the picture that fewer sides will do */
  bodyOf(at: FigureAt, tS: number, far: boolean): Mesh;
}

/** Metres that a bicycle rolls in one turn of the cranks. */
const DEVELOPMENT_M = 5.2;

/** @param periodS  seconds after which all movement repeats */
export function openWardrobe(light: Light, periodS: number): Wardrobe {
  const rigid = new Map<Actor, Mesh>();
  const people = new Map<Actor, PersonLook>();
  const cycles = new Map<Actor, BicycleLook>();
  const engines = new Map<Actor, MotorcycleLook>();
  const kept = <T>(map: Map<Actor, T>, actor: Actor, make: () => T): T => {
    const found = map.get(actor) ?? make();
    map.set(actor, found);
    return found;
  };
  const chance = (actor: Actor, part: number) => seededRandom(partSeed(actor.seed, part));
  const cycle = (actor: Actor): BicycleLook => kept(cycles, actor, () => randomBicycle(chance(actor, 1)));
  const engine = (actor: Actor): MotorcycleLook => kept(engines, actor, () => randomMotorcycle(chance(actor, 1)));
  const built = (add: (mesh: MeshBuilder) => void, far = false): Mesh => {
    const mesh = new MeshBuilder(far ? 0.55 : 1);
    add(mesh);
    return mesh.finish();
  };
  return {
    bodyOf: ({ figure: { actor, label }, metres }, tS, far) => {
      if (label === 'car' || label === 'bus' || label === 'truck') {
        const kind: VehicleKind = label;
        const lamps = light.lamps && actor.speed > 0;
        return kept(rigid, actor, () => randomVehicle(kind, chance(actor, 1), lamps).mesh);
      }
      const crank = (metres / DEVELOPMENT_M) * 2 * Math.PI;
      if (label === 'bicycle') {
        if (actor.speed === 0) return kept(rigid, actor, () => built((mesh) => addBicycle(mesh, cycle(actor), 0.6)));
        return built((mesh) => addBicycle(mesh, cycle(actor), crank), far);
      }
      if (label === 'motorcycle') return kept(rigid, actor, () => built((mesh) => addMotorcycle(mesh, engine(actor))));
      const on = actor.kind === 'cyclist' ? 'bicycle' : actor.kind === 'motorcyclist' ? 'motorcycle' : 'feet';
      const look = kept(people, actor, () => {
        const drawn = randomLook(chance(actor, 2), on);
        return actor.speed === 0 ? { ...drawn, arms: standingArms(actor, drawn) } : drawn;
      });
      return built((mesh) => {
        if (on === 'bicycle') addPerson(mesh, look, seatedPose(look.build, bicycleSeating(cycle(actor), crank)));
        else if (on === 'motorcycle') addPerson(mesh, look, seatedPose(look.build, motorcycleSeating(engine(actor))));
        else addPerson(mesh, look, standingOrWalking(look, actor, metres, tS / periodS));
      }, far);
    },
  };
}

function standingArms(actor: Actor, look: PersonLook): PersonLook['arms'] {
  const random = seededRandom(partSeed(actor.seed, 3));
  const habit = (): ArmHabit => pick(random, ['swing', 'pocket', 'phone', 'folded'] as const);
  const first = habit();
  if (first === 'folded') return ['folded', 'folded'];
  return [first, look.bag === 'hand' ? 'carry' : pick(random, ['swing', 'pocket'] as const)];
}

/** @param share  of the period that has passed */
function standingOrWalking(look: PersonLook, actor: Actor, metres: number, share: number): Pose {
  const random = seededRandom(partSeed(actor.seed, 4));
  const start = random();
  const glance = between(random, -0.6, 0.6);
  if (actor.speed > 0) {
    const phase = (start + metres / strideOf(look.build, actor.speed)) % 1;
    return walkingPose(look.build, phase, actor.speed, look.arms, glance * 0.4);
  }
  // Standing people look about: whole turns in a period, so that its end leads on to its beginning.
  return walkingPose(look.build, start, 0, look.arms, glance + 0.3 * Math.sin((share * 2 + start) * 2 * Math.PI));
}
