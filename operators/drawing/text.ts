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
 * A line of text as coverage, its letters enlarged `scale` times with rounded corners. What has no letter of ours
 * becomes a question mark.
 *
 * @param scale  whole, from 1
 */
export function textCoverage(text: string, scale: number): TextCoverage {
  const letters = [...text].map((character) => (LETTERS[character] ?? LETTERS[UNKNOWN]!).split(' '));
  const columns = letters.reduce((sum, rows) => sum + rows[0]!.length + GAP, -GAP);
  const width = Math.max(0, columns) * scale;
  const height = LETTER_ROWS * scale;
  const alpha = new Float32Array(width * height);
  let left = 0;
  for (const rows of letters) {
    const letterWidth = rows[0]!.length;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < letterWidth * scale; x++) {
        alpha[y * width + left * scale + x] = scale === 1 ? dot(rows, x, y) : coverage(rows, x, y, scale);
      }
    }
    left += letterWidth + GAP;
  }
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
