"""Flow configurations for the variants of Lunar, each written below a configuration root, where the result is how many
flows are to be loaded from it; and what all configurations of nginx have."""

import pathlib
import shutil

MIX = pathlib.Path(__file__).resolve().parents[1] / "flows"
MANY = 10_000
BURST = 1_000_000_000_000  # more calls than any run can make

QUOTA = """quotas:
  - {{id: {name}, filter: {{url: "{url}"}}, strategy: {{fixed_window: {{max: {most}, interval: 1, interval_unit: hour}}}}}}
"""
LIMITER = """name: {name}
filter: {{url: "{url}"}}
processors:
  Limit: {{processor: Limiter, parameters: [{{key: quota_id, value: {quota}}}]}}
  Refuse: {{processor: GenerateResponse, parameters: [{{key: status, value: 429}}]}}
flow:
  request:
    - {{from: {{stream: {{name: globalStream, at: start}}}}, to: {{processor: {{name: Limit}}}}}}
    - {{from: {{processor: {{name: Limit, condition: above_limit}}}}, to: {{processor: {{name: Refuse}}}}}}
    - {{from: {{processor: {{name: Limit, condition: below_limit}}}}, to: {{stream: {{name: globalStream, at: end}}}}}}
  response:
    - {{from: {{processor: {{name: Refuse}}}}, to: {{stream: {{name: globalStream, at: end}}}}}}
    - {{from: {{stream: {{name: globalStream, at: start}}}}, to: {{stream: {{name: globalStream, at: end}}}}}}
"""


def write_mix(root):
    """Ten flows as an operator may have them; three concern the benchmark's requests."""
    shutil.copytree(MIX, root, dirs_exist_ok=True)
    return len(list((root / "flows").iterdir()))


def write_many(root):
    """So many flows that none of them may cost a request anything: half of them are for the benchmark's own host, and
    none for what is asked there."""
    (root / "flows").mkdir(exist_ok=True)
    (root / "quotas").mkdir(exist_ok=True)
    (root / "quotas" / "calls.yaml").write_text(QUOTA.format(name="Calls", url="calls.example.com/*", most=BURST))
    for i in range(MANY):
        url = f"api.example.com/v1/things{i}/*" if i % 2 == 0 else f"host{i}.example.com/v1/*"
        (root / "flows" / f"{i}.yaml").write_text(LIMITER.format(name=f"F{i}", url=url, quota="Calls"))
    return MANY


def write_limiter(root):
    """Nothing but a Limiter, for every request."""
    (root / "flows").mkdir(exist_ok=True)
    (root / "quotas").mkdir(exist_ok=True)
    (root / "quotas" / "calls.yaml").write_text(QUOTA.format(name="Calls", url="api.example.com/*", most=BURST))
    (root / "flows" / "limit.yaml").write_text(LIMITER.format(name="Limited", url="api.example.com/*", quota="Calls"))
    return 1


def nginx_configuration(directory, connections, http):
    """One process that keeps everything below `directory`, and each connection for as many requests as come; `http` is
    what it serves."""
    return f"""
user root;
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {directory}/nginx.pid;
error_log stderr crit;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
{http}
}}
"""
