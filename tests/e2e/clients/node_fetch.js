// Node's built-in fetch (undici).
'use strict';
const { readCases, Body, report } = require('./case_list.js');

async function* pieces(body) {
  for (let at = 0; at < body.length; at += 50000) yield body.subarray(at, at + 50000);
}

async function fetchOne(item) {
  const body = new Body();
  const seen = {};
  try {
    const options = { method: item.method, headers: item.headers, redirect: item.flags.has('follow') ? 'follow' : 'manual',
      signal: AbortSignal.timeout(item.timeout * 1000) };
    if (item.body !== null) Object.assign(options, item.flags.has('chunked') ? { body: pieces(item.body), duplex: 'half' } : { body: item.body });
    const response = await fetch(item.url, options);
    Object.assign(seen, { status: response.status, reason: response.statusText, headers: [...response.headers],
      redirected: response.redirected });
    if (response.body) for await (const piece of response.body) body.add(piece);
  } catch (error) {
    seen.error = [error.name, error.cause?.code ?? error.cause?.name ?? null];
  }
  return { ...seen, body: body.seen(item) };
}

(async () => {
  for (const item of readCases()) report(item, await fetchOne(item));
})();
