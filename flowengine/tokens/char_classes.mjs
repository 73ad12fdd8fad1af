// What the regular expressions of the tokenizers tell apart, for each code point, as this JavaScript engine sees it.
// The numbers are those of CharClass in char_class.h.
const CLASSES = [
  [1, /^[\r\n]$/u],
  [2, /^\s$/u],
  [3, /^[\p{Lu}\p{Lt}]$/u],
  [4, /^\p{Ll}$/u],
  [5, /^[\p{Lm}\p{Lo}]$/u],
  [6, /^\p{M}$/u],
  [7, /^\p{N}$/u],
];
const BLOCK = 128;

function classOf(code) {
  if (code >= 0xd800 && code < 0xe000) return 0;
  const text = String.fromCodePoint(code);
  return CLASSES.find(([, pattern]) => pattern.test(text))?.[0] ?? 0;
}

// Two levels: the index names a block for each 128 code points; equal blocks are stored once.
export function charClasses() {
  const known = new Map();
  const blocks = [];
  const index = new Uint16Array(0x110000 / BLOCK);
  for (let i = 0; i < index.length; i++) {
    const block = Uint8Array.from({ length: BLOCK }, (_, k) => classOf(i * BLOCK + k));
    const key = block.join("");
    if (!known.has(key)) {
      known.set(key, known.size);
      blocks.push(...block);
    }
    index[i] = known.get(key);
  }
  return { blocks: Uint8Array.from(blocks), index };
}
