# shellcheck shell=bash
# Completion of pipework for bash: interfaces, guests, verbs, options, ways to get an address.

_pipework_links() {
    ls /sys/class/net
}

_pipework_guests() {
    docker ps --format '{{.Names}}' 2>/dev/null
    podman ps --format '{{.Names}}' 2>/dev/null
    lxc-ls --running -1 2>/dev/null
    ip netns list 2>/dev/null | sed 's/ .*//; s/^/netns:/'
}

_pipework() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words='' verb='' position=0 word
    COMPREPLY=()
    case $previous in
        -i | -l) return ;;
        -a) words='4 6' ;;
    esac
    # which operand this is: HOSTIF or the verb is 1, GUEST 2, ADDRESS 3
    for ((word = 1; word < COMP_CWORD; word++)); do
        case ${COMP_WORDS[word]} in
            -i | -l | -a) word=$((word + 1)) ;;
            -*) ;;
            *)
                position=$((position + 1))
                [ "$position" -eq 1 ] && verb=${COMP_WORDS[word]}
                ;;
        esac
    done
    if [ -z "$words" ]; then
        case $position:$verb in
            0:) words="$(_pipework_links) route rule tc ls del gc --wait --direct-phys --dry-run --replace --help --version" ;;
            1:ls) words="--json $(_pipework_guests)" ;;
            1:del | 2:del) words="-i --all --if-exists $(_pipework_guests)" ;;
            1:gc) words=--dry-run ;;
            1:route | 1:rule | 1:tc) words=$(_pipework_guests) ;;
            1:*) words="-i -l -a $(_pipework_guests)" ;;
            2:route) words='show add del replace get' ;;
            2:rule) words='show add del' ;;
            2:tc) words='qdisc class filter' ;;
            2:*) words='dhcp udhcpc udhcpc-f dhclient dhclient-f dhcpcd 0/0' ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    # readline breaks words at colons, so what stands before the last one is typed already
    if [[ $current == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${current%:*}:"}")
    fi
}

complete -F _pipework pipework
