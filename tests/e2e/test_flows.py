"""Flows act on the calls of unmodified programs: through the hook, the gateway and back, with real time."""

import json
import threading
import time

import pytest

from flow_clients import PROGRAMS, call
from lunards import har_exporter, shared_lunard
from world.deadline import wait_until

RAW = "http://raw.example.com"


def flow(name, url, processors, request=None, response=None, **more):
    """A flow as YAML (which JSON is): steps are (from, to) with `start`, `end` and PROCESSOR[:condition]."""
    def end(text, at):
        if text in ("start", "end"):
            return {"stream": {"name": "globalStream", "at": text}}
        key, _, condition = text.partition(":")
        return {"processor": {"name": key, **({"condition": condition} if condition else {})}}

    def steps(pairs):
        return [{"from": end(a, "from"), "to": end(b, "to")} for a, b in pairs or [("start", "end")]]

    declared = {key: {"processor": kind, "parameters": [{"key": k, "value": v} for k, v in parameters.items()]}
                for key, (kind, parameters) in processors.items()}
    return json.dumps({"name": name, "filter": {"url": url, **more.pop("filter", {})}, "processors": declared,
                       "flow": {"request": steps(request), "response": steps(response)}, **more})


def limiter(name, url, quota, **answer):
    return flow(name, url, {"Limit": ("Limiter", {"quota_id": quota}), "Refuse": ("GenerateResponse", {"status": 429, **answer})},
                [("start", "Limit"), ("Limit:below_limit", "end"), ("Limit:above_limit", "Refuse")],
                [("start", "end"), ("Refuse", "end")])


FILES = {
    "quotas/raw.yaml": """
quotas:
  - {id: PerTeam, filter: {url: raw.example.com/counter/team}, strategy: {fixed_window: {max: 2, interval: 1, interval_unit: hour, group_by_header: x-team}}}
  - {id: TwoASecond, filter: {url: raw.example.com/counter/window}, strategy: {fixed_window: {max: 2, interval: 1, interval_unit: second}}}
  - {id: One, filter: {url: raw.example.com/slow/*}, strategy: {concurrent: {max_request_count: 1}}}
  - {id: Told, filter: {url: raw.example.com/remaining/*}, strategy: {header_based: {quota_header: x-ratelimit-remaining, reset_header: x-ratelimit-reset}}}
  - {id: Tokens, filter: {url: raw.example.com/completion/*}, strategy: {fixed_window_custom_counter: {max: 100, interval: 1, interval_unit: hour, counter_value_path: $.response.usage.total_tokens}}}
""",
    "flows/team.yaml": limiter("Team", "raw.example.com/counter/team", "PerTeam", body="too many", retry_after=True),
    "flows/window.yaml": limiter("Window", "raw.example.com/counter/window", "TwoASecond"),
    "flows/told.yaml": limiter("Told", "raw.example.com/remaining/*", "Told"),
    "flows/tokens.yaml": limiter("TokenBudget", "raw.example.com/completion/*", "Tokens"),
    "flows/line.yaml": flow("Line", "raw.example.com/slow/*", {"Wait": ("Queue", {"quota_id": "One", "queue_size": 8, "ttl_seconds": 5, "priority_group_by_header": "x-class", "priority_groups": {"gold": 1, "lead": 9}}),
                                                              "Refuse": ("GenerateResponse", {"status": 503, "body": "full"})},
                            [("start", "Wait"), ("Wait:allowed", "end"), ("Wait:blocked", "Refuse")], [("start", "end"), ("Refuse", "end")]),
    "flows/again.yaml": flow("Again", "raw.example.com/flaky/*", {"Failed": ("Filter", {"status_code": ["503"]}), "Retry": ("Retry", {"attempts": 3, "cooldown_between_attempts_seconds": 0.2})},
                             None, [("start", "Failed"), ("Failed:hit", "Retry"), ("Failed:miss", "end"), ("Retry:failed", "end")]),
    "flows/cache.yaml": flow("Cached", "raw.example.com/counter/cached", {"Look": ("ReadCache", {"caching_key_parts": ["$.request.path"]}), "Keep": ("WriteCache", {"caching_key_parts": ["$.request.path"], "ttl_seconds": 1})},
                             [("start", "Look"), ("Look:cache_miss", "end")], [("start", "Keep"), ("Keep", "end"), ("Look:cache_hit", "end")],
                             ),
    "flows/change.yaml": flow("Change", "raw.example.com/echo/change", {
        "Prepare": ("TransformAPICall", {"set": {"$.request.headers.X-Team": "payments", "$.request.query_param.page": "2", "$.request.body.note": "added"}, "delete": ["$.request.query_param.debug", "$.request.body.secret"]}),
        "Answer": ("TransformAPICall", {"set": {"$.response.headers.X-Seen": "yes", "$.response.status": 201}})},
        [("start", "Prepare"), ("Prepare", "end")], [("start", "Answer"), ("Answer", "end")]),
    "flows/script.yaml": flow("Script", "raw.example.com/echo/script", {
        "Tag": ("CustomScript", {"script_text": "if (!request.body.user) throw 'no user'; request.headers['x-kind'] = request.body.user.kind; request.body.seen = true;"}),
        "Refuse": ("GenerateResponse", {"status": 400, "body": "no user"})},
        [("start", "Tag"), ("Tag:success", "end"), ("Tag:failure", "Refuse")], [("start", "end"), ("Refuse", "end")]),
    "flows/canned.yaml": flow("Canned", "raw.example.com/canned/*", {"Say": ("GenerateResponse", {"status": 418, "body": {"made": "here"}, "Content-Type": "application/json", "X-Made-By": "a flow"})},
                              [("start", "Say")], [("start", "end"), ("Say", "end")]),
    "flows/shadow.yaml": flow("Shadow", "raw.example.com/counter/shadow", {"Say": ("GenerateResponse", {"status": 418})}, [("start", "Say")], [("start", "end"), ("Say", "end")], mode="shadow"),
}


FILES["flows/observed.yaml"] = json.dumps({
    "name": "Observed", "filter": {"url": "raw.example.com/echo/observed/{id}"},
    "processors": {
        "Har": {"processor": "HARCollector", "parameters": [{"key": "exporter_id", "value": "audit"}]},
        "Spend": {"processor": "UserDefinedMetrics", "parameters": [{"key": "metric_name", "value": "echo_calls"}, {"key": "labels", "value": ["http_method"]}, {"key": "custom_metric_labels", "value": {"order": "$.request.path_params.id"}}]},
        "Count": {"processor": "CountLLMTokens", "parameters": [{"key": "encoding", "value": "o200k_base"}], "metrics": {"enabled": True, "labels": ["flow_name"]}}},
    "flow": {"request": [{"from": {"stream": {"name": "s", "at": "start"}}, "to": {"processor": {"name": "Count"}}}, {"from": {"processor": {"name": "Count"}}, "to": {"stream": {"name": "s", "at": "end"}}}],
             "response": [{"from": {"stream": {"name": "s", "at": "start"}}, "to": {"processor": {"name": "Har"}}}, {"from": {"processor": {"name": "Har"}}, "to": {"processor": {"name": "Spend"}}}, {"from": {"processor": {"name": "Spend"}}, "to": {"stream": {"name": "s", "at": "end"}}}]}})


@pytest.fixture(scope="module")
def lunard(world, internet, request, har_folder):
    yield from shared_lunard(world, request, files=FILES, gateway_config=har_exporter(har_folder))


@pytest.mark.parametrize("client", PROGRAMS)
def test_a_canned_response_reaches_every_client(lunard, world, client):
    seen = call(world, f"{RAW}/canned/x", "POST", body="a body that nobody reads", client=client)
    assert (seen.status, seen.json) == (418, {"made": "here"})
    assert seen.fields["x-made-by"] == "a flow" and seen.fields["x-lunar-generated"] == "true"


@pytest.mark.parametrize("client", PROGRAMS)
def test_a_limit_holds_for_each_group_and_says_when_to_come_back(lunard, world, client):
    team = {"x-team": client}
    assert [call(world, f"{RAW}/counter/team", fields=team, client=client).status for _ in range(3)] == [200, 200, 429]
    refused = call(world, f"{RAW}/counter/team", fields=team, client=client)
    assert refused.body == "too many" and 3500 < int(refused.fields["retry-after"]) <= 3600
    assert refused.fields["ratelimit-limit"] == "2" and refused.fields["ratelimit-remaining"] == "0"
    assert call(world, f"{RAW}/counter/team", fields={"x-team": f"other {client}"}, client=client).status == 200


def test_a_window_opens_again_after_its_interval(lunard, world):
    def burst():
        script = "for i in 1 2 3; do curl -s -o /dev/null -w '%{http_code} ' http://raw.example.com/counter/window; done"
        return world.run(["sh", "-c", script], captured=True)[0].stdout.split()
    assert burst() == ["200", "200", "429"]
    time.sleep(1.1)  # the window's own interval, which no event announces
    assert burst() == ["200", "200", "429"]


def test_what_a_provider_says_of_its_limit_is_obeyed(lunard, world):
    assert call(world, f"{RAW}/remaining/1/60").status == 200
    assert call(world, f"{RAW}/remaining/0/60").status == 200
    assert call(world, f"{RAW}/remaining/9/60").status == 429


@pytest.mark.parametrize("client", PROGRAMS)
def test_a_failed_call_is_sent_again_with_its_body(lunard, world, client):
    begin = time.monotonic()
    seen = call(world, f"{RAW}/flaky/2/retry-{client}", "POST", body="once more", client=client)
    assert (seen.status, seen.body) == (200, "3")
    assert time.monotonic() - begin > 0.4
    given_up = call(world, f"{RAW}/flaky/9/give-up-{client}", client=client)
    assert (given_up.status, given_up.body) == (503, "4")


def test_a_provider_that_says_when_to_come_back_is_not_asked_earlier(lunard, world):
    begin = time.monotonic()
    seen = call(world, f"{RAW}/flaky/1/told/Retry-After:1")  # the flow itself would wait for 0.2 s
    assert (seen.status, seen.body) == (200, "2")
    assert time.monotonic() - begin > 1


def test_a_cached_answer_is_served_until_it_expires(lunard, world):
    first = call(world, f"{RAW}/counter/cached").body
    hit = call(world, f"{RAW}/counter/cached")
    assert hit.body == first and hit.fields["x-lunar-generated"] == "true"
    assert call(world, f"{RAW}/counter/cached", "DELETE").body != first
    time.sleep(1.1)  # its time to live, which no event announces
    assert call(world, f"{RAW}/counter/cached").body not in (first,)


@pytest.mark.parametrize("client", PROGRAMS)
def test_changes_reach_the_provider_and_the_client(lunard, world, client):
    seen = call(world, f"{RAW}/echo/change?debug=1&x=y", "POST", {"content-type": "application/json"}, '{"secret":1,"kept":2}', client)
    assert seen.status == 201 and seen.fields["x-seen"] == "yes"
    sent = {name.lower(): value for name, value in seen.json["fields"]}
    assert sent["x-team"] == "payments" and seen.json["target"] == "/echo/change?x=y&page=2"
    assert seen.json["body"] == '{"kept":2,"note":"added"}' and sent["content-length"] == str(len(seen.json["body"]))
    assert not any(name.startswith("x-lunar-") for name in sent)


@pytest.mark.parametrize("client", PROGRAMS)
def test_a_script_changes_the_request_or_refuses_it(lunard, world, client):
    seen = call(world, f"{RAW}/echo/script", "POST", {"content-type": "application/json"}, '{"user":{"kind":"trial"}}', client)
    assert seen.status == 200, seen
    sent = {name.lower(): value for name, value in seen.json["fields"]}
    assert sent["x-kind"] == "trial" and seen.json["body"] == '{"user":{"kind":"trial"},"seen":true}'
    assert call(world, f"{RAW}/echo/script", "POST", body='{"user":null}', client=client).status == 400


def test_a_token_budget_counts_what_answers_say_they_cost(lunard, world):
    assert call(world, f"{RAW}/completion/60").status == 200
    streamed = call(world, f"{RAW}/completion/60/yes")
    assert streamed.status == 200 and streamed.body.endswith("data: [DONE]\n\n")
    assert call(world, f"{RAW}/completion/1").status == 429


def test_a_queue_serves_in_order_of_priority(lunard, world):
    order, threads = [], []

    def ask(name, group, milliseconds):
        seen = call(world, f"{RAW}/slow/{milliseconds}", fields={"x-class": group})
        order.append((name, seen.status))

    def begin(*words):
        threads.append(threading.Thread(target=ask, args=words))
        threads[-1].start()
        time.sleep(0.5)  # so that the arrivals are in this order, whatever the clients' start takes

    begin("first", "lead", 2500)
    begin("late", "lead", 50)
    begin("gold", "gold", 50)
    for thread in threads:
        thread.join()
    assert order == [("first", 200), ("gold", 200), ("late", 200)]


def test_a_flow_in_shadow_mode_changes_nothing(lunard, world):
    assert call(world, f"{RAW}/counter/shadow").status == 200
    wait_until(lambda: "flow Shadow is in shadow mode and would answer with 418" in lunard.log(), 5, lunard.log)


def test_a_flow_can_be_left_out_for_one_request(lunard, world):
    assert call(world, f"{RAW}/canned/x", fields={"x-lunar-allow": "false"}).status == 404


def test_what_flows_observe_becomes_har_metrics_discovery_and_log(lunard, world, har_folder):
    body = json.dumps({"messages": [{"role": "user", "content": "hello world"}]})
    seen = call(world, f"{RAW}/echo/observed/42?secret=1", "POST", {"content-type": "application/json"}, body)
    assert seen.status == 200 and not any(name.lower().startswith("x-lunar") for name, _ in seen.json["fields"])
    assert lunard.control("POST", "/logs/flush")[0] == 200
    entry = json.loads((har_folder / "audit.ndjson").read_text().splitlines()[-1])
    assert entry["request"]["method"] == "POST" and entry["request"]["url"].endswith("/echo/observed/42?secret=1")
    assert entry["request"]["postData"]["text"] == body and json.loads(entry["response"]["content"]["text"])["body"] == body
    assert entry["_lunar"]["flow"] == "Observed" and entry["timings"]["wait"] >= 0 and entry["serverIPAddress"]
    metrics = lunard.metrics()
    def total(name, **labels):
        return sum(value for key, value in metrics.items() if key.startswith(name) and all(f'{k}="{v}"' in key for k, v in labels.items()))
    assert total("lunar_echo_calls_total", order="42", http_method="POST") == 1
    assert total("lunar_llm_tokens_count_total", encoding="o200k_base", flow_name="Observed") == 2
    assert total("flow_invocations_total", flow_name="Observed") == 1
    assert total("active_flows", flow_name="Observed") == 1
    status, discovered = lunard.control("GET", "/discover")
    assert status == 200 and any(name.startswith("POST:::raw.example.com/echo/observed/") for name in discovered["endpoints"])
    line = next(line for line in reversed(lunard.lines()) if line["path"] == "/echo/observed/42")
    assert line["flows"] == ["Observed"] and line["attempt"] == 0 and not line["internal"]


def test_each_attempt_of_a_call_has_its_line(lunard, world):
    assert call(world, f"{RAW}/flaky/1/lines").body == "2"
    def lines():
        return [line for line in lunard.lines() if line["path"] == "/flaky/1/lines"]
    wait_until(lambda: len(lines()) == 2, 5, lines)
    assert [(line["attempt"], line["internal"], line["status_code"]) for line in lines()] == [(0, False, 503), (1, True, 200)]
    assert len({line["sequence_id"] for line in lines()}) == 1


def test_quotas_are_shown(lunard, world):
    call(world, f"{RAW}/counter/team", fields={"x-team": "shown"})
    status, answer = lunard.control("GET", "/quotas")
    groups = next(quota for quota in answer["quotas"] if quota["id"] == "PerTeam")["groups"]
    assert status == 200 and {"group": "shown", "limit": 2, "used": 1} .items() <= next(group for group in groups if group["group"] == "shown").items()


def test_a_broken_configuration_never_replaces_a_good_one(lunard, world):
    lunard.write("flows/broken.yaml", "name: Broken\nfilter: {}\n")
    status, answer = lunard.control("POST", "/load_flows")
    assert status == 400 and "flows/broken.yaml:" in answer["error"]
    assert {one["id"] for one in answer["diagnostics"] if one["severity"] == "error"} == {"filter-url-required", "connection-not-defined"}
    assert call(world, f"{RAW}/canned/x").status == 418
    (lunard.directory / "flows/broken.yaml").unlink()
    lunard.write("flows/canned.yaml", FILES["flows/canned.yaml"].replace("418", "451"))
    status, answer = lunard.control("POST", "/load_flows")
    assert status == 200, answer
    assert call(world, f"{RAW}/canned/x").status == 451
