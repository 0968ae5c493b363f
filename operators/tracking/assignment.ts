/**
 * Optimal assignment of rows to columns (Jonker–Volgenant shortest augmenting paths, O(n³)).
 *
 * @param cost  `[rows, columns]` row-major; `Infinity` forbids a pair
 * @returns     for each row its column, or −1; forbidden pairs are never chosen, and as many pairs as possible are made
 *              before their sum is minimised
 */
export function assign(cost: Float64Array, rows: number, columns: number): Int32Array {
  const result = new Int32Array(rows).fill(-1);
  if (rows === 0 || columns === 0) return result;
  // A dear but finite price stands for "forbidden", so that a complete assignment always exists.
  let dearest = 0;
  for (const value of cost) if (value !== Number.POSITIVE_INFINITY) dearest = Math.max(dearest, Math.abs(value));
  const forbidden = (dearest + 1) * (Math.min(rows, columns) + 1);
  const transposed = rows > columns;
  const n = transposed ? columns : rows;
  const m = transposed ? rows : columns;
  const priceOf = (i: number, j: number): number => {
    const value = transposed ? cost[j * columns + i]! : cost[i * columns + j]!;
    return value === Number.POSITIVE_INFINITY ? forbidden : value;
  };
  const u = new Float64Array(n + 1);
  const v = new Float64Array(m + 1);
  const rowOf = new Int32Array(m + 1);
  const way = new Int32Array(m + 1);
  const least = new Float64Array(m + 1);
  const used = new Uint8Array(m + 1);
  for (let i = 1; i <= n; i++) {
    rowOf[0] = i;
    let j0 = 0;
    least.fill(Number.POSITIVE_INFINITY);
    used.fill(0);
    do {
      used[j0] = 1;
      const i0 = rowOf[j0]!;
      let delta = Number.POSITIVE_INFINITY;
      let j1 = 0;
      for (let j = 1; j <= m; j++) {
        if (used[j]) continue;
        const reduced = priceOf(i0 - 1, j - 1) - u[i0]! - v[j]!;
        if (reduced < least[j]!) {
          least[j] = reduced;
          way[j] = j0;
        }
        if (least[j]! < delta) {
          delta = least[j]!;
          j1 = j;
        }
      }
      for (let j = 0; j <= m; j++) {
        if (used[j]) {
          u[rowOf[j]!]! += delta;
          v[j]! -= delta;
        } else least[j]! -= delta;
      }
      j0 = j1;
    } while (rowOf[j0] !== 0);
    do {
      const j1 = way[j0]!;
      rowOf[j0] = rowOf[j1]!;
      j0 = j1;
    } while (j0 !== 0);
  }
  for (let j = 1; j <= m; j++) {
    const i = rowOf[j]!;
    if (i === 0 || priceOf(i - 1, j - 1) === forbidden) continue;
    if (transposed) result[j - 1] = i - 1;
    else result[i - 1] = j - 1;
  }
  return result;
}
