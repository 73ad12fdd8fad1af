// A Node origin. Usage: node_origin.js PORT ADDRESS...
'use strict';
const http = require('http');
const crypto = require('crypto');

const answers = {
  hello: (request, response) => response.end('hello from node\n'),
  bytes: (request, response, size) => response.end(Buffer.alloc(Number(size), 'z')),
  chunks: (request, response) => {
    response.write('first,');
    setTimeout(() => response.end('second\n'), 100);
  },
  trailers: (request, response) => {
    response.writeHead(200, { Trailer: 'X-Sum' });
    response.write('with a trailer\n');
    response.addTrailers({ 'X-Sum': '15' });
    response.end();
  },
  cookies: (request, response) => {
    response.setHeader('Set-Cookie', ['a=1', 'b=2']);
    response.end('two cookies\n');
  },
  upload: (request, response) => {
    const digest = crypto.createHash('sha256');
    let size = 0;
    request.on('data', (piece) => { digest.update(piece); size += piece.length; });
    request.on('end', () => response.end(JSON.stringify({ size, sha256: digest.digest('hex'), method: request.method })));
  },
};

function serve(request, response) {
  const [name, ...rest] = request.url.slice(1).split('/');
  const answer = answers[name];
  if (!answer) {
    response.statusCode = 404;
    response.end('no such behaviour\n');
    return;
  }
  answer(request, response, ...rest);
}

const [port, ...hosts] = process.argv.slice(2);
for (const host of hosts) http.createServer(serve).listen(Number(port), host);
