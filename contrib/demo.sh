#!/bin/sh
# demo.sh PIPEWORK
#
# Wire two network namespaces to one bridge, ping both ways, show it, and remove everything again.
set -eu

pipework=$1
bridge=br-demo

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
show() {
    printf '$ %s\n' "$*"
    "$@"
}

if [ "$(id -u)" -ne 0 ]; then
    echo "The demo makes network namespaces; run it as root: sudo make demo" >&2
    exit 1
fi
for name in demo-a demo-b; do
    if [ -e "/run/netns/$name" ]; then
        echo "There is a namespace $name already; remove it first: ip netns del $name" >&2
        exit 1
    fi
done
if [ -e "/sys/class/net/$bridge" ]; then
    echo "There is an interface $bridge already; remove it first: ip link del $bridge" >&2
    exit 1
fi

# shellcheck disable=SC2317  # called by the trap
clean_up() {
    status=$?
    trap '' HUP INT TERM
    say "Everything removed again"
    for name in demo-a demo-b; do
        if [ -e "/run/netns/$name" ]; then
            show "$pipework" del "netns:$name" --if-exists # on a Docker host its firewall rule goes with the last
            show ip netns del "$name"
        fi
    done
    if [ -e "/sys/class/net/$bridge" ]; then show ip link del "$bridge"; fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM

say "Two network namespaces, as a container has one each"
show ip netns add demo-a
show ip netns add demo-b

say "Wire both to the bridge $bridge, which pipework creates"
show "$pipework" "$bridge" netns:demo-a 10.99.0.1/24
show "$pipework" "$bridge" netns:demo-b 10.99.0.2/24

say "What each of them has now"
show ip -n demo-a -br addr show dev eth1
show ip -n demo-b -br addr show dev eth1

say "What the host has: two ports on one bridge"
show bridge link show
show ip -br link show master "$bridge"

say "They reach each other"
show ip netns exec demo-a ping -n -c 2 -i 0.2 -w 5 10.99.0.2
show ip netns exec demo-b ping -n -c 2 -i 0.2 -w 5 10.99.0.1
