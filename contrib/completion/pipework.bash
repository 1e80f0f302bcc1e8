# shellcheck shell=bash
# Completion of pipework for bash: interfaces, guests, verbs, options, ways to get an address.

# >>> table: from pipework/grammar.py by python -m contrib.generate

_pipework_verbs='wire route rule tc ls del gc apply save watch hook uplink'
_pipework_first='--wait --help --version'
_pipework_before='--direct-phys --route= --metric= --mtu= --beside --probe --check~ --mode= --ipvlan= --host-access --routed --filter --dry-run --replace --keep'

# What a verb takes: options, words, and the word behind which no option comes.
_pipework_table() {
    behind='' words='' ends=''
    case $1 in
        '') behind='-i= -l= -a= --direct-phys --route= --metric= --mtu= --beside --probe --check~ --mode= --ipvlan= --host-access --routed --filter' words='HOSTIF GUEST ADDRESS MAC' ends='GUEST' ;;
        wire) behind='-i= --mtu=' words='GUEST wire.ADDRESS wire.GUEST' ends='GUEST' ;;
        route) words='GUEST route.ARGUMENT' ends='GUEST' ;;
        rule) words='GUEST rule.ARGUMENT' ends='GUEST' ;;
        tc) words='GUEST tc.ARGUMENT' ends='GUEST' ;;
        ls) behind='--json' words='GUEST' ;;
        del) behind='-i= --all --if-exists --dry-run' words='GUEST' ;;
        gc) behind='--host= --dry-run' ;;
        apply) behind='--prune --dry-run' words='FILE' ;;
        save) words='GUEST' ;;
        watch) behind='--pipework-cmd --trust-image-labels --allow=' words='FILE' ;;
        hook) behind='--allow= --dry-run' words='ACTION ENGINE' ;;
        uplink) behind='--undo --timeout= --confirm= --dry-run' words='BRIDGE NIC' ;;
        --wait) behind='-i=' ;;
        --help) ends='GUEST' ;;
        --version) ends='GUEST' ;;
    esac
}

# What may stand for a word or for the value of an option; $2 is what is being typed.
_pipework_offer() {
    case $1 in
        HOSTIF) _pipework_links "$2" ;;
        GUEST) _pipework_guests ;;
        ADDRESS) printf '%s\n' 0/0 auto dynamic dhcp udhcpc udhcpc-f dhclient dhclient-f dhcpcd ;;
        -i) printf '%s\n' eth0 eth1 ;;
        -a) printf '%s\n' 4 6 ;;
        --mode) printf '%s\n' bridge private vepa passthru ;;
        --ipvlan) printf '%s\n' l2 l3 ;;
        wire.ADDRESS) printf '%s\n' 0/0 ;;
        wire.GUEST) _pipework_guests ;;
        route.ARGUMENT) printf '%s\n' show add del replace get ;;
        rule.ARGUMENT) printf '%s\n' show add del ;;
        tc.ARGUMENT) printf '%s\n' qdisc class filter ;;
        FILE) _pipework_files "$2" ;;
        ACTION) printf '%s\n' install uninstall status ;;
        BRIDGE) _pipework_links "$2" ;;
        NIC) _pipework_links "$2" ;;
        *) printf '?%s\n' "$1" ;;
    esac
}
# <<< table

# >>> choices: the same in bash and zsh, which runs it as sh; python -m contrib.generate takes it there

_pipework_guests() {
    {
        if [ -S /var/run/docker.sock ]; then docker ps --format '{{.Names}}'; fi
        if command -v podman >/dev/null; then podman ps --format '{{.Names}}'; fi
        if command -v lxc-ls >/dev/null; then lxc-ls --running -1; fi
        ip netns list | sed 's/ .*//; s/^/netns:/'
    } 2>/dev/null
}

_pipework_links() {
    local folder
    for folder in /sys/class/net/*/; do
        folder=${folder%/}
        if [ "${folder##*/}" != lo ]; then echo "${folder##*/}"; fi
        # an address is only offered to who has begun to type one
        case $1 in mac:*) sed 's/^/mac:/' "$folder/address" ;; esac
    done 2>/dev/null
}

_pipework_files() {
    local file
    for file in "$1"*; do
        if [ -d "$file" ]; then echo "$file/"; elif [ -e "$file" ]; then echo "$file"; fi
    done
}

# One a line, what may come next; the arguments are the words so far, the last of them what is being typed. A line that
# begins with ? names what has to be typed by hand; options and verbs have a blank behind them, which read drops.
_pipework_choices() {
    local word option='' maybe='' verb='' known='' first=1 behind words='' ends=''
    behind=$_pipework_before
    while [ $# -gt 1 ]; do
        word=$1 && shift
        if [ "$option" ]; then
            option='' && continue
        fi
        if [ "$maybe" ]; then
            # an address is its value, a name is the next word
            maybe='' && case $word in *:*:* | [0-9]*.*.*.*) continue ;; esac
        fi
        case " $behind " in
            *" $word= "*) option=$word && continue ;;
            *" $word~ "*) maybe=1 && first='' && continue ;;
            *" $word "*) first='' && continue ;;
        esac
        if [ "$known" ]; then
            _pipework_drop
        else
            known=1
            if _pipework_is_verb "$word"; then verb=$word; fi
            _pipework_table "$verb"
            if [ ! "$verb" ]; then _pipework_drop; fi
        fi
    done
    if [ "$option" ]; then
        _pipework_offer "$option" "$1"
        return
    fi
    if [ ! "$known" ]; then
        _pipework_table ''
        behind="$_pipework_verbs $_pipework_before"
        if [ "$first" ]; then behind="$behind $_pipework_first"; fi
    fi
    if [ "$behind" ]; then echo "$behind"; fi | tr -s ' ' '\n' | sed 's/[=~]*$/ /'
    if [ "$words" ]; then _pipework_offer "${words%% *}" "$1"; fi
}

# One of the words without a name has been given. Behind GUEST some verbs take no options.
_pipework_drop() {
    if [ "${words%% *}" = "$ends" ]; then behind=''; fi
    words=${words#"${words%% *}"}
    words=${words# }
}

_pipework_is_verb() {
    case " $_pipework_verbs " in *" $1 "*) [ ! -e "/sys/class/net/$1" ] && return ;; esac
    case "$first $_pipework_first " in 1*" $1 "*) return 0 ;; esac
    return 1
}
# <<< choices

_pipework() {
    local line=${COMP_LINE:0:COMP_POINT} choice current kept='' words
    # bash breaks words at colons, which names here contain; readline keeps what stands before the last one
    read -ra words <<<"$line"
    if [[ $line == *[[:space:]] ]]; then words+=(''); fi
    current=${words[-1]}
    if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then kept=${current%"${current##*:}"}; fi
    COMPREPLY=()
    while read -r choice; do
        if [[ $choice == "$current"* && $choice != \?* ]]; then COMPREPLY+=("${choice#"$kept"}"); fi
    done < <(_pipework_choices "${words[@]:1}")
}

complete -F _pipework pipework
