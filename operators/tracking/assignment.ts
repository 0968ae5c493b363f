/**
 * Pairs rows with columns so that the sum of their weights is greatest. A pair of weight 0 or less is never made: leaving
 * both alone is as good. Splits the problem into the groups that positive weights join (in a camera's picture most
 * hold one row and one column) and solves each by shortest augmenting paths (Jonker–Volgenant), O(n³) in its size.
 *
 * @param weight  `[rows, columns]` row-major
 * @param cells   where `weight` is above 0, if the caller knows
 * @returns       for each row its column, or −1
 */
export function assign(
  weight: Float64Array,
  rows: number,
  columns: number,
  cells: readonly number[] = positiveCells(weight),
): Int32Array {
  const result = new Int32Array(rows).fill(-1);
  const group = joinGroups(cells, rows, columns);
  const members = new Map<number, { rows: number[]; columns: number[] }>();
  for (let node = 0; node < rows + columns; node++) {
    const root = group[node]!;
    let one = members.get(root);
    if (!one) {
      one = { rows: [], columns: [] };
      members.set(root, one);
    }
    if (node < rows) one.rows.push(node);
    else one.columns.push(node - rows);
  }
  for (const one of members.values()) {
    if (one.rows.length === 0 || one.columns.length === 0) continue;
    if (one.rows.length === 1 && one.columns.length === 1) result[one.rows[0]!] = one.columns[0]!;
    else solveGroup(weight, columns, one.rows, one.columns, result);
  }
  return result;
}

function positiveCells(weight: Float64Array): number[] {
  const cells: number[] = [];
  for (let at = 0; at < weight.length; at++) if (weight[at]! > 0) cells.push(at);
  return cells;
}

/** Root of each node (rows first, then columns) in the graph whose edges are the cells. */
function joinGroups(cells: readonly number[], rows: number, columns: number): Int32Array {
  const parent = new Int32Array(rows + columns);
  for (let node = 0; node < parent.length; node++) parent[node] = node;
  const find = (node: number): number => {
    while (parent[node] !== node) node = parent[node] = parent[parent[node]!]!;
    return node;
  };
  for (const at of cells) {
    const column = at % columns;
    parent[find(rows + column)] = find((at - column) / columns);
  }
  for (let node = 0; node < parent.length; node++) parent[node] = find(node);
  return parent;
}

/** Shortest augmenting paths on the cost −max(weight, 0); the shorter side is assigned completely, pairs of no weight dropped. */
function solveGroup(
  weight: Float64Array,
  stride: number,
  rows: readonly number[],
  columns: readonly number[],
  result: Int32Array,
): void {
  const transposed = rows.length > columns.length;
  const n = transposed ? columns.length : rows.length;
  const m = transposed ? rows.length : columns.length;
  // Row 0 and column 0 of the classic 1-based form stand for "free".
  const cost = new Float64Array(n * m);
  for (let i = 0, at = 0; i < n; i++) {
    for (let j = 0; j < m; j++, at++) {
      const row = rows[transposed ? j : i]!;
      const column = columns[transposed ? i : j]!;
      cost[at] = -Math.max(0, weight[row * stride + column]!);
    }
  }
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
      const base = (i0 - 1) * m - 1;
      const u0 = u[i0]!;
      let delta = Number.POSITIVE_INFINITY;
      let j1 = 0;
      for (let j = 1; j <= m; j++) {
        if (used[j]) continue;
        const reduced = cost[base + j]! - u0 - v[j]!;
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
    if (i === 0) continue;
    const row = rows[(transposed ? j : i) - 1]!;
    const column = columns[(transposed ? i : j) - 1]!;
    if (weight[row * stride + column]! > 0) result[row] = column;
  }
}
