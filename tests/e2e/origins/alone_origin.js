// One site twice, with TLS: on port 443 by HTTP/1.1 alone, on port 8443 by HTTP/2 alone. Others get the alert no_application_protocol.
// Usage: alone_origin.js STEM ADDRESS...   (the certificate is STEM.pem, its key STEM.key)
//
// x-seen of each answer says how the request came: name=value;... with `none` for what it did not have.
'use strict';
const fs = require('fs');
const crypto = require('crypto');
const http2 = require('http2');
const https = require('https');

const PATTERN = 'lunar-0123456789abcdefghijklmnopqrstuvwxyz\n';
const INTERNAL_ERROR = 2;
const REFUSED_STREAM = 7;
const connections = new Map(); // their numbers, in the order in which they first asked
let calls = 0; // of gRPC
const refusals = new Map(); // of each name
let left = 0; // clients, before they had their answer

const isNew = (request) => request.httpVersion === '2.0';
const connectionOf = (request) => (isNew(request) ? request.stream.session : request.socket);

function numberOf(connection) {
  if (!connections.has(connection)) connections.set(connection, connections.size + 1);
  return connections.get(connection);
}

function seen(request, body) {
  const fields = request.headers;
  const words = { version: request.httpVersion, connection: numberOf(connectionOf(request)), method: request.method, calls,
    host: fields[':authority'] ?? fields.host, length: fields['content-length'], coding: fields['transfer-encoding'],
    expect: fields.expect, cookie: fields.cookie?.replaceAll(/[^\w]+/g, '.'), asked: fields['x-asked'], hop: fields['x-hop'], ...body };
  return Object.entries(words).map(([name, value]) => `${name}=${value ?? 'none'}`).join(';');
}

function answer(request, response, body, fields = {}, status = 200) {
  response.writeHead(status, { 'x-seen': seen(request), 'content-length': body.length, ...fields });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function pieces(request, response, after, first, last) {
  response.writeHead(200, { 'x-seen': seen(request) });
  response.write(first);
  setTimeout(() => response.end(last), after);
}

function cut(request, response, fields) {
  response.writeHead(200, { 'x-seen': seen(request), ...fields });
  response.write('x'.repeat(100));
  setTimeout(() => (isNew(request) ? request.stream.close(INTERNAL_ERROR) : request.socket.destroy()), 50); // the client shall have got it
}

const site = {
  hello: (request, response) => answer(request, response, 'hello\n'),
  bytes: (request, response, size) => answer(request, response, Buffer.alloc(Number(size), PATTERN)),
  status: (request, response, code) => answer(request, response, 'a status\n', {}, Number(code)),
  slow: (request, response, milliseconds) => setTimeout(() => answer(request, response, 'late\n'), Number(milliseconds)),
  'no-content': (request, response) => response.writeHead(204, { 'x-seen': seen(request) }).end(),
  'not-modified': (request, response) => response.writeHead(304, { 'x-seen': seen(request), etag: '"v1"' }).end(),
  cookies: (request, response) => answer(request, response, 'two\n', { 'set-cookie': ['a=1', 'b=2'] }),
  chunks: (request, response) => pieces(request, response, 50, 'first,', 'second\n'),
  events: (request, response) => pieces(request, response, 250, 'data: 1\n\n', 'data: 2\n\n'),
  trailers: (request, response) => {
    response.writeHead(200, { 'x-seen': seen(request), trailer: 'x-checksum' });
    response.write('with a trailer\n');
    response.addTrailers({ 'x-checksum': '4711' });
    response.end();
  },
  interim: (request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' });
    answer(request, response, 'after a hint\n');
  },
  upload: (request, response) => {
    const digest = crypto.createHash('sha256');
    let size = 0;
    request.on('data', (piece) => { digest.update(piece); size += piece.length; });
    request.on('end', () => {
      const body = { size, sha256: digest.digest('hex'), sum: request.trailers['x-sum'] };
      response.writeHead(200, { 'x-seen': seen(request, body), 'content-length': 6 }).end('taken\n');
    });
  },
  early: (request, response, code) => {
    answer(request, response, 'answered early\n', {}, Number(code));
    request.resume();
  },
  hang: (request, response) => response.writeHead(200, { 'x-seen': seen(request) }).write('begun\n'),
  // Not taken as many times, of all requests of that name.
  refuse: (request, response, name, times) => {
    const before = refusals.get(name) ?? 0;
    if (before >= Number(times)) return answer(request, response, `taken after ${before}\n`);
    refusals.set(name, before + 1);
    return request.stream.close(REFUSED_STREAM);
  },
  left: (request, response) => answer(request, response, `${left}\n`),
  // What becomes of the connection: its end is announced before the answer is over or behind it, or it just ends.
  close: (request, response) => {
    answer(request, response, 'the last one\n', isNew(request) ? {} : { connection: 'close' });
    if (isNew(request)) connectionOf(request).close();
  },
  goaway: (request, response) => {
    const connection = connectionOf(request);
    response.on('finish', () => isNew(request) && connection.goaway());
    answer(request, response, 'the last one\n');
  },
  leave: (request, response) => {
    const connection = connectionOf(request);
    response.on('finish', () => setImmediate(() => (isNew(request) ? connection.destroy() : connection.end())));
    answer(request, response, 'the last one\n');
  },
  cut: (request, response, how) => cut(request, response, how === 'known' ? { 'content-length': 1000 } : {}),
  // Half of all numbers are cut; the others end later.
  mixed: (request, response, number) => (number % 2 ? cut(request, response) : pieces(request, response, 300, 'whole,', 'and late\n')),
};

function serve(request, response) {
  calls += Number(request.headers['content-type']?.startsWith('application/grpc') ?? false);
  request.on('aborted', () => { left += 1; });
  const [name, ...rest] = new URL(request.url, 'https://site').pathname.slice(1).split('/'); // of any form
  if (site[name]) site[name](request, response, ...rest);
  else answer(request, response, 'no such page\n', {}, 404);
}

// Given by hand: not all versions of Node refuse by themselves who offers another protocol alone.
function alone(protocol) {
  return { key: fs.readFileSync(`${stem}.key`), cert: fs.readFileSync(`${stem}.pem`),
    ALPNCallback: ({ protocols }) => (protocols.includes(protocol) ? protocol : undefined) };
}

const [stem, ...addresses] = process.argv.slice(2);
for (const address of addresses) {
  https.createServer(alone('http/1.1'), serve).listen(443, address);
  http2.createSecureServer(alone('h2'), serve).listen(8443, address);
}
