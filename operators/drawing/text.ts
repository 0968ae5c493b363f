/**
 * Our own letters, drawn by hand for this project, so that pictures do not depend on the fonts of a machine. Rows from
 * the top; row 7 is the last one above the baseline, rows 8 and 9 are below it. Widths are as they are drawn.
 */
const LETTERS: Readonly<Record<string, string>> = {
  A: '.###. #...# #...# ##### #...# #...# #...#',
  B: '####. #...# #...# ####. #...# #...# ####.',
  C: '.###. #...# #.... #.... #.... #...# .###.',
  D: '####. #...# #...# #...# #...# #...# ####.',
  E: '##### #.... #.... ####. #.... #.... #####',
  F: '##### #.... #.... ####. #.... #.... #....',
  G: '.###. #...# #.... #.### #...# #...# .###.',
  H: '#...# #...# #...# ##### #...# #...# #...#',
  I: '### .#. .#. .#. .#. .#. ###',
  J: '..### ...#. ...#. ...#. ...#. #..#. .##..',
  K: '#...# #..#. #.#.. ##... #.#.. #..#. #...#',
  L: '#.... #.... #.... #.... #.... #.... #####',
  M: '#...# ##.## #.#.# #.#.# #...# #...# #...#',
  N: '#...# ##..# #.#.# #..## #...# #...# #...#',
  O: '.###. #...# #...# #...# #...# #...# .###.',
  P: '####. #...# #...# ####. #.... #.... #....',
  Q: '.###. #...# #...# #...# #.#.# #..#. .##.#',
  R: '####. #...# #...# ####. #.#.. #..#. #...#',
  S: '.#### #.... #.... .###. ....# ....# ####.',
  T: '##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..',
  U: '#...# #...# #...# #...# #...# #...# .###.',
  V: '#...# #...# #...# #...# #...# .#.#. ..#..',
  W: '#...# #...# #...# #.#.# #.#.# ##.## #...#',
  X: '#...# #...# .#.#. ..#.. .#.#. #...# #...#',
  Y: '#...# #...# .#.#. ..#.. ..#.. ..#.. ..#..',
  Z: '##### ....# ...#. ..#.. .#... #.... #####',
  a: '..... ..... .###. ....# .#### #...# .####',
  b: '#.... #.... ####. #...# #...# #...# ####.',
  c: '.... .... .### #... #... #... .###',
  d: '....# ....# .#### #...# #...# #...# .####',
  e: '..... ..... .###. #...# ##### #.... .###.',
  f: '..## .#.. ###. .#.. .#.. .#.. .#..',
  g: '..... ..... .#### #...# #...# #...# .#### ....# .###.',
  h: '#.... #.... ####. #...# #...# #...# #...#',
  i: '# . # # # # #',
  j: '..# ... ..# ..# ..# ..# ..# ..# ##.',
  k: '#... #... #..# #.#. ##.. #.#. #..#',
  l: '## .# .# .# .# .# .#',
  m: '..... ..... ##.#. #.#.# #.#.# #.#.# #.#.#',
  n: '..... ..... ####. #...# #...# #...# #...#',
  o: '..... ..... .###. #...# #...# #...# .###.',
  p: '..... ..... ####. #...# #...# #...# ####. #.... #....',
  q: '..... ..... .#### #...# #...# #...# .#### ....# ....#',
  r: '.... .... #.## ##.. #... #... #...',
  s: '.... .... .### #... .##. ...# ###.',
  t: '.#.. .#.. ###. .#.. .#.. .#.. ..##',
  u: '..... ..... #...# #...# #...# #...# .####',
  v: '..... ..... #...# #...# #...# .#.#. ..#..',
  w: '..... ..... #...# #...# #.#.# #.#.# .#.#.',
  x: '..... ..... #...# .#.#. ..#.. .#.#. #...#',
  y: '..... ..... #...# #...# #...# #...# .#### ....# .###.',
  z: '.... .... #### ...# .##. #... ####',
  '0': '.###. #...# #...# #...# #...# #...# .###.',
  '1': '.#. ##. .#. .#. .#. .#. ###',
  '2': '.###. #...# ....# ..##. .#... #.... #####',
  '3': '.###. #...# ....# ..##. ....# #...# .###.',
  '4': '...#. ..##. .#.#. #..#. ##### ...#. ...#.',
  '5': '##### #.... ####. ....# ....# #...# .###.',
  '6': '.###. #.... #.... ####. #...# #...# .###.',
  '7': '##### ....# ...#. ...#. ..#.. ..#.. ..#..',
  '8': '.###. #...# #...# .###. #...# #...# .###.',
  '9': '.###. #...# #...# .#### ....# ....# .###.',
  '.': '. . . . . . #',
  ',': '.. .. .. .. .. .. .# .# #.',
  ':': '. . # . . # .',
  ';': '.. .. .# .. .. .. .# .# #.',
  '-': '... ... ... ### ... ... ...',
  _: '..... ..... ..... ..... ..... ..... ..... #####',
  '+': '..... ..... ..#.. ..#.. ##### ..#.. ..#..',
  '#': '.#.#. .#.#. ##### .#.#. ##### .#.#. .#.#.',
  '%': '##..# ##..# ...#. ..#.. .#... #..## #..##',
  '/': '....# ....# ...#. ..#.. .#... #.... #....',
  '(': '.# #. #. #. #. #. .#',
  ')': '#. .# .# .# .# .# #.',
  '?': '.###. #...# ....# ..##. ..#.. ..... ..#..',
  '!': '# # # # # . #',
  '=': '.... .... #### .... #### .... ....',
  '*': '..... ..#.. #.#.# .###. #.#.# ..#.. .....',
  '&': '.##.. #..#. #..#. .##.. #.#.# #..#. .##.#',
  "'": '# # . . . . .',
  '"': '#.# #.# ... ... ... ... ...',
  '@': '.###. #...# #.### #.#.# #.### #.... .###.',
  ' ': '... ... ... ... ... ... ...',
};

/** Rows of a letter's cell, with the two below the baseline. */
export const LETTER_ROWS = 9;
const GAP = 1;
const UNKNOWN = '?';
/** Samples across a pixel for its coverage. */
const SAMPLES = 4;

/** How much of each pixel a line of text covers. */
export interface TextCoverage {
  readonly width: number;
  readonly height: number;
  /** `[height, width]` row-major, 0…1. */
  readonly alpha: Float32Array;
}

/**
 * Turns lines of text into coverage, letters enlarged `scale` times with rounded corners; each letter is worked out once.
 * What has no letter of ours becomes a question mark.
 *
 * @param scale  whole, from 1
 */
export function createLettering(scale: number): (text: string) => TextCoverage {
  const known = new Map<string, TextCoverage>();
  const letterOf = (character: string): TextCoverage => {
    const key = LETTERS[character] ? character : UNKNOWN;
    let letter = known.get(key);
    if (!letter) {
      letter = enlarge(LETTERS[key]!.split(' '), scale);
      known.set(key, letter);
    }
    return letter;
  };
  return (text) => {
    const letters = [...text].map(letterOf);
    const width = Math.max(
      0,
      letters.reduce((sum, letter) => sum + letter.width + GAP * scale, -GAP * scale),
    );
    const height = LETTER_ROWS * scale;
    const alpha = new Float32Array(width * height);
    let left = 0;
    for (const letter of letters) {
      for (let y = 0; y < height; y++) {
        alpha.set(letter.alpha.subarray(y * letter.width, (y + 1) * letter.width), y * width + left);
      }
      left += letter.width + GAP * scale;
    }
    return { width, height, alpha };
  };
}

function enlarge(rows: readonly string[], scale: number): TextCoverage {
  const width = rows[0]!.length * scale;
  const height = LETTER_ROWS * scale;
  const alpha = Float32Array.from({ length: width * height }, (_, at) => {
    const [x, y] = [at % width, Math.floor(at / width)];
    return scale === 1 ? dot(rows, x, y) : coverage(rows, x, y, scale);
  });
  return { width, height, alpha };
}

function dot(rows: readonly string[], x: number, y: number): number {
  return rows[y]?.[x] === '#' ? 1 : 0;
}

/** Share of the pixel where the dots, blurred into their neighbours, are at least half there: corners become round. */
function coverage(rows: readonly string[], x: number, y: number, scale: number): number {
  let inside = 0;
  for (let i = 0; i < SAMPLES * SAMPLES; i++) {
    const u = (x + ((i % SAMPLES) + 0.5) / SAMPLES) / scale - 0.5;
    const v = (y + (Math.floor(i / SAMPLES) + 0.5) / SAMPLES) / scale - 0.5;
    const [column, row] = [Math.floor(u), Math.floor(v)];
    const [fx, fy] = [u - column, v - row];
    const top = dot(rows, column, row) * (1 - fx) + dot(rows, column + 1, row) * fx;
    const bottom = dot(rows, column, row + 1) * (1 - fx) + dot(rows, column + 1, row + 1) * fx;
    if (top * (1 - fy) + bottom * fy >= 0.5) inside++;
  }
  return inside / SAMPLES ** 2;
}
