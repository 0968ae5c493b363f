import { cloth, dim, type Material, mix, type Rgb, skin, srgb } from './material.js';
import type { ArmHabit, Build } from './pose.js';
import { between, pick, type Random } from './random.js';

/** What somebody looks like. */
export interface PersonLook {
  readonly build: Build;
  readonly skin: Material;
  readonly hair: Material;
  readonly longHair: boolean;
  readonly hat: 'none' | 'cap' | 'woolly' | 'helmet' | 'full-helmet';
  readonly hatColour: Material;
  readonly top: Material;
  readonly sleeves: 'short' | 'long';
  /** How far the top reaches below the pelvis, share of height. */
  readonly hem: number;
  readonly bulk: number;
  readonly legs: 'trousers' | 'shorts' | 'skirt';
  readonly legwear: Material;
  readonly shoes: Material;
  readonly bag: 'none' | 'backpack' | 'shoulder' | 'hand';
  readonly bagColour: Material;
  readonly arms: readonly [ArmHabit, ArmHabit];
}

const SKIN = ['#f0cdb4', '#e4b592', '#d19a72', '#b27a52', '#8a5a3a', '#5f3c28', '#452a1c'];
const HAIR = ['#14100d', '#221811', '#3a2618', '#5b3d22', '#8a6236', '#b48a55', '#6d6a68', '#b9b5b0'];
const TOPS = [
  '#1a1c22',
  '#22283a',
  '#2e3440',
  '#4a4d52',
  '#80848a',
  '#c9cbcd',
  '#eeeeec',
  '#6b1f24',
  '#a52a2f',
  '#c2512f',
  '#d8a03a',
  '#3f5a33',
  '#22504d',
  '#23477e',
  '#4f79b5',
  '#8fb4d6',
  '#5d3b66',
  '#b98c9b',
  '#8c7355',
  '#c9b18b',
];
const LEGS = [
  '#15171c',
  '#1f2633',
  '#2b3a57',
  '#3b5078',
  '#5f7696',
  '#3d3c3a',
  '#5c5248',
  '#8d8270',
  '#b5a98f',
  '#24282b',
];
const SHOES = ['#151515', '#2b221c', '#4a3524', '#e6e6e4', '#8a8a8c', '#7a2a2a', '#233a5e'];

/** Somebody made of chance. */
export function randomLook(random: Random, on: 'feet' | 'bicycle' | 'motorcycle' = 'feet'): PersonLook {
  const child = on === 'feet' && random() < 0.07;
  const height = child ? between(random, 1.15, 1.4) : between(random, 1.57, 1.9);
  const colour = (list: readonly string[]): Rgb => dim(srgb(pick(random, list)), between(random, 0.8, 1.1));
  const topColour = colour(TOPS);
  const coat = random() < 0.4;
  const legs = random() < 0.12 ? 'skirt' : random() < 0.2 && !coat ? 'shorts' : 'trousers';
  const bag =
    on === 'bicycle'
      ? pick(random, ['none', 'none', 'backpack'] as const)
      : pick(random, ['none', 'none', 'backpack', 'shoulder', 'hand'] as const);
  const habit = (): ArmHabit => pick(random, ['swing', 'swing', 'swing', 'swing', 'phone', 'pocket'] as const);
  return {
    build: { height, girth: between(random, 0.85, 1.25) },
    skin: skin(dim(srgb(pick(random, SKIN)), 0.85)),
    hair: { albedo: dim(srgb(pick(random, HAIR)), 0.8), mirror: 0.03, grain: 0.6, grainPerM: 40 },
    longHair: random() < 0.35,
    hat:
      on === 'motorcycle'
        ? 'full-helmet'
        : on === 'bicycle'
          ? pick(random, ['helmet', 'helmet', 'none'] as const)
          : pick(random, ['none', 'none', 'none', 'none', 'cap', 'woolly'] as const),
    hatColour: on === 'feet' ? cloth(colour(TOPS)) : { albedo: colour(TOPS), mirror: 0.06 },
    top: cloth(topColour, {
      grain: coat ? 0.4 : 0.25,
      ...(random() < 0.14 && {
        stripes: { albedo: mix(topColour, [0.8, 0.8, 0.8], 0.8), perM: between(random, 8, 14) },
      }),
    }),
    sleeves: coat || on === 'motorcycle' || random() < 0.35 ? 'long' : 'short',
    hem: on !== 'feet' ? 0.02 : coat ? pick(random, [0.05, 0.07, 0.2]) : between(random, 0.02, 0.06),
    bulk: coat ? between(random, 1.1, 1.22) : between(random, 0.98, 1.08),
    legs: on === 'motorcycle' ? 'trousers' : on === 'bicycle' && legs === 'skirt' ? 'shorts' : legs,
    legwear: cloth(colour(LEGS), { grain: 0.35 }),
    shoes: { albedo: colour(SHOES), mirror: 0.03, grain: 0.2 },
    bag,
    bagColour: cloth(colour(TOPS), { mirror: 0.03 }),
    arms:
      bag === 'hand'
        ? [habit(), 'carry']
        : bag === 'shoulder'
          ? [pick(random, ['strap', 'swing'] as const), habit()]
          : [habit(), habit()],
  };
}
