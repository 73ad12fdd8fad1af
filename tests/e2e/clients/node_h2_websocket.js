// A WebSocket in a stream of HTTP/2 (RFC 8441). Usage: node node_h2_websocket.js URL
// Prints whether the server offers that, what came back of each message, and how it was closed.
'use strict';
const http2 = require('http2');

const TEXT = 1, BINARY = 2, CLOSE = 8, LONG = 1 << 20;
const CLOSING = Buffer.from([0x10, 0xe1, ...Buffer.from('as agreed')]); // 4321

// A frame of a client with a mask of zeros.
function framed(opcode, payload) {
  const size = payload.length < 126 ? Buffer.from([0x80 | payload.length]) : Buffer.alloc(9, 0xff);
  if (payload.length >= 126) size.writeBigUInt64BE(BigInt(payload.length), 1);
  return Buffer.concat([Buffer.from([0x80 | opcode]), size, Buffer.alloc(4), payload]);
}

// The first frame of a server in `bytes`, or null while it is not whole.
function parsed(bytes) {
  if (bytes.length < 2) return null;
  const short = bytes[1] & 0x7f;
  const begin = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < begin) return null;
  const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  const end = begin + size;
  return bytes.length < end ? null : { opcode: bytes[0] & 0xf, payload: bytes.subarray(begin, end), rest: bytes.subarray(end) };
}

function converse(session, url, seen) {
  const messages = [[TEXT, Buffer.from('text')], [BINARY, Buffer.from([0, 1, 0xff])], [TEXT, Buffer.alloc(LONG, 'x')], [CLOSE, CLOSING]];
  const head = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': url.pathname, 'sec-websocket-version': '13' };
  const stream = session.request(head, { endStream: false });
  let arrived = Buffer.alloc(0), sent;
  const next = () => {
    sent = messages.shift();
    if (sent) stream.write(framed(...sent));
    else stream.end();
  };
  stream.on('response', (answer) => { seen.status = answer[':status']; next(); });
  stream.on('data', (piece) => {
    arrived = Buffer.concat([arrived, piece]);
    for (let frame; (frame = parsed(arrived)); arrived = frame.rest) {
      seen.echoes.push([frame.opcode, frame.payload.length, frame.opcode === sent[0] && frame.payload.equals(sent[1])]);
      if (frame.opcode === CLOSE) seen.code = frame.payload.readUInt16BE(0);
      next();
    }
  });
  stream.on('error', (error) => { seen.error = error.code; });
  stream.on('close', () => session.close());
}

const url = new URL(process.argv[2]);
const seen = { echoes: [] };
const session = http2.connect(url.origin);
session.on('error', (error) => { seen.error = error.code; });
session.on('remoteSettings', (settings) => {
  seen.offered = settings.enableConnectProtocol === true;
  if (seen.offered && seen.status === undefined) converse(session, url, seen);
  else session.close();
});
session.on('close', () => console.log(JSON.stringify(seen)));
