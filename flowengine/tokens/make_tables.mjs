// Writes the tables of the token counter: make_tables.mjs FOLDER_OF_JS_TIKTOKEN OUTPUT. What is where: tables.h.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { base64Ranks } from "./ranks.mjs";
import { charClasses } from "./char_classes.mjs";
import { Trie } from "./trie.mjs";
import { Merges, NO_TOKEN } from "./merges.mjs";

const [folder, output] = process.argv.slice(2);
const ENCODINGS = ["cl100k_base", "o200k_base"];
const PAGE = 4096;

const sections = [];
let size = PAGE; // the directory has the first page
function section(array) {
  const at = size;
  sections.push([at, Buffer.from(array.buffer, array.byteOffset, array.byteLength)]);
  size = Math.ceil((size + array.byteLength) / PAGE) * PAGE;
  return at;
}

const directory = [];
const classes = charClasses();
directory.push(section(classes.blocks), section(classes.index));
for (const name of ENCODINGS) {
  const { default: published } = await import(pathToFileURL(path.join(folder, "dist", "ranks", `${name}.js`)));
  const tokens = base64Ranks(published.bpe_ranks);
  if (tokens.length >= NO_TOKEN) throw new Error(`${name}: ranks do not fit into 18 bits`);
  const trie = new Trie(tokens);
  const merges = new Merges(tokens, trie);
  const units = trie.pack();
  const pairs = merges.packPairs();
  directory.push(section(units), section(merges.packTokens()), section(pairs), pairs.length - 1, tokens.length);
  console.log(`${name}: ${tokens.length} tokens, ${units.length} trie units`);
}

const blob = Buffer.alloc(size);
blob.write("LUNTOK01", 0, "latin1");
directory.forEach((value, i) => blob.writeUInt32LE(value, 8 + 4 * i));
for (const [at, bytes] of sections) bytes.copy(blob, at);
writeFileSync(output, blob);
