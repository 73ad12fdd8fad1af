"""aiohttp's client, with one session for all cases."""

import asyncio
import os
import ssl

import aiohttp

from case_list import Body, error_class, pieces, read_cases, report


async def pieces_later(body):
    for piece in pieces(body):
        yield piece


async def observe(session, case):
    body, seen = Body(), {}
    payload = pieces_later(case.body) if case.body is not None and "chunked" in case.flags else case.body
    trusted = None if "untrusted" in case.flags else os.environ["SSL_CERT_FILE"]
    context = ssl.create_default_context(cafile=trusted or "/etc/ssl/certs/ca-certificates.crt")
    try:
        async with session.request(case.method, case.url, headers=case.headers, data=payload, ssl=context,
                                   expect100="expect" in case.flags, allow_redirects="follow" in case.flags,
                                   timeout=aiohttp.ClientTimeout(sock_read=case.timeout)) as response:
            seen = {"status": response.status, "reason": response.reason,
                    "headers": [(k.decode("latin-1"), v.decode("latin-1")) for k, v in response.raw_headers],
                    "version": list(response.version), "history": [earlier.status for earlier in response.history]}
            async for piece in response.content.iter_any():
                body.add(piece)
    except Exception as error:
        seen["error"] = error_class(error)
    report(case, **seen, body=body.seen(case))


async def main():
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        for case in read_cases():
            await observe(session, case)


asyncio.run(main())
