# shellcheck shell=bash
# The demonstration's own network: a provider in a namespace behind a link, reached as any host on the internet is.
# Sourced by quickstart, which sets these two.
: "${packaging:?}" "${scratch:?}"

demo_namespace=lunar-demo
demo_link=lunar-demo0
demo_gateway=198.18.77.2   # the other end of the link, as a router
demo_provider=198.18.200.1 # behind it: networks that are directly connected are not captured

start_demo_network() {
  stop_demo_network # what an interrupted run left
  ip netns add "$demo_namespace" 2>"$scratch/netns" ||
    die "network namespaces are not available here, and the demonstration needs one for its provider" \
      "$(<"$scratch/netns")" "in a container, give it CAP_SYS_ADMIN and CAP_NET_ADMIN; Lunar itself needs them as well"
  ip link add "$demo_link" type veth peer name uplink netns "$demo_namespace"
  ip address add 198.18.77.1/24 dev "$demo_link"
  ip link set "$demo_link" up
  ip -n "$demo_namespace" address add "$demo_gateway/24" dev uplink
  ip -n "$demo_namespace" address add "$demo_provider/32" dev lo
  ip -n "$demo_namespace" link set lo up
  ip -n "$demo_namespace" link set uplink up
  ip route add "$demo_provider" via "$demo_gateway"
  # Without any way to the internet nothing is captured; this one leads nowhere, and goes with the link.
  [[ -n $(ip -4 route show default) ]] || ip route add default via "$demo_gateway" metric 9999
  coproc PROVIDER { exec ip netns exec "$demo_namespace" python3 "$packaging/demo/provider.py" "$demo_provider"; }
  local ready
  read -r -t 10 ready <&"${PROVIDER[0]}" || die "the provider of the demonstration did not start"
  [[ $ready == ready ]] || die "the provider of the demonstration said: $ready"
}

stop_demo_network() {
  if [[ -n ${PROVIDER_PID-} ]]; then kill "$PROVIDER_PID" 2>/dev/null || true; fi
  ip link delete "$demo_link" 2>/dev/null || true
  ip netns delete "$demo_namespace" 2>/dev/null || true
}
