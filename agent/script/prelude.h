// The part of a call that is JavaScript of ours: makes the globals, runs the script and tells what it changed.
#pragma once

#include <string_view>

namespace lunar::script {

// A function of the request document, the response document or undefined, and the script. It keeps what it needs of the
// built-in objects, as the script may replace them. A JSON body is parsed when it is first looked at, so that scripts
// for headers alone do not pay for it; header names ignore case, as everywhere. The result is JSON with those writable
// members of the request, or of the response where there is one, that have changed.
inline constexpr std::string_view kPrelude = R"js(function (requestText, responseText, script) {
  var parse = JSON.parse, stringify = JSON.stringify, keys = Object.keys, describe = Object.getOwnPropertyDescriptor;
  var text = String, create = Object.create, define = Object.defineProperty;
  var has = Function.prototype.call.bind(Object.prototype.hasOwnProperty);
  var lower = Function.prototype.call.bind(String.prototype.toLowerCase);
  var global = new Function('return this')();

  function nameIn(map, name) {
    if (typeof name !== 'string' || has(map, name)) return name;
    var wanted = lower(name), all = keys(map);
    for (var i = 0; i < all.length; i++) if (lower(all[i]) === wanted) return all[i];
    return name;
  }
  function fields(map) {
    return new Proxy(map, {
      get: function (target, name) { return target[nameIn(target, name)]; },
      set: function (target, name, value) { target[nameIn(target, name)] = value; return true; },
      has: function (target, name) { return nameIn(target, name) in target; },
      deleteProperty: function (target, name) { return delete target[nameIn(target, name)]; }
    });
  }
  // All that is left by lower-case name, with values as text.
  function fieldTexts(map) {
    var left = create(null), names = map === null || typeof map !== 'object' ? [] : keys(map), i, value;
    for (i = 0; i < names.length; i++) {
      value = map[names[i]];
      if (value === undefined || value === null) continue;
      if (typeof value === 'object' || typeof value === 'function') throw new TypeError('header ' + names[i] + ' is no text');
      left[lower(names[i])] = text(value);
    }
    return left;
  }

  function bodyOf(message) {
    var raw = message.body, looked = false, value, canonical;
    function read() {
      looked = true;
      value = raw;
      if (typeof raw === 'string' && /^\s*[\[{]/.test(raw)) {
        try { value = parse(raw); } catch (e) { return; }
      }
      if (typeof value === 'object' && value !== null) canonical = stringify(value);
    }
    function get() { if (!looked) read(); return value; }
    define(message, 'body', {get: get, set: function (next) { if (!looked) read(); value = next; }, enumerable: true, configurable: true});
    return function changed() {
      var now = describe(message, 'body');
      if (!looked && now !== undefined && now.get === get) return undefined;
      if (!looked) read();
      now = message.body;
      if (now === undefined || now === null) return raw === undefined || raw === null ? undefined : '';
      var sent = typeof now === 'object' ? stringify(now) : text(now);
      var same = sent === raw || (sent === canonical && (typeof now === 'object' || typeof raw === 'object'));
      return same ? undefined : sent;
    };
  }

  function open(source, writable) {
    var message = parse(source), before = create(null), headers = message.headers || {};
    var headersBefore = stringify(fieldTexts(headers)), body = bodyOf(message);
    message.headers = fields(headers);
    writable.forEach(function (member) { before[member] = message[member]; });
    return {message: message, changes: function () {
      var changes = create(null), left = fieldTexts(message.headers), sent = body();
      if (stringify(left) !== headersBefore) changes.headers = left;
      if (sent !== undefined) changes.body = sent;
      for (var i = 0; i < writable.length; i++)
        if (message[writable[i]] !== before[writable[i]]) changes[writable[i]] = message[writable[i]];
      return changes;
    }};
  }

  var request = open(requestText, ['path', 'query', 'host']), response;
  global.request = request.message;
  if (responseText !== undefined) {
    response = open(responseText, ['status']);
    global.response = response.message;
  }
  script();
  return stringify((response || request).changes());
})js";

}  // namespace lunar::script
