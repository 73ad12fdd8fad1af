# Ruby's Net::HTTP; the formats of cases and observations are described in case_list.py.
require 'digest'
require 'json'
require 'net/http'
require 'openssl'
require 'stringio'

PATTERN = "lunar-0123456789abcdefghijklmnopqrstuvwxyz\n".freeze
KINDS = { 'GET' => Net::HTTP::Get, 'HEAD' => Net::HTTP::Head, 'POST' => Net::HTTP::Post, 'PUT' => Net::HTTP::Put }.freeze
TRUST = { false => ENV.fetch('SSL_CERT_FILE'), true => '/etc/ssl/certs/ca-certificates.crt' }.freeze

def make_request(uri, method, headers, size, flags)
  request = KINDS.fetch(method).new(uri)
  headers.split("\x1f").each { |field| request.send(:[]=, *field.split(': ', 2)) }
  return request if size == '-'

  body = (PATTERN * (size.to_i / PATTERN.size + 1))[0, size.to_i]
  request['Expect'] = '100-continue' if flags.include?('expect')
  request['Content-Type'] = 'application/octet-stream'
  if flags.include?('chunked')
    request['Transfer-Encoding'] = 'chunked'
    request.body_stream = StringIO.new(body)
  else
    request.body = body
  end
  request
end

def read_body(response, stream)
  digest = Digest::SHA256.new
  size = apart = 0
  last = nil
  response.read_body do |piece|
    now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    apart += 1 if last && now - last > 0.15
    last = now
    digest << piece
    size += piece.bytesize
  end
  seen = { size: size, sha256: digest.hexdigest }
  stream ? seen.merge('one by one' => apart) : seen
end

def observe(line)
  name, method, url, headers, size, flags = line.chomp.split("\t", -1)
  flags = flags.split(',')
  seen = { name: name }
  uri = URI(url)
  http = Net::HTTP.new(uri.host, uri.port, nil)
  http.use_ssl = uri.scheme == 'https'
  http.ca_file = TRUST[flags.include?('untrusted')]
  http.continue_timeout = 10 if flags.include?('expect')
  http.read_timeout = (flags.grep(/^timeout=/).first || 'timeout=10').split('=').last.to_f
  http.max_retries = 0
  http.start do
    socket = http.instance_variable_get(:@socket).io
    socket = socket.io if socket.respond_to?(:io)
    seen[:peer] = socket.remote_address.inspect_sockaddr
    http.request(make_request(uri, method, headers, size, flags)) do |response|
      seen.merge!(status: response.code, reason: response.message, version: response.http_version,
                  headers: response.to_hash.sort)
      seen[:body] = read_body(response, flags.include?('stream'))
    end
  end
rescue StandardError => e
  seen[:error] = e.class.name
ensure
  puts JSON.generate(seen)
end

$stdout.sync = true
File.foreach(ARGV[0]) { |line| observe(line) }
