<?php
// PHP's http:// stream wrapper; the formats of cases and observations are described in case_list.py.

const PATTERN = "lunar-0123456789abcdefghijklmnopqrstuvwxyz\n";

function observe(string $line): array
{
    [$name, $method, $url, $headers, $size, $flags] = explode("\t", rtrim($line, "\n"));
    $flags = explode(',', $flags);
    $timeout = 10.0;
    foreach ($flags as $flag) {
        $timeout = str_starts_with($flag, 'timeout=') ? (float) substr($flag, 8) : $timeout;
    }
    $http = ['method' => $method, 'header' => array_filter(explode("\x1f", $headers)), 'ignore_errors' => true,
             'follow_location' => in_array('follow', $flags) ? 1 : 0, 'timeout' => $timeout, 'protocol_version' => 1.1];
    $http['header'][] = 'Connection: close';
    if ($size !== '-') {
        $http['content'] = substr(str_repeat(PATTERN, intdiv((int) $size, strlen(PATTERN)) + 1), 0, (int) $size);
        $http['header'][] = 'Content-Type: application/octet-stream';
    }
    $trust = in_array('untrusted', $flags) ? '/etc/ssl/certs/ca-certificates.crt' : getenv('SSL_CERT_FILE');
    $stream = @fopen($url, 'rb', false, stream_context_create(['http' => $http, 'ssl' => ['cafile' => $trust]]));
    if ($stream === false) {
        return ['name' => $name, 'error' => preg_replace('/^.*: /s', '', error_get_last()['message'] ?? '')];
    }
    $seen = ['name' => $name, 'headers' => stream_get_meta_data($stream)['wrapper_data']];
    [$digest, $length, $apart, $last] = [hash_init('sha256'), 0, 0, null];
    while (!feof($stream)) {
        $piece = fread($stream, 65536);
        if ($piece === false || $piece === '') {
            break;
        }
        $now = hrtime(true);
        $apart += $last !== null && $now - $last > 150_000_000 ? 1 : 0;
        $last = $now;
        hash_update($digest, $piece);
        $length += strlen($piece);
    }
    $seen['timed_out'] = stream_get_meta_data($stream)['timed_out'];
    $seen['body'] = ['size' => $length, 'sha256' => hash_final($digest)];
    if (in_array('stream', $flags)) {
        $seen['body']['one by one'] = $apart;
    }
    return $seen;
}

foreach (file($argv[1]) as $line) {
    echo json_encode(observe($line), JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}
