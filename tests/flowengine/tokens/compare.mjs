// compare.mjs FOLDER_OF_JS_TIKTOKEN PROGRAM [SEED [TEXTS]]: PROGRAM makes the tokens that js-tiktoken makes.
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { longWords, random, text } from "./corpus.mjs";

const [folder, program, seed = "1", count = "4000"] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(path.join(folder, "dist", file)));
const { Tiktoken, getEncodingNameForModel } = await load("lite.js");
const ENCODINGS = ["cl100k_base", "o200k_base"];
let failures = 0;

function run(args, input) {
  const done = spawnSync(program, args, { input, maxBuffer: 1 << 28 });
  if (done.status !== 0) throw new Error(`${program}: status ${done.status}, signal ${done.signal}: ${done.stderr}`);
  return done.stdout.toString().trimEnd().split("\n");
}

function fault(what) {
  if (++failures <= 20) console.error(what);
}

// As token_hash() of the program.
function hash(tokens) {
  return tokens.reduce((value, token) => Math.imul(value ^ token, 16777619) >>> 0, 2166136261);
}

async function compareTexts() {
  const r = random(Number(seed));
  const texts = [...longWords(r), ...Array.from({ length: Number(count) }, () => text(r))];
  const input = Buffer.concat(texts.flatMap((one) => [Buffer.from(`${one.length}\n`), one]));
  const answers = run([], input).map((line) => line.trim().split(" "));
  if (answers.length !== texts.length) throw new Error(`${answers.length} answers for ${texts.length} texts`);
  let tokens = 0;
  for (const [which, name] of ENCODINGS.entries()) {
    const tokenizer = new Tiktoken((await load(`ranks/${name}.js`)).default);
    texts.forEach((one, i) => {
      const encoded = tokenizer.encode(one.toString("utf8"), [], []);
      tokens += encoded.length;
      const wanted = `${encoded.length} ${hash(encoded)}`;
      const given = answers[i].slice(2 * which, 2 * which + 2).join(" ");
      if (given !== wanted)
        fault(`${name}, text ${i} of seed ${seed}: ${given}, not ${wanted}: ${JSON.stringify(one.toString("latin1"))}`);
    });
  }
  console.log(`${texts.length} texts, ${input.length} bytes, ${tokens} tokens of two encodings, Unicode ${process.versions.unicode}`);
}

// The names that the package knows are those of its source.
function compareModels() {
  const chunk = readdirSync(path.join(folder, "dist")).find((file) => /^chunk-.*\.js$/.test(file));
  const names = [...readFileSync(path.join(folder, "dist", chunk), "utf8").matchAll(/case "([^"]+)":/g)].map((match) => match[1]);
  if (names.length < 50) throw new Error(`only ${names.length} models found in ${chunk}`);
  const answers = run(["--models"], names.join("\n") + "\n");
  names.forEach((name, i) => {
    const encoding = getEncodingNameForModel(name);
    const wanted = ENCODINGS.includes(encoding) ? encoding : "fallback";
    if (answers[i] !== wanted) fault(`model ${name}: ${answers[i]}, not ${wanted}`);
  });
  console.log(`${names.length} models`);
}

await compareTexts();
compareModels();
if (failures > 0) {
  console.error(`${failures} differences`);
  process.exit(1);
}
