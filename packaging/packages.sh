# shellcheck shell=bash
# Installing what the lists in debian-packages/ name. Sourced by quickstart and test, which set `packaging`.
: "${packaging:?}"

say() {
  if [[ -t 1 && -z ${NO_COLOR-} ]]; then printf '\033[1m== %s\033[0m\n' "$*"; else printf '== %s\n' "$*"; fi
}

die() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  shift
  printf '  %s\n' "$@" >&2
  exit 1
}

require_root_on_debian() {
  [[ $EUID -eq 0 ]] || die "needs root: it installs packages and attaches programs to cgroups" "run: sudo packaging/${0##*/}"
  command -v apt-get >/dev/null || die "needs apt: it is made for Debian 12 and later" \
    "elsewhere install what packaging/debian-packages/ lists, then build with: cmake --workflow --preset release"
}

listed() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "${@/#/$packaging/debian-packages/}"; }

# Everything that is installed, and what it provides: another vendor's nodejs brings npm, and conflicts with Debian's.
installed_packages() {
  dpkg-query -W -f '${db:Status-Status}, ${Package}, ${Provides}\n' | sed -n 's/^installed, //p' |
    tr ',' '\n' | sed -e 's/(.*//' -e 's/[[:space:]]//g' | sort -u
}

# Installs the packages of the named lists that are missing. Services among them are not started: they would take
# ports and memory of this machine for programs that only tests want, each on its own.
install_listed() {
  local missing
  mapfile -t missing < <(comm -23 <(listed "$@" | sort -u) <(installed_packages))
  [[ ${#missing[@]} -gt 0 ]] || return 0
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  local log
  log=$(mktemp -t lunar-apt.XXXXXX)
  quiet_apt "$log" update || die "apt-get update failed" "$(tail -n 3 "$log")" "is the network or the mirror reachable?"
  without_starting_services quiet_apt "$log" install --yes --no-install-recommends "${missing[@]}" ||
    die "apt-get install failed" "$(grep -E '^(E:|dpkg: error)' "$log" | head -n 5)" "the whole output is in $log"
  rm -f "$log"
}

quiet_apt() {
  local log=$1
  shift
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@" >>"$log" 2>&1 </dev/null
}

# Debian's own switch: a policy-rc.d that forbids starting. One that is there already stays in force.
without_starting_services() (
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
  fi
  "$@"
)
