"""Python's urllib.request."""

import ssl
import urllib.error
import urllib.request

from case_list import Body, error_class, pieces, read_cases, report


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def observe(case):
    body, response = Body(), None
    handlers = [] if "follow" in case.flags else [NoRedirect()]
    if "untrusted" in case.flags:
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile="/etc/ssl/certs/ca-certificates.crt")))
    opener = urllib.request.build_opener(*handlers)
    payload = pieces(case.body) if case.body is not None and "chunked" in case.flags else case.body
    request = urllib.request.Request(case.url, payload, case.headers, method=case.method)
    seen = {}
    try:
        try:
            response = opener.open(request, timeout=case.timeout)
        except urllib.error.HTTPError as error:
            response = error
        raw = response.fp.raw if hasattr(response.fp, "raw") else response.fp.fp.raw
        sock = getattr(raw, "_sock", None)
        seen = {"status": response.status, "reason": response.reason, "headers": response.headers.items(),
                "version": response.version if hasattr(response, "version") else None,
                "peer": sock.getpeername()[:2] if sock else None}
        while piece := response.read1(1 << 16) if hasattr(response, "read1") else response.read(1 << 16):
            body.add(piece)
    except Exception as error:
        seen["error"] = error_class(error)
    finally:
        if response:
            response.close()
    report(case, **seen, body=body.seen(case))


for one in read_cases():
    observe(one)
