// How byte pair encoding arrives at each token: the last two tokens that it merges. Ranks are tokens, and a smaller
// rank is merged first.
export const NO_TOKEN = (1 << 18) - 1;

export function pairHash(left, right) {
  const mixed = (Math.imul(left, 0x9e3779b1) + Math.imul(right, 0x85ebca77)) >>> 0;
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

const pairKey = (left, right) => left * 2 ** 18 + right;

export class Merges {
  constructor(tokens, trie) {
    this.tokens = tokens;
    this.left = new Uint32Array(tokens.length);
    this.right = new Uint32Array(tokens.length);
    this.shorter = this.longestPrefixes(trie);
    this.merged = new Map();
    tokens.forEach((bytes, rank) => {
      this.left[rank] = this.right[rank] = rank;
      // PieceEncoder takes every token for one that merging can yield.
      if (bytes.length > 1 && !this.split(rank, trie)) throw new Error(`merging never yields token ${rank}`);
    });
  }

  longestPrefixes(trie) {
    return Uint32Array.from(this.tokens, (bytes) => {
      let node = 0, longest = NO_TOKEN;
      for (let i = 0; i + 1 < bytes.length; i++) {
        node = trie.children[node].get(bytes[i]);
        if (trie.token[node] !== NO_TOKEN) longest = trie.token[node];
      }
      return longest;
    });
  }

  split(rank, trie) {
    const bytes = this.tokens[rank];
    for (let left = this.shorter[rank]; left !== NO_TOKEN; left = this.shorter[left]) {
      const right = trie.find(bytes.subarray(this.tokens[left].length));
      if (left >= rank || right >= rank || !this.stay(left, right)) continue;
      this.left[rank] = left;
      this.right[rank] = right;
      this.merged.set(pairKey(left, right), rank);
      return true;
    }
    return false;
  }

  // Whether these two, side by side, come out of encoding their own bytes. As PieceEncoder::stay_apart().
  stay(left, right) {
    let limit = NO_TOKEN;
    for (;;) {
      const merged = this.merged.get(pairKey(left, right));
      if (merged !== undefined && merged < limit) return false;
      const leftIsWhole = this.left[left] === left, rightIsWhole = this.left[right] === right;
      if (leftIsWhole && rightIsWhole) return true;
      if (!leftIsWhole && (left > right || rightIsWhole)) {
        limit = left;
        left = this.right[left];
      } else {
        limit = right + 1;
        right = this.left[right];
      }
    }
  }

  // Units of 64 bits: left 18, right 18, longest prefix 18, length 8.
  packTokens() {
    return BigUint64Array.from(this.tokens, (bytes, rank) => BigInt(this.left[rank]) | BigInt(this.right[rank]) << 18n |
      BigInt(this.shorter[rank]) << 36n | BigInt(bytes.length) << 54n);
  }

  // An open-addressing table, less than half full, of units of 64 bits: left 18, right 18, merged 18.
  packPairs() {
    let size = 1;
    while (size < 2 * this.merged.size) size *= 2;
    const empty = 2n ** 64n - 1n;
    const table = new BigUint64Array(size).fill(empty);
    for (const rank of this.merged.values()) {
      const left = this.left[rank], right = this.right[rank];
      let at = pairHash(left, right) & (size - 1);
      while (table[at] !== empty) at = (at + 1) & (size - 1);
      table[at] = BigInt(left) | BigInt(right) << 18n | BigInt(rank) << 36n;
    }
    return table;
  }
}
