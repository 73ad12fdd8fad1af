"""Where the growth of the gateway's memory under load ends."""

import json

import pytest

from drill import announce
from lunards import shared_lunard
from test_apply_flows import pss
from test_flows import flow
from test_soak import soak

ROUNDS, REQUESTS, CONNECTIONS = 6, 20_000, 100
SMALLEST_BLOCK = 32  # of glibc's heap, in bytes

# No HARCollector: its entries wait in buffers whose fill at the end of a round is a matter of chance.
FILES = {
    "quotas/load.yaml": json.dumps({"quotas": [
        {"id": "Calls", "filter": {"url": "load.example.com/*"}, "strategy": {"fixed_window": {"max": 10**9, "interval": 1, "interval_unit": "hour"}}},
        {"id": "Places", "filter": {"url": "load.example.com/*"}, "strategy": {"concurrent": {"max_request_count": 10**6}}}]}),
    "flows/limited.yaml": flow("Limited", "load.example.com/*", {
        "Limit": ("Limiter", {"quota_id": "Calls"}), "Place": ("QuotaProcessorInc", {"quota_id": "Places"}), "Refuse": ("GenerateResponse", {"status": 429}),
        "Name": ("TransformAPICall", {"set": {"$.request.headers.X-Team": "payments"}})},
        [("start", "Limit"), ("Limit:above_limit", "Refuse"), ("Limit:below_limit", "Place"), ("Place", "Name"), ("Name", "end")], [("start", "end"), ("Refuse", "end")]),
    "flows/watched.yaml": flow("Watched", "load.example.com/load", {
        "Count": ("CountLLMTokens", {"encoding": "o200k_base"}), "Keep": ("WriteCache", {"caching_key_parts": ["$.request.path"]}),
        "Spend": ("UserDefinedMetrics", {"metric_name": "load_bytes", "metric_value": "api_call_size"})},
        [("start", "Count"), ("Count", "end")], [("start", "Keep"), ("Keep", "Spend"), ("Spend", "end")]),
}


@pytest.fixture(scope="module")
def lunard(world, internet, request):
    yield from shared_lunard(world, request, files=FILES)


@pytest.mark.limit(200)
def test_requests_through_flows_make_the_gateway_grow_to_an_end(lunard, world, builds):
    gateway, sizes, took = lunard.gateway_pid(), [pss(lunard.gateway_pid())], 0
    for _ in range(ROUNDS):
        done, failed, seconds = soak(world, builds, REQUESTS, CONNECTIONS)
        assert (done, failed) == (REQUESTS, 0)
        sizes.append(pss(gateway))
        took += seconds
    growth = [after - before for before, after in zip(sizes, sizes[1:])]
    announce(f"{ROUNDS * REQUESTS} requests through two flows", took=f"{took:.1f} s", gateway_pss=f"{sizes[0]} KiB", growth_by_round=f"{growth} KiB")
    assert lunard.used("Calls") == ROUNDS * REQUESTS and lunard.used("Places") == 0
    # The first rounds touch the records on their way to the log for the first time: 16,384 of 512 bytes a worker. Later
    # ones grow, ever less often, where more records than before wait for the admin thread. A leak of one block a request
    # would show in every round.
    assert min(growth[3:]) < 0.8 * REQUESTS * SMALLEST_BLOCK / 1024
