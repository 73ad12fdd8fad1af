// Texts of every kind that tokenizers treat differently, the same ones for the same seed.
export function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (n) => Math.floor(next() * n);
  return { below, pick: (list) => list[below(list.length)], chance: (p) => next() < p };
}

const PROSE = [
  "The quick brown fox doesn't jump over the lazy dog, and they'll say it's been 3.14159 times better than we'd hoped.",
  "Falsches Üben von Xylophonmusik quält jeden größeren Zwerg; Donaudampfschifffahrtsgesellschaftskapitän.",
  "Voix ambiguë d’un cœur qui, au zéphyr, préfère les jattes de kiwis. L'été, c'est l'heure où jamais!",
  "El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia y frío, ¿añoraba a su querido cachorro?",
  "Съешь же ещё этих мягких французских булок, да выпей чаю. В чащах юга жил бы цитрус?",
  "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Ταχίστη αλώπηξ βαφής ψημένη γη.",
  "דג סקרן שט בים מאוכזב ולפתע מצא חברה. שָׁלוֹם עֲלֵיכֶם",
  "نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر ومغلف بجلد أزرق. ٠١٢٣٤٥٦٧٨٩",
  "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश करने वाले विष्णुवतार भगवान श्रीराम। १२३४५",
  "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน",
  "我能吞下玻璃而不伤身体。人工智能正在改变世界,令人惊叹!第12345号文件。",
  "いろはにほへと ちりぬるを わかよたれそ つねならむ。カタカナとひらがな、漢字を混ぜる。",
  "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다.",
  "Tiếng Việt có nhiều dấu: ắ ằ ẳ ẵ ặ, ế ề ể ễ ệ. Nguyễn Văn A ở Thành phố Hồ Chí Minh.",
  "Pijamalı hasta yağız şoföre çabucak güvendi. İSTANBUL ıspanak.",
  "ქართული ენა — ᲥᲐᲠᲗᲣᲚᲘ ՀԱՅԵՐԵՆ հայերեն ꙮ ʰˢˠ ªº ǅ ǈ ǋ ᾈ ᾼ",
];
const CODE = [
  "int main(int argc, char** argv) {\n\tfor (size_t i = 0; i < argc; ++i) {\n\t\tprintf(\"%s\\n\", argv[i]);\n\t}\n\treturn 0;\n}\n",
  "def f(x: int) -> list[str]:\r\n    return [f\"{y:>08.3f}\" for y in range(x) if y % 2 == 0]  # comment's here\r\n\r\n",
  "const a = async ({b, ...rest}) => { await fetch(`https://api.example.com/v1/${b}?q=%20&x[]=1`); };\n//////\n/* ***** */\n",
  "SELECT u.id, COUNT(*) FROM users AS u WHERE u.created_at >= '2024-01-01T00:00:00Z' GROUP BY 1 HAVING COUNT(*) > 10;\n",
  "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\\n\\u00e9\"}],\"temperature\":0.7,\"max_tokens\":1024,\"stream\":true}",
  "<div class=\"container-fluid\"><a href='/path/to/page.html#anchor'>&nbsp;</a></div>\n\n\n   \n  ",
  "HTTPServerURLConnectionFactoryImpl getHTTPResponseCode() XMLHttpRequest iOSVersion snake_case_name SCREAMING_CASE kebab-case",
  "------------------------------------\n====================\n****************\n________________\n................\n",
];
const EMOJI = ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇯🇵", "❤️‍🔥", "1️⃣", "🧑🏿‍🚀", "\u200d", "\ufe0f", "🤷‍♀️"];
const BLANKS = [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n", " \n", "\n ", "\u00a0", "\u3000", "\u2028", "\ufeff", "\u0085",
  "\v", "\f", "\u1680", "\u200b", "\u202f", " ".repeat(40), "\t\t\t", " \r\n \r\n  x"];
const MARKS = ["'s", "'S", "'ll", "'LL", "'rE", "'ve", "'t", "'d", "'m", "’s", "'x", "'", "''", "'ſ", "/", "//\n/", ".\r\n", "<|endoftext|>",
  "<|fim_prefix|>", "<|endofprompt|>", "\u0301", "e\u0301", "A\u0301B", "\u0301\u0301", "ªAB", "ʰC", "中A", "A中", "ǅx", "Aǅ", "½", "²³", "Ⅷ", "٣٤٥٦",
  "\u0488X", "X\u0488", "\u0903a", "…", "—", "€", "🙂!", "¿", "\u0000", "\u007f", "￿", "\ue000", "𝒜𝓫𝟙", "𐐀𐐨", "𠀀"];

function word(r, alphabet, length) {
  let text = "";
  for (let i = 0; i < length; i++) text += alphabet[r.below(alphabet.length)];
  return text;
}
const LOWER = [..."abcdefghijklmnopqrstuvwxyz"], MIXED = [..."abcdefghijKLMNOPQRSTuvwxyz0123456789+/"];

function slice(r, text) {
  const chars = Array.from(text);
  const from = r.below(chars.length);
  return chars.slice(from, from + 1 + r.below(chars.length)).join("");
}

const PARTS = [
  (r) => slice(r, r.pick(PROSE)),
  (r) => slice(r, r.pick(CODE)),
  (r) => r.pick(EMOJI).repeat(1 + r.below(4)),
  (r) => r.pick(BLANKS).repeat(1 + r.below(5)),
  (r) => r.pick(MARKS) + r.pick(MARKS),
  (r) => String(r.below(2 ** 31)).repeat(1 + r.below(3)),
  (r) => word(r, LOWER, 1 + r.below(60)),
  (r) => word(r, MIXED, 1 + r.below(100)),
  (r) => r.pick([..."aA =-*中é0.\n"]).repeat(1 + r.below(200)),
  (r) => word(r, ["a", "b"], 1 + r.below(100)),
  (r) => String.fromCodePoint(...Array.from({ length: 1 + r.below(12) }, () => codePoint(r))),
];

function codePoint(r) {
  const code = r.chance(0.5) ? r.below(0x3000) : r.chance(0.7) ? r.below(0x20000) : r.below(0x110000);
  return code >= 0xd800 && code < 0xe000 ? 0x20 : code;
}

// One text as bytes; some are cut or damaged, so that they are no UTF-8.
export function text(r) {
  let whole = "";
  for (let i = 1 + r.below(8); i > 0; i--) whole += r.pick(PARTS)(r);
  const bytes = Buffer.from(whole, "utf8");
  if (!r.chance(0.15)) return bytes;
  for (let i = 1 + r.below(6); i > 0; i--) bytes[r.below(bytes.length)] = r.pick([0x80, 0xbf, 0xc0, 0xe2, 0xed, 0xf0, 0xf4, 0xff, r.below(256)]);
  return bytes.subarray(0, 1 + r.below(bytes.length));
}

export function longWords(r) {
  return [..."aA =-*.é中0\n/"].flatMap((c) => [3, 64, 129, 700].map((n) => c.repeat(n)))
    .concat([word(r, LOWER, 1500), word(r, MIXED, 1500), "ab".repeat(600), "abc ".repeat(300), " a".repeat(300), "\u0301A".repeat(300),
      "'s".repeat(300), "AAAª".repeat(200), "x" + "\n ".repeat(300), "😀".repeat(200), "👩‍👩‍👧‍👦".repeat(60)])
    .map((one) => Buffer.from(one, "utf8"));
}
