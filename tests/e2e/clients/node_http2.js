// Node's http2 module, with one session for each server.
'use strict';
const http2 = require('http2');
const { readCases, numbered, Body, report } = require('./case_list.js');

const sessions = new Map();

function pinned(pin) {
  const refusal = new Error('another certificate than the pinned one');
  return (_, shown) => (shown.fingerprint256.replaceAll(':', '').toLowerCase() === pin ? undefined : refusal);
}

function sessionFor(url, item) {
  let session = sessions.get(url.origin);
  if (session && !session.closed && !session.destroyed) return session;
  session = http2.connect(url.origin, item.pin ? { checkServerIdentity: pinned(item.pin) } : {});
  session.on('error', () => {}); // its streams say so as well
  sessions.set(url.origin, session);
  return session;
}

function send(stream, item) {
  if (item.body === null) return stream.end();
  if (!item.flags.has('chunked')) return stream.end(item.body);
  for (let at = 0; at < item.body.length; at += 50000) stream.write(item.body.subarray(at, at + 50000));
  return stream.end();
}

function fetchOne(item, address) {
  return new Promise((resolve) => {
    const body = new Body();
    const seen = { information: [] };
    const url = new URL(address);
    const session = sessionFor(url, item);
    const fields = { ...item.headers, ':method': item.method, ':path': url.pathname + url.search };
    if (item.body !== null && !item.flags.has('chunked')) fields['content-length'] = item.body.length;
    const stream = session.request(fields, { endStream: false });
    const done = () => resolve({ seen: { ...seen, body: body.seen(item) }, session });
    // not the stream's own: that ends with the stream, which may never be reported
    const deadline = setTimeout(() => { seen.error = ['client timeout']; done(); }, item.timeout * 1000);
    stream.on('error', (error) => { seen.error = [error.constructor.name, error.code ?? null, error.cause?.code ?? error.cause?.message ?? null]; });
    stream.on('headers', (_, __, raw) => seen.information.push(raw));
    stream.on('response', (head, _, raw) => {
      Object.assign(seen, { status: head[':status'], headers: raw, version: session.encrypted ? session.alpnProtocol : 'h2c',
        peer: [session.socket.remoteAddress, session.socket.remotePort] });
    });
    stream.on('trailers', (_, __, raw) => { seen.trailers = raw; });
    stream.on('data', (piece) => body.add(piece));
    stream.on('close', () => { clearTimeout(deadline); done(); });
    send(stream, item);
  });
}

async function fetchMany(item) {
  const begin = performance.now();
  const fetched = await Promise.all(numbered(item).map((address) => fetchOne(item, address)));
  return { answers: fetched.map(({ seen }) => seen), connections: new Set(fetched.map(({ session }) => session)).size,
    together: performance.now() - begin < item.times * 150 };
}

(async () => {
  for (const item of readCases()) report(item, item.times ? await fetchMany(item) : (await fetchOne(item, item.url)).seen);
  sessions.forEach((session) => session.destroy());
})();
