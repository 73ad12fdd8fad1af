// Tokens by rank out of the text form of js-tiktoken: lines of "! first-rank base64 base64 …".
export function base64Ranks(text) {
  const tokens = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [, first, ...words] = line.split(" ");
    words.forEach((word, i) => { tokens[Number.parseInt(first, 10) + i] = Buffer.from(word, "base64"); });
  }
  const single = new Set(tokens.filter((token) => token?.length === 1).map((token) => token[0]));
  if (single.size !== 256) throw new Error("not every byte is a token");
  if (tokens.some((token) => token.length > 255)) throw new Error("a token is longer than 255 bytes");
  return tokens;
}
