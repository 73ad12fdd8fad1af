// Node's http and https modules, with a keep-alive agent.
'use strict';
const http = require('http');
const https = require('https');
const { readCases, Body, report } = require('./case_list.js');

const agents = { 'http:': new http.Agent({ keepAlive: true }), 'https:': new https.Agent({ keepAlive: true }) };

function send(request, item) {
  if (item.body === null) return request.end();
  if (item.flags.has('expect')) {
    request.on('continue', () => request.end(item.body));
    return request.flushHeaders();
  }
  if (!item.flags.has('chunked')) return request.end(item.body);
  for (let at = 0; at < item.body.length; at += 50000) request.write(item.body.subarray(at, at + 50000));
  return request.end();
}

function fetchOne(item) {
  return new Promise((resolve) => {
    const body = new Body();
    const seen = { information: [] };
    let ended = false;
    const done = (error) => {
      if (ended) return;
      ended = true;
      if (error) seen.error = [error.constructor.name, error.code ?? null];
      resolve({ ...seen, body: body.seen(item) });
    };
    const url = new URL(item.url);
    const options = { method: item.method, headers: { ...item.headers }, agent: agents[url.protocol] };
    if (item.body !== null && !item.flags.has('chunked')) options.headers['Content-Length'] = item.body.length;
    if (item.flags.has('chunked')) options.headers['Transfer-Encoding'] = 'chunked';
    if (item.flags.has('expect')) options.headers.Expect = '100-continue';
    if (item.flags.has('untrusted')) Object.assign(options, { ca: [], agent: new https.Agent() });
    const request = (url.protocol === 'https:' ? https : http).request(url, options);
    request.setTimeout(item.timeout * 1000, () => request.destroy(new Error('client timeout')));
    request.on('error', done);
    request.on('information', (hint) => seen.information.push([hint.statusCode, hint.rawHeaders]));
    request.on('response', (response) => {
      Object.assign(seen, { status: response.statusCode, reason: response.statusMessage, version: response.httpVersion,
        headers: response.rawHeaders, peer: [response.socket.remoteAddress, response.socket.remotePort] });
      response.on('data', (piece) => body.add(piece));
      response.on('error', done);
      response.on('end', () => { seen.trailers = response.rawTrailers; done(); });
    });
    send(request, item);
  });
}

(async () => {
  for (const item of readCases()) report(item, await fetchOne(item));
  Object.values(agents).forEach((agent) => agent.destroy());
})();
