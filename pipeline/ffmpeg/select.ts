/**
 * Filter that lets at most `fps` pictures a second through, on the source's own times (the `fps` filter would put them
 * on a grid of its own). Register 0 holds when the next one is due. A quarter of a period early is early enough, so
 * that a camera with jitter at just this rate loses none. What came up to a period late does not shift the ones after
 * it, so that 12 or 25 a second become ten and not six or eight; after a gap one picture more than that may pass.
 * After a step back in time it begins anew.
 */
export function selectFilter(fps: number): string {
  const period = 1 / fps;
  const late = `lt(t,ld(0)-${2 * period})`;
  const next = `if(${late},t+${period},max(ld(0)+${period},t))`;
  return `select='if(isnan(t)+gte(t,ld(0)-${0.25 * period})+${late},st(0,${next});1,0)'`;
}
