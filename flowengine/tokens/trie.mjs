// All tokens of an encoding as a double-array trie: the child of unit s for byte b is unit base(s) ^ b, if the parent
// that is noted there is s.
import { NO_TOKEN } from "./merges.mjs";

const NO_PARENT = 0xfffff;
const TRIES_PER_NODE = 2000;

export class Trie {
  constructor(tokens) {
    this.children = [new Map()];
    this.token = [NO_TOKEN];
    tokens.forEach((bytes, rank) => {
      let node = 0;
      for (const byte of bytes) {
        let next = this.children[node].get(byte);
        if (next === undefined) {
          next = this.children.length;
          this.children.push(new Map());
          this.token.push(NO_TOKEN);
          this.children[node].set(byte, next);
        }
        node = next;
      }
      this.token[node] = rank;
    });
  }

  // The token that these bytes are, or NO_TOKEN.
  find(bytes) {
    let node = 0;
    for (const byte of bytes) {
      node = this.children[node].get(byte);
      if (node === undefined) return NO_TOKEN;
    }
    return this.token[node];
  }

  // Units of 64 bits: base 20, parent 20, token 18.
  pack() {
    const used = [];
    const freeList = [];
    const grow = (to) => {
      while (used.length < to) {
        freeList.push(used.length);
        used.push(0);
      }
    };
    grow(256);
    const place = new Int32Array(this.children.length).fill(-1);
    const base = new Int32Array(this.children.length);
    used[0] = 1;
    place[0] = 0;
    const firstFit = (bytes) => {
      let kept = 0, tries = 0, found = -1;
      // The list is compacted on the way: what has been taken meanwhile leaves it.
      for (let i = 0; i < freeList.length; i++) {
        const slot = freeList[i];
        if (used[slot]) continue;
        freeList[kept++] = slot;
        const candidate = slot ^ bytes[0];
        if (bytes.every((byte) => !used[candidate ^ byte])) found = candidate;
        if (found < 0 && ++tries < TRIES_PER_NODE) continue;
        freeList.splice(kept, i + 1 - kept);
        break;
      }
      if (found >= 0) return found;
      const block = used.length;
      grow(block + 256);
      return block;
    };
    const queue = [0];
    for (let at = 0; at < queue.length; at++) {
      const node = queue[at];
      const bytes = [...this.children[node].keys()];
      if (bytes.length === 0) continue;
      base[node] = firstFit(bytes);
      for (const byte of bytes) {
        const child = this.children[node].get(byte);
        place[child] = base[node] ^ byte;
        used[place[child]] = 1;
        queue.push(child);
      }
    }
    return this.units(place, base, used.length);
  }

  units(place, base, count) {
    if (count > NO_PARENT) throw new Error("the trie has too many units");
    const units = new BigUint64Array(count).fill(BigInt(NO_PARENT) << 20n | BigInt(NO_TOKEN) << 40n);
    const write = (node, parent) => {
      units[place[node]] = BigInt(base[node]) | BigInt(parent) << 20n | BigInt(this.token[node]) << 40n;
    };
    write(0, NO_PARENT);
    this.children.forEach((children, node) => { for (const child of children.values()) write(child, place[node]); });
    return units;
  }
}
