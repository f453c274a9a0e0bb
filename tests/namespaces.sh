#!/usr/bin/env bash
# Two clients, each behind an address translator of its own, and a server, as network namespaces of this machine:
#
#   a ── na ──┐
#             s   (the server's namespace also holds the bridge that plays the internet: 203.0.113.0/24)
#   b ── nb ──┘
#
# The translators do what those of homes do: MASQUERADE outwards, nothing in that was not asked for.
# usage: namespaces.sh up|down PREFIX      (root; PREFIX names the namespaces: PREFIXa, PREFIXna, …)
set -euo pipefail

nodes=(s na nb a b)

down() {
  for node in "${nodes[@]}"; do
    if ip netns list | grep -qw "$1$node"; then
      # Whoever still runs there keeps the namespace alive.
      ip netns pids "$1$node" | xargs -r kill -9
      ip netns del "$1$node"
    fi
  done
}

inside() { ip netns exec "$@"; }

up() {
  local prefix=$1 side lan wan
  # What a test that was killed left behind.
  for old in $(ip netns list | awk '{ print $1 }' | sed -n 's/^\(visavis-\([0-9]*\)-[0-9]*-\)s$/\2:\1/p'); do
    [ -d "/proc/${old%%:*}" ] || down "${old#*:}"
  done
  for node in "${nodes[@]}"; do
    ip netns add "$prefix$node"
    ip -n "$prefix$node" link set lo up
  done
  ip -n "${prefix}s" link add internet type bridge
  ip -n "${prefix}s" addr add 203.0.113.1/24 dev internet
  ip -n "${prefix}s" link set internet up
  for side in a:10 b:20; do
    wan=${side#*:} side=${side%:*}
    lan=192.168.$wan
    ip link add "wan$side" netns "${prefix}n$side" type veth peer name "wan$side" netns "${prefix}s"
    ip link add lan netns "${prefix}n$side" type veth peer name lan netns "$prefix$side"
    ip -n "${prefix}s" link set "wan$side" master internet up
    ip -n "${prefix}n$side" addr add "203.0.113.$wan/24" dev "wan$side"
    ip -n "${prefix}n$side" addr add "$lan.1/24" dev lan
    ip -n "${prefix}n$side" link set "wan$side" up
    ip -n "${prefix}n$side" link set lan up
    ip -n "$prefix$side" addr add "$lan.2/24" dev lan
    ip -n "$prefix$side" link set lan up
    ip -n "$prefix$side" route add default via "$lan.1"
    inside "${prefix}n$side" sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
    inside "${prefix}n$side" iptables -t nat -A POSTROUTING -o "wan$side" -j MASQUERADE
    for chain in INPUT FORWARD; do
      inside "${prefix}n$side" iptables -A "$chain" -i "wan$side" -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
      inside "${prefix}n$side" iptables -A "$chain" -i "wan$side" -j DROP
    done
  done
  # Count what goes to the other side past the server.
  inside "${prefix}na" iptables -I FORWARD -d 203.0.113.20
  inside "${prefix}nb" iptables -I FORWARD -d 203.0.113.10
}

case "$1" in
  up) up "$2" ;;
  down) down "$2" ;;
  *) echo "usage: namespaces.sh up|down PREFIX" >&2; exit 2 ;;
esac
