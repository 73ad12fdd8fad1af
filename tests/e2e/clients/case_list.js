// What the Node clients have in common; the format is described in case_list.py.
'use strict';
const fs = require('fs');
const crypto = require('crypto');

const PATTERN = 'lunar-0123456789abcdefghijklmnopqrstuvwxyz\n';

function readCases() {
  return fs.readFileSync(process.argv[2], 'utf8').replace(/\n$/, '').split('\n').map((line) => {
    const [name, method, url, headers, size, flags] = line.split('\t');
    const list = flags.split(',');
    const flag = (word, otherwise) => list.find((one) => one.startsWith(`${word}=`))?.slice(word.length + 1) ?? otherwise;
    return { name, method, url, timeout: Number(flag('timeout', 10)), times: Number(flag('times', 0)), pin: flag('pin'), flags: new Set(list),
      headers: Object.fromEntries(headers.split('\x1f').filter(Boolean).map((field) => field.split(': '))),
      body: size === '-' ? null : Buffer.alloc(Number(size), PATTERN) };
  });
}

// The URLs of a case with `times`.
function numbered(item) {
  return Array.from({ length: item.times }, (_, number) => item.url.replace('{}', 10 + number));
}

class Body {
  constructor() {
    this.digest = crypto.createHash('sha256');
    this.size = 0;
    this.arrivals = [];
  }

  add(piece) {
    this.digest.update(piece);
    this.size += piece.length;
    this.arrivals.push(performance.now());
  }

  seen(item) {
    const seen = { size: this.size, sha256: this.digest.digest('hex') };
    if (item.flags.has('stream')) seen['one by one'] = this.arrivals.filter((at, i) => i > 0 && at - this.arrivals[i - 1] > 150).length;
    return seen;
  }
}

function report(item, seen) {
  console.log(JSON.stringify({ name: item.name, ...seen }));
}

module.exports = { readCases, numbered, Body, report };
