"""requests, with one session for all cases: connections are kept and used again."""

import requests

from case_list import Body, error_class, pieces, read_cases, report

session = requests.Session()


def observe(case):
    body, seen = Body(), {}
    payload = pieces(case.body) if case.body is not None and "chunked" in case.flags else case.body
    verify = "/etc/ssl/certs/ca-certificates.crt" if "untrusted" in case.flags else None
    try:
        with session.request(case.method, case.url, headers=case.headers, data=payload, timeout=case.timeout,
                             stream=True, allow_redirects="follow" in case.flags, verify=verify) as response:
            connection = getattr(response.raw, "_connection", None)
            sock = getattr(connection, "sock", None)
            seen = {"status": response.status_code, "reason": response.reason, "headers": list(response.raw.headers.items()),
                    "version": response.raw.version, "peer": sock.getpeername()[:2] if sock else None,
                    "history": [earlier.status_code for earlier in response.history]}
            for piece in response.raw.stream(1 << 16, decode_content=False):
                body.add(piece)
    except Exception as error:
        seen["error"] = error_class(error)
    report(case, **seen, body=body.seen(case))


for one in read_cases():
    observe(one)
