/** Numbers from 0 (excluded) to 1 (excluded) that look random and are the same each time (D. H. Lehmer's generator). */
export function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
