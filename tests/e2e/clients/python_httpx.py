"""httpx with HTTP/2, with one client for all cases."""

import asyncio
import time

import httpx

from case_list import Body, error_class, numbered, pieces, read_cases, report


async def pieces_later(body):
    for piece in pieces(body):
        yield piece


async def fetch(client, case, url):
    body, seen = Body(), {}
    payload = pieces_later(case.body) if case.body is not None and "chunked" in case.flags else case.body
    try:
        async with client.stream(case.method, url, headers=case.headers, content=payload, timeout=case.timeout,
                                 follow_redirects="follow" in case.flags) as response:
            seen = {"status": response.status_code, "version": response.http_version,
                    "headers": [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]}
            async for piece in response.aiter_raw():
                body.add(piece)
    except Exception as error:
        seen["error"] = error_class(error)
    return {**seen, "body": body.seen(case)}


async def fetch_many(client, case):
    begin = time.monotonic()
    answers = await asyncio.gather(*(fetch(client, case, url) for url in numbered(case)))
    return {"answers": answers, "together": time.monotonic() - begin < case.times * 0.15}


async def main():
    limits = httpx.Limits(keepalive_expiry=60)
    async with httpx.AsyncClient(http2=True, limits=limits) as client:
        for case in read_cases():
            report(case, **await (fetch_many(client, case) if case.times else fetch(client, case, case.url)))


asyncio.run(main())
