"""Streams under flows that watch them: no event waits, and however long a stream is, little of it is kept."""

import json
import statistics
import sys
import time

import pytest

from drill import announce
from lunards import har_exporter, shared_lunard
from test_apply_flows import pss
from test_flows import flow

STREAMS, EVENTS, TOKENS = 20, 12, 5
BODY_LIMIT = 1 << 20  # flows.body_limit, the default

WATCHERS = {
    "Count": ("CountLLMTokens", {"encoding": "o200k_base"}),
    "Budget": ("Limiter", {"quota_id": "Tokens"}),
    "Refuse": ("GenerateResponse", {"status": 429}),
    "Har": ("HARCollector", {"exporter_id": "audit"}),
    "Spend": ("UserDefinedMetrics", {"metric_name": "stream_tokens", "metric_value": "$.response.usage.total_tokens"}),
    "Keep": ("WriteCache", {"caching_key_parts": ["$.request.path"]}),
}


def watched():
    text = flow("Watched", "raw.example.com/*", WATCHERS,
                [("start", "Count"), ("Count", "Budget"), ("Budget:below_limit", "end"), ("Budget:above_limit", "Refuse")],
                [("start", "Har"), ("Har", "Spend"), ("Spend", "Keep"), ("Keep", "end"), ("Refuse", "end")])
    document = json.loads(text)
    document["processors"]["Count"]["metrics"] = {"enabled": True, "labels": ["flow_name"]}
    return json.dumps(document)


FILES = {
    "flows/watched.yaml": watched(),
    "quotas/raw.yaml": "quotas: [{id: Tokens, filter: {url: raw.example.com/*}, strategy: {fixed_window_custom_counter: "
                       "{max: 1000000, interval: 1, interval_unit: hour, counter_value_path: $.response.usage.total_tokens}}}]\n",
}


@pytest.fixture(scope="module")
def lunard(world, internet, request, har_folder):
    yield from shared_lunard(world, request, files=FILES, gateway_config=har_exporter(har_folder))


# Streams begin spread over one interval, so that no event waits for the client's work on those of other streams.
CLIENT = """
import asyncio, json, sys, time
streams, events, tokens = map(int, sys.argv[1:])
body = json.dumps({"messages": [{"role": "user", "content": "hello world"}]})

async def stream(number):
    await asyncio.sleep(0.25 * number / streams)
    reader, writer = await asyncio.open_connection("raw.example.com", 80)
    head = f"POST /completion/{tokens}/yes/{events} HTTP/1.1\\r\\nHost: raw.example.com\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
    writer.write((head + body).encode())
    async for line in reader:
        if line.startswith(b"data: {") and b"sent" in line:
            print(1000 * (time.monotonic() - json.loads(line[6:])["sent"]))
    writer.close()

async def main():
    await asyncio.gather(*(stream(number) for number in range(streams)))

asyncio.run(main())
"""


def figures(delays):
    quantiles = statistics.quantiles(delays, n=100)
    return f"p50 {quantiles[49]:.2f}, p99 {quantiles[98]:.2f}, worst {max(delays):.2f} ms"


def test_flows_that_watch_streams_delay_none_of_their_events(lunard, world, har_folder):
    argv = [sys.executable, "-c", CLIENT, STREAMS, EVENTS, TOKENS]
    clients = {captured: world.start_client(argv, captured=captured, label="streams") for captured in (True, False)}
    assert [client.wait(30) for client in clients.values()] == [0, 0], clients[True].log()
    delays, direct = ([float(line) for line in client.log().split()] for client in clients.values())
    announce(f"{len(delays)} events of {STREAMS} streams under tokens, budget, HAR, metrics and cache", delay=figures(delays), direct_beside=figures(direct))
    assert len(delays) == len(direct) == STREAMS * EVENTS
    # each was there before the provider sent the next one, 250 ms later
    assert max(delays) < 250
    # and all the watchers have seen all of it
    assert lunard.control("POST", "/logs/flush")[0] == 200
    entries = [json.loads(line) for line in (har_folder / "audit.ndjson").read_text().splitlines()]
    assert [entry["response"]["content"]["text"].count('"sent"') for entry in entries] == [EVENTS] * STREAMS
    assert lunard.metric("lunar_stream_tokens_total") == lunard.used("Tokens") == STREAMS * TOKENS
    assert lunard.metric("lunar_llm_tokens_count_total", flow_name="Watched") == STREAMS * 2


def flood(world, gateway, *options, streams=1):
    """Fetches streams of 200 MB; the highest PSS of the gateway meanwhile in KiB, and the seconds that it took."""
    begin, highest = time.monotonic(), 0
    argv = ["curl", "-sS", *options, "-o", "/dev/null", "-w", "%{size_download}", "http://raw.example.com/flood/200"]
    clients = [world.start_client(argv, captured=True) for _ in range(streams)]
    while any(client.poll() is None for client in clients):
        highest = max(highest, pss(gateway))
        time.sleep(0.02)  # between two looks, so that looking does not become the load
    for client in clients:
        assert client.poll() == 0 and 199e6 < int(client.log()) < 201e6, client.log()
    return highest, time.monotonic() - begin


@pytest.mark.parametrize("pace", [[], ["--limit-rate", "80M"]], ids=["as it comes", "slower than it comes"])
def test_of_a_stream_of_200_megabytes_no_more_is_kept_than_the_limits_say(lunard, world, pace):
    gateway, used = lunard.gateway_pid(), lunard.used("Tokens")
    workers = len(lunard.status()["gateway"]["workers"])
    passed_by, _ = flood(world, gateway, "-H", "x-lunar-allow: false", streams=2 * workers)
    assert lunard.used("Tokens") == used
    watched, seconds = flood(world, gateway, *pace)
    assert lunard.used("Tokens") == used + 7
    announce(f"a stream of 200 MB {' '.join(pace)}", took=f"{seconds:.1f} s", gateway_pss=f"{passed_by} KiB without flows, {watched} KiB under flows that watch it")
    # A copy of the body up to its limit, given up when that is reached: the string that holds it doubles, and what it has had
    # the allocator keeps for each worker. The rest is what the other streams left untouched.
    assert watched - passed_by < workers * 8 * BODY_LIMIT / 1024


IN_A_ROW = """
import http.client
connection = http.client.HTTPConnection("raw.example.com")
for _ in range(50):
    connection.request("GET", "/hello")
    assert connection.getresponse().read() == b"hello\\n"
"""


def test_no_answer_waits_until_the_client_has_acknowledged_its_head(lunard, world):
    def delayed_acknowledgements():
        names, values = (line.split() for line in world.host.run("cat", "/proc/self/net/netstat").stdout.splitlines() if line.startswith("TcpExt:"))
        return int(values[names.index("DelayedACKs")])

    before, begin = delayed_acknowledgements(), time.monotonic()
    outcome, _ = world.run([sys.executable, "-c", IN_A_ROW], captured=True)
    assert outcome.status == 0, outcome.stderr
    delayed = delayed_acknowledgements() - before
    announce("50 calls on one connection under flows", took=f"{1000 * (time.monotonic() - begin):.0f} ms", delayed_acknowledgements=delayed)
    assert delayed < 25
